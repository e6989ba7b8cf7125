import { type Child, OTHER_CORE } from "./children.js";
import type { LoadJob, LoadRequest, Window, WindowResult } from "./load/job.js";
import type { Sizes } from "./settings.js";
import { type Stand, type StandKind, startBallast, startLoad, startStand } from "./stand.js";

/** One row of a table: a job on a stand. */
export interface Trial {
	readonly name: string;
	readonly stand: StandKind;
	readonly job: Omit<LoadJob, "port" | "isSpinning">;
}

/** The median of some rounds, and the least and the most. */
export interface Spread {
	readonly median: number;
	readonly min: number;
	readonly max: number;
}

/** What the rounds of a trial gave. */
export interface TrialResult {
	readonly trial: Trial;
	readonly measured: string;
	/** Messages per CPU-second of the measured process, and of the other server. */
	readonly perCpuSecond: Spread;
	/** The same, round by round: rounds of the same number were made one after the other. */
	readonly perRound: readonly number[];
	readonly otherPerCpuSecond: Spread | undefined;
	readonly perSecond: Spread;
	readonly p50Us: Spread;
	readonly p99Us: Spread;
	/** Shares of a core, medians: 1 is full. */
	readonly busy: { readonly measured: number; readonly other: number; readonly load: number };
	/** Share of the time in which the load's core had work, of whomever. */
	readonly otherCoreBusy: number;
	/** Share of the time in which something else had the measured process's core. */
	readonly kept: number;
}

/** Busier than this, a process sets the pace. */
export const BUSY_SHARE = 0.85;

/** The median and the ends of some values. */
export function spreadOf(values: readonly number[]): Spread {
	const sorted = values.toSorted((a, b) => a - b);
	const [min = 0, max = 0] = [sorted[0], sorted.at(-1)];
	const half = sorted.length / 2;
	const median = ((sorted[Math.floor(half)] ?? min) + (sorted[Math.ceil(half) - 1] ?? min)) / 2;
	return { median, min, max };
}

/** Rounds of the same number met the same machine: their ratios say more than the ratio of medians. */
export function ratioOf(one: TrialResult, other: TrialResult): Spread {
	return spreadOf(one.perRound.map((rate, round) => rate / (other.perRound[round] ?? Number.NaN)));
}

/** Measures trials in turn, round by round, so that whatever else the machine does meets all of them alike. */
export async function runTrials(
	trials: readonly Trial[],
	sizes: Sizes & {
		/** For servers that the load's core could not fill: half of theirs is taken away. */
		readonly hasBallast?: boolean;
	},
	say: (line: string) => void,
): Promise<TrialResult[]> {
	const stands = new Map<StandKind, Stand>();
	let load: Child | undefined;
	let ballast: Child | undefined;
	try {
		load = await startLoad();
		const kinds = [...new Set(trials.map(({ stand }) => stand))];
		await Promise.all(kinds.map(async (kind) => stands.set(kind, await startStand(kind))));
		if (sizes.hasBallast) ballast = await startBallast();
		const results = new Map<Trial, WindowResult[]>(trials.map((trial) => [trial, []]));
		for (let round = -1; round < sizes.rounds; round++) {
			for (const [trial, rounds] of results) {
				say(`${round < 0 ? "warm-up" : `round ${round + 1} of ${sizes.rounds}`}: ${trial.name}`);
				const stand = stands.get(trial.stand);
				if (!stand) continue;
				const result = await runRound(load, stand, trial, {
					warmUpMs: round < 0 ? sizes.warmUpMs : sizes.settleMs,
					windowMs: round < 0 ? sizes.settleMs : sizes.windowMs,
				});
				if (round >= 0) rounds.push(result);
			}
		}
		return [...results].map(([trial, rounds]) => summary(trial, rounds, stands.get(trial.stand)));
	} finally {
		await ballast?.stop();
		await load?.stop();
		await Promise.all([...stands.values()].map((stand) => stand.stop()));
	}
}

/** Connects, measures one window and closes. */
async function runRound(
	load: Child,
	stand: Stand,
	{ job }: Trial,
	times: Omit<Window, "pids">,
): Promise<WindowResult> {
	const pids = [stand.measured.pid, ...(stand.other ? [stand.other.pid] : [])];
	await ask(load, {
		kind: "connect",
		job: { ...job, port: stand.port, isSpinning: stand.other === undefined },
	});
	const result = (await ask(load, { kind: "measure", window: { ...times, pids } })) as WindowResult;
	await ask(load, { kind: "close" });
	return result;
}

/** Asks the load. */
export function ask(load: Child, request: LoadRequest): Promise<unknown> {
	return load.ask(request);
}

/** Its main thread also waits for its own other threads (garbage collection): that is not others' work. */
function keptShare({ processes: [first], seconds }: WindowResult): number {
	if (!first) return 0;
	return Math.max(0, Math.min(first.waitSeconds, seconds - first.cpuSeconds)) / seconds;
}

function summary(trial: Trial, rounds: readonly WindowResult[], stand: Stand | undefined): TrialResult {
	const of = (value: (result: WindowResult) => number): Spread => spreadOf(rounds.map(value));
	const cpu = (index: number) => (result: WindowResult) => result.processes[index]?.cpuSeconds ?? 0;
	const rate = (index: number) => (result: WindowResult) =>
		result.messages / (cpu(index)(result) || Number.NaN);
	const share = (index: number) => of((result) => cpu(index)(result) / result.seconds).median;
	return {
		...{ trial, measured: stand?.measured.name ?? "" },
		perCpuSecond: of(rate(0)),
		perRound: rounds.map(rate(0)),
		otherPerCpuSecond: stand?.other ? of(rate(1)) : undefined,
		perSecond: of(({ messages, seconds }) => messages / seconds),
		p50Us: of(({ p50Us }) => p50Us),
		p99Us: of(({ p99Us }) => p99Us),
		busy: { measured: share(0), other: share(1), load: of(({ loadBusy }) => loadBusy).median },
		otherCoreBusy: of(({ coresBusy }) => coresBusy[OTHER_CORE] ?? 0).median,
		kept: of(keptShare).median,
	};
}
