import { verdict } from "../competitors/targets.js";
import type { IdleBytes, IdleResult } from "../idle.js";
import { isFilled, spreadText, type Table } from "../report.js";
import { ratioOf, type TrialResult } from "../trial.js";
import type { Latency } from "./latency.js";
import { type Extent, type Push, RELAY_ROWS, type RelayRow, relayTrial, rowTitle } from "./trials.js";

/** What `send` must reach beside HAProxy in TCP mode. */
const ONE_OUTSTANDING = 1;
const MANY_OUTSTANDING = 0.6;
const ADDED_US = 500;
const PROXY_BYTES = 14 * 1024;
const APP_SERVER_BYTES = 2 * 1024;

/** dotNetify's C# proxy beside HAProxy TCP, by clients, one outstanding; and what ours must be beside it. */
const DOTNETIFY_RATIOS: ReadonlyMap<number, { readonly ratio: number; readonly aim: number }> = new Map([
	[200, { ratio: 0.41, aim: 2.5 }],
	[2_000, { ratio: 0.32, aim: 3 }],
]);
const DOTNETIFY_SOURCE = "measured beforehand on ASP.NET Core's dotNetify proxy";

/** All that was measured of relays. */
export interface RelayResults {
	readonly push: Push;
	readonly trials: readonly TrialResult[];
	/** Rows that could not be measured, and why. */
	readonly missing: ReadonlyMap<RelayRow, string>;
}

function ratioRow(row: RelayRow, extent: Extent, { push, trials, missing }: RelayResults): string[] {
	const result = (one: RelayRow): TrialResult | undefined => {
		const { name } = relayTrial(one, extent, push);
		return trials.find(({ trial }) => trial.name === name);
	};
	const [own, base] = [result(row), result("haproxy")];
	const aim = extent.outstanding > 1 ? MANY_OUTSTANDING : ONE_OUTSTANDING;
	const target = row === "send" ? `≥ ${aim.toFixed(1)}` : "";
	if (!own || !base) return [rowTitle(row, push), "-", target, missing.get(own ? "haproxy" : row) ?? ""];
	const ratio = ratioOf(own, base);
	const isSure = isFilled(own) && isFilled(base);
	const unaimed = isSure ? "" : "a side was not full: does not count";
	const judged = row === "send" ? verdict(ratio.median >= aim, isSure) : unaimed;
	return [rowTitle(row, push), spreadText(ratio, 2), target, judged];
}

/** Messages per CPU-second of each relay beside HAProxy's in TCP mode. */
export function ratioTable(results: RelayResults, extents: readonly Extent[]): Table {
	return [
		["relay", "clients", "outstanding", "× HAProxy TCP", "target", "verdict"],
		...extents.flatMap((extent) => {
			const size = [String(extent.clients), String(extent.outstanding)];
			const rows = RELAY_ROWS.filter((row) => row !== "haproxy" || results.missing.has(row)).map((row) => {
				const [title = "", ...others] = ratioRow(row, extent, results);
				return [title, ...size, ...others];
			});
			const known = extent.outstanding === 1 ? DOTNETIFY_RATIOS.get(extent.clients) : undefined;
			if (known === undefined) return rows;
			const source = ["dotNetify's C# proxy", ...size, known.ratio.toFixed(2), "", DOTNETIFY_SOURCE];
			return [...rows, source, dotNetifyRow(extent, results, known)];
		}),
	];
}

/** Ours beside dotNetify's C# proxy, by way of HAProxy. */
function dotNetifyRow(
	extent: Extent,
	{ push, trials }: RelayResults,
	{ ratio, aim }: { readonly ratio: number; readonly aim: number },
): string[] {
	const named = (row: RelayRow): TrialResult | undefined =>
		trials.find(({ trial }) => trial.name === relayTrial(row, extent, push).name);
	const [own, base] = [named("send"), named("haproxy")];
	const head = ["ours: × dotNetify's C# proxy", String(extent.clients), String(extent.outstanding)];
	if (!own || !base) return [...head, "-", `≥ ${aim}`, ""];
	const found = ratioOf(own, base).median / ratio;
	const judged = verdict(found >= aim, isFilled(own) && isFilled(base));
	return [...head, `${found.toFixed(1)} × that`, `≥ ${aim}`, judged];
}

/** What a relay that has nothing else to do adds to a round trip. */
export function latencyTable(latencies: readonly Latency[]): Table {
	return [
		["relay", "direct, p50 µs", "through it, p50 µs", "added µs", "target", "verdict"],
		...latencies.map(({ title, directUs, throughUs, addedUs, isOurs }) => [
			...[title, spreadText(directUs, 0), spreadText(throughUs, 0), spreadText(addedUs, 0)],
			...(isOurs ? [`≤ ${ADDED_US}`, verdict(addedUs.median <= ADDED_US, true)] : ["", ""]),
		]),
	];
}

/** Clients can find room that those before them have left: then their heap is more than what the process grows by. */
function memoryRow(what: string, bytes: IdleBytes | undefined, most: number): string[] {
	const target = `≤ ${most / 1024}`;
	if (!bytes) return [what, target, "-", "not measured"];
	const found = Math.max(bytes.resident.median, bytes.heap.median);
	return [what, target, (found / 1024).toFixed(1), verdict(found <= most, true)];
}

/** What an idle client may cost at both ends of the link. */
export function memoryTable({ bytes, otherBytes }: IdleResult): Table {
	return [
		["KiB per idle client", "target", "found", "verdict"],
		memoryRow("at the proxy", bytes, PROXY_BYTES),
		memoryRow("at the app server, without view models", otherBytes, APP_SERVER_BYTES),
	];
}
