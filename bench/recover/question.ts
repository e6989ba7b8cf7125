import { markdown, spreadText, type Table } from "../report.js";
import type { Sizes } from "../settings.js";
import { type Spread, spreadOf } from "../trial.js";
import type { ProbeResult } from "./job.js";
import { type Recovery, recoverOnce, type Shape } from "./recovery.js";

/** Within which every view is to be current, counted from the first link up, in milliseconds. */
const RECOVERY_TARGET_MS = 5_000;

const HOW = `Clients show view models through one proxy. The app server is killed (SIGKILL) and started again at the same port; nothing is pinned to
a core. Time counts from the moment when the proxy has its first link to the new process until the last view shows what that process has made.
Meanwhile ten clients with connections of their own to the app server, and ten of a hub that the proxy answers by itself, call every 20 ms,
whether they have their answers or not. CPU: of the proxy from the death on, of the app server from when it listens. Heap and buffers are
read after a collection, before the death and after the recovery; "most" is the most resident memory that a process has had.`;

/** How long views take to be current again when their app server was killed, and whether others are served meanwhile. */
export async function measureRecovery(sizes: Sizes, say: (line: string) => void): Promise<string> {
	const shapes = shapesOf(sizes.recoveredViews);
	const results = new Map<Shape, Recovery[]>(shapes.map((shape) => [shape, []]));
	for (let round = 0; round < sizes.recoveryRounds; round++)
		for (const [shape, rounds] of results) {
			say(`round ${round + 1} of ${sizes.recoveryRounds}: ${nameOf(shape)}`);
			rounds.push(await recoverOnce(shape));
		}
	const entries = [...results];
	return [
		HOW,
		markdown(timeTable(entries)),
		`### Calls of others meanwhile\n\n${markdown(callTable(entries))}`,
		`### Memory\n\n${markdown(memoryTable(entries))}`,
	].join("\n\n");
}

/** One view model for each client, and five. */
function shapesOf(views: number): Shape[] {
	return [1, 5].map((viewsEach) => ({ clients: views / viewsEach, viewsEach }));
}

function nameOf({ clients, viewsEach }: Shape): string {
	return `${clients} clients with ${viewsEach} each`;
}

type Results = readonly (readonly [Shape, readonly Recovery[]])[];

function of(rounds: readonly Recovery[], value: (recovery: Recovery) => number): Spread {
	return spreadOf(rounds.map(value));
}

function timeTable(results: Results): Table {
	return [
		[
			"row",
			"views",
			"clients lost",
			"ms to the first",
			"ms to the last",
			"CPU-s proxy",
			"CPU-s app server",
			"verdict",
		],
		...results.map(([shape, rounds]) => {
			const last = of(rounds, ({ lastMs }) => lastMs);
			const lost = rounds.reduce((sum, { ended }) => sum + ended, 0);
			const isReached = lost === 0 && last.max <= RECOVERY_TARGET_MS;
			return [
				...[nameOf(shape), String(shape.clients * shape.viewsEach), String(lost)],
				...[
					spreadText(
						of(rounds, ({ firstMs }) => firstMs),
						0,
					),
					spreadText(last, 0),
				],
				spreadText(
					of(rounds, ({ proxy }) => proxy.cpuSeconds),
					1,
				),
				spreadText(
					of(rounds, ({ app }) => app.cpuSeconds),
					1,
				),
				`${isReached ? "reached" : "**falls short**"}: ${RECOVERY_TARGET_MS} ms`,
			];
		}),
	];
}

function callTable(results: Results): Table {
	return [
		["row", "answered by", "calls, all answered", "p50 ms", "p99 ms", "longest ms"],
		...results.flatMap(([shape, rounds]) =>
			(rounds[0]?.probes ?? []).map(({ name }, at) => {
				const spread = (value: (probe: ProbeResult) => number | null, digits: number): string =>
					spreadText(
						of(rounds, ({ probes }) => {
							const probe = probes[at];
							return (probe && value(probe)) ?? Number.NaN;
						}),
						digits,
					);
				return [
					...[nameOf(shape), name, spread(({ calls }) => calls, 0), spread(({ p50Ms }) => p50Ms, 1)],
					...[spread(({ p99Ms }) => p99Ms, 1), spread(({ maxMs }) => maxMs, 1)],
				];
			}),
		),
	];
}

const MIB = 1024 * 1024;

function memoryTable(results: Results): Table {
	return [
		["row", "process", "MiB of heap and buffers before", "after", "most MiB resident"],
		...results.flatMap(([shape, rounds]) =>
			(["proxy", "app"] as const).map((process) => {
				const mib = (value: (recovery: Recovery) => number): string =>
					spreadText(
						of(rounds, (recovery) => value(recovery) / MIB),
						0,
					);
				return [
					...[nameOf(shape), process === "app" ? "app server" : process],
					mib((recovery) => recovery[process].heapBefore),
					mib((recovery) => recovery[process].heapAfter),
					mib((recovery) => recovery[process].peakResident),
				];
			}),
		),
	];
}
