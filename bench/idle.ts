import { setTimeout as wait } from "node:timers/promises";
import type { Child } from "./children.js";
import type { LoadJob } from "./load/job.js";
import { processTimes, residentBytes } from "./load/process-share.js";
import { type Call, messageOf } from "./messages.js";
import type { Sizes } from "./settings.js";
import { type Stand, type StandKind, startLoad, startStand } from "./stand.js";
import { HUB_PATH, VIEW_MODEL_PATH } from "./subject/role.js";
import { ask, type Spread, spreadOf } from "./trial.js";

const FIRST_CLIENTS = 100;
const COLLECTIONS = 3;
/**
 * V8's young generation stays small while memory is measured: it grows, and shrinks, by more than thousands of clients take,
 * and is no client's.
 */
const SMALL_YOUNG_GENERATION: readonly string[] = ["--max-semi-space-size=1"];
/** Connects before those that are measured: what is not compiled yet measures nothing. */
const COLD_CYCLES = 2;
const MEASURED_CYCLES = 2;

/** What the figures are. */
export const HOW_MEMORY = `Resident memory for each client that comes when as many are there already, after garbage
collection, of processes whose young generation stays small (\`--max-semi-space-size=1\`): it grows once, by some 30 MiB, when many
connect at a time, which would count as memory of the first thousands.`;

/** Bytes per client of one process, after garbage collection. */
export interface IdleBytes {
	/** Resident memory for each client that comes when as many are there already. */
	readonly resident: Spread;
	/** What of it the collector's heap and buffers hold. */
	readonly heap: Spread;
	/** Resident memory for each of the first ones: with them comes what a process takes once, such as compiled code. */
	readonly first: Spread;
}

/** What an idle client costs. */
export interface IdleResult {
	readonly one: IdleCase;
	readonly clients: number;
	readonly bytes: IdleBytes;
	/** Of the server behind the measured one. */
	readonly otherBytes: IdleBytes | undefined;
	/** How many clients the measured process lets in per CPU-second, with upgrade and handshake, when it is warm. */
	readonly connectsPerCpuSecond: Spread;
	readonly measured: string;
}

const JOIN: Call = { target: "join", isInvoked: true, argumentsOf: () => [] };
const REQUEST: Call = { target: "Request_VM", isInvoked: true, argumentsOf: () => ["Echo", null] };

/** Clients that say one thing, and then nothing. */
export interface IdleCase {
	readonly name: string;
	readonly stand: StandKind;
	readonly job: Pick<LoadJob, "path" | "protocol" | "setup">;
}

/** What every hub's client says first. */
export const JOINING: LoadJob["setup"] = setupOf(JOIN, 1);
const VIEWING: Omit<IdleCase, "name" | "stand"> = {
	job: { path: VIEW_MODEL_PATH, protocol: "json", setup: setupOf(REQUEST, 2) },
};

/** A bare WebSocket server, which others are compared with. */
export const BARE_CASE: IdleCase = {
	name: "bare `ws`",
	stand: "ws",
	job: { path: "/", protocol: "none", setup: undefined },
};

/** Ours, without a proxy. */
export const DIRECT_CASE: IdleCase = {
	name: "direct",
	stand: "direct",
	job: { path: HUB_PATH, protocol: "json", setup: JOINING },
};

/** Ours in all its forms. */
export const IDLE_CASES: readonly IdleCase[] = [
	BARE_CASE,
	DIRECT_CASE,
	{ name: "direct, one view model each", stand: "direct", ...VIEWING },
	{ ...DIRECT_CASE, name: "proxy", stand: "proxy" },
	{ name: "proxy, one view model each", stand: "proxy", ...VIEWING },
];

function setupOf(call: Call, answers: number): LoadJob["setup"] {
	return { message: messageOf(call, "json"), answers };
}

/** Memory of clients that do nothing; every round has new processes. */
export async function measureIdle(
	cases: readonly IdleCase[],
	sizes: Sizes,
	say: (line: string) => void,
): Promise<IdleResult[]> {
	const results = new Map<IdleCase, IdleRound[]>(cases.slice(-sizes.idleCases).map((one) => [one, []]));
	for (let round = 0; round < sizes.idleRounds; round++) {
		for (const [one, rounds] of results) {
			say(`round ${round + 1} of ${sizes.idleRounds}: idle clients, ${one.name}`);
			rounds.push(await idleRound(one, sizes));
		}
	}
	return [...results].map(([one, rounds]) => summary(one, rounds, sizes.idleClients));
}

function summary(one: IdleCase, rounds: readonly IdleRound[], clients: number): IdleResult {
	return {
		...{ one, clients, measured: rounds[0]?.measured ?? "" },
		bytes: bytesOf(rounds.map(({ memory: [measured] }) => measured)),
		otherBytes: one.stand === "proxy" ? bytesOf(rounds.map(({ memory: [, other] }) => other)) : undefined,
		connectsPerCpuSecond: spreadOf(rounds.flatMap(({ connects }) => connects)),
	};
}

