import type { IdleResult } from "../idle.js";
import { isFilled, spreadText, type Table } from "../report.js";
import type { StandKind } from "../stand.js";
import { ratioOf, type TrialResult } from "../trial.js";

/** From here on a number of clients is a large one. */
const MANY_CLIENTS = 1_000;
const IDLE_BYTES = 10 * 1024;
const CONNECTS_PER_CPU_SECOND = 6_300;

/** All that was measured side by side. */
export interface Comparison {
	readonly echo: readonly TrialResult[];
	readonly fanOut: readonly TrialResult[];
	readonly idle: readonly IdleResult[];
}

/** What a row of ours must reach beside the same row of somebody else. */
interface Aim {
	readonly than: StandKind;
	readonly name: string;
	readonly factor: number;
}

const JSON_WORK: Aim = { than: "ws-json", name: "bare `ws` doing the same JSON work", factor: 0.85 };
const ASPNET: Aim = { than: "aspnet", name: "ASP.NET Core", factor: 1 };
const SOCKET_IO: Aim = { than: "socket-io", name: "Socket.IO", factor: 1 };
const NAIVE: Aim = { than: "ws", name: "a naive `ws` send loop", factor: 1.25 };

function echoAims({ clients, outstanding }: TrialResult["trial"]["job"]): Aim[] {
	if (outstanding > 1) return [ASPNET, SOCKET_IO];
	return [JSON_WORK, { ...ASPNET, factor: clients >= MANY_CLIENTS ? 1.5 : 1.2 }, SOCKET_IO];
}

function fanOutAims({ outstanding }: TrialResult["trial"]["job"]): Aim[] {
	return [{ ...NAIVE, factor: outstanding > 1 ? 4 : 1.25 }, ASPNET, SOCKET_IO];
}

function twinOf(ours: TrialResult, stand: StandKind, all: readonly TrialResult[]): TrialResult | undefined {
	const { clients, outstanding } = ours.trial.job;
	return all.find(
		({ trial }) =>
			trial.stand === stand && trial.job.clients === clients && trial.job.outstanding === outstanding,
	);
}

/** What of a target is reached; a figure that does not count says so. */
export function verdict(isReached: boolean, isSure: boolean): string {
	return `${isReached ? "reached" : "**short**"}${isSure ? "" : " (a side was not full: does not count)"}`;
}

function rows(all: readonly TrialResult[], aimsOf: (job: TrialResult["trial"]["job"]) => Aim[]): string[][] {
	const ours = all.filter(({ trial }) => trial.stand === "direct" && trial.job.protocol === "json");
	return ours.flatMap((result) =>
		aimsOf(result.trial.job).map(({ than, name, factor }) => {
			const what = `${result.trial.job.mode}: ${result.trial.name} / ${name}`;
			const aim = factor === 1 ? "> 1.00" : `≥ ${factor.toFixed(2)}`;
			const other = twinOf(result, than, all);
			if (!other) return [what, aim, "-", "not measured"];
			const ratio = ratioOf(result, other);
			const { median } = ratio;
			const found = spreadText(ratio, 2);
			const isReached = factor === 1 ? median > 1 : median >= factor;
			return [what, aim, found, verdict(isReached, isFilled(result) && isFilled(other))];
		}),
	);
}

function idleTargets(idle: readonly IdleResult[]): string[][] {
	const ours = idle.find(({ one }) => one.stand === "direct");
	if (!ours) return [];
	const [bytes, connects] = [ours.bytes.resident.median, ours.connectsPerCpuSecond.median];
	return [
		[
			...["KiB per idle connection, ours", `≤ ${IDLE_BYTES / 1024}`, (bytes / 1024).toFixed(1)],
			verdict(bytes <= IDLE_BYTES, true),
		],
		[
			...["connects per CPU-second, ours", `≥ ${CONNECTS_PER_CPU_SECOND}`, connects.toFixed(0)],
			verdict(connects >= CONNECTS_PER_CPU_SECOND, true),
		],
	];
}

/** What was to be reached, and what was. */
export function targetTable({ echo, fanOut, idle }: Comparison): Table {
	return [
		["row of ours / row beside it", "target", "found", "verdict"],
		...rows(echo, echoAims),
		...rows(fanOut, fanOutAims),
		...idleTargets(idle),
	];
}