function bytesOf(rounds: readonly (Growth | undefined)[]): IdleBytes {
	return {
		resident: spreadOf(rounds.map((growth) => growth?.further.resident ?? 0)),
		heap: spreadOf(rounds.map((growth) => growth?.further.heap ?? 0)),
		first: spreadOf(rounds.map((growth) => growth?.first.resident ?? 0)),
	};
}

/** Bytes, of a process or of each client. */
interface Memory {
	readonly resident: number;
	readonly heap: number;
}

/** How a process grows with the first clients, and with as many more; per client. */
interface Growth {
	readonly first: Memory;
	readonly further: Memory;
}

interface IdleRound {
	readonly measured: string;
	/** Of the measured process, and of the other server. */
	readonly memory: readonly Growth[];
	readonly connects: readonly number[];
}

async function idleRound(one: IdleCase, sizes: Sizes): Promise<IdleRound> {
	const memory = await onStand(one, { sizes, flags: SMALL_YOUNG_GENERATION }, (stand, load, job) =>
		memoryPerClient(stand, load, { job, settleMs: sizes.idleSettleMs }),
	);
	return onStand(one, { sizes }, async (stand, load, job) => ({
		measured: stand.measured.name,
		memory,
		connects: await connectRates(stand, load, { job, settleMs: sizes.settleMs }),
	}));
}

async function onStand<T>(
	{ stand: kind, job }: IdleCase,
	{ sizes, flags }: { readonly sizes: Sizes; readonly flags?: readonly string[] },
	measure: (stand: Stand, load: Child, job: LoadJob) => Promise<T>,
): Promise<T> {
	let stand: Stand | undefined;
	let load: Child | undefined;
	try {
		stand = await startStand(kind, flags);
		load = await startLoad();
		const whole: LoadJob = {
			...{ ...job, port: stand.port, mode: "idle", isSpinning: false },
			...{ messages: [], outstanding: 0, answers: 0, clients: sizes.idleClients },
		};
		return await measure(stand, load, whole);
	} finally {
		await load?.stop();
		await stand?.stop();
	}
}

interface Measuring {
	readonly job: LoadJob;
	readonly settleMs: number;
}

async function connectRates(stand: Stand, load: Child, { job, settleMs }: Measuring): Promise<number[]> {
	const rates: number[] = [];
	for (let cycle = 0; cycle < COLD_CYCLES + MEASURED_CYCLES; cycle++) {
		await wait(settleMs);
		const rate = await connectRate(stand, load, { ...job, setup: undefined });
		if (cycle >= COLD_CYCLES) rates.push(rate);
	}
	return rates;
}

async function memoryPerClient(stand: Stand, load: Child, { job, settleMs }: Measuring): Promise<Growth[]> {
	// What the first clients bring into memory is code.
	await ask(load, { kind: "connect", job: { ...job, clients: Math.min(FIRST_CLIENTS, job.clients) } });
	await ask(load, { kind: "close" });
	const none = await settledMemory(stand, settleMs);
	await ask(load, { kind: "connect", job });
	const some = await settledMemory(stand, settleMs);
	await ask(load, { kind: "connect", job });
	const all = await settledMemory(stand, settleMs);
	await ask(load, { kind: "close" });
	return all.map((last, at) => ({
		first: growthOf(none[at], some[at], job.clients),
		further: growthOf(some[at], last, job.clients),
	}));
}

function growthOf(before: Memory | undefined, after: Memory | undefined, clients: number): Memory {
	const grown = (bytes: (memory: Memory) => number): number =>
		((after ? bytes(after) : 0) - (before ? bytes(before) : 0)) / clients;
	return { resident: grown(({ resident }) => resident), heap: grown(({ heap }) => heap) };
}

async function connectRate({ measured }: Stand, load: Child, job: LoadJob): Promise<number> {
	const before = processTimes(measured.pid).cpuSeconds;
	await ask(load, { kind: "connect", job });
	const rate = job.clients / (processTimes(measured.pid).cpuSeconds - before);
	await ask(load, { kind: "close" });
	return rate;
}

async function settledMemory({ measured, other }: Stand, settleMs: number): Promise<Memory[]> {
	await wait(settleMs);
	const children = other ? [measured, other] : [measured];
	let heaps: unknown[] = [];
	for (let k = 0; k < COLLECTIONS; k++) {
		heaps = [];
		for (const child of children) heaps.push(await child.ask({ kind: "collect" }));
	}
	return children.map(({ pid }, index) => ({ resident: residentBytes(pid), heap: Number(heaps[index]) }));
}
