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
/** Connects before those that are measured: what is not compiled yet measures nothing. */
const COLD_CYCLES = 1;
const MEASURED_CYCLES = 2;

/** What an idle client costs. */
export interface IdleResult {
	readonly one: IdleCase;
	readonly clients: number;
	/** Resident memory per client after garbage collection. */
	readonly measuredBytes: Spread;
	/** What of it the collector's heap and buffers hold. */
	readonly heapBytes: Spread;
	readonly otherBytes: Spread | undefined;
	readonly otherHeapBytes: Spread | undefined;
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
	const atOther = (bytes: (memory: Memory) => number): Spread | undefined =>
		one.stand === "proxy"
			? spreadOf(rounds.map(({ memory: [, other] }) => (other ? bytes(other) : 0)))
			: undefined;
	return {
		...{ one, clients, measured: rounds[0]?.measured ?? "" },
		measuredBytes: spreadOf(rounds.map(({ memory: [first] }) => first?.resident ?? 0)),
		heapBytes: spreadOf(rounds.map(({ memory: [first] }) => first?.heap ?? 0)),
		otherBytes: atOther(({ resident }) => resident),
		otherHeapBytes: atOther(({ heap }) => heap),
		connectsPerCpuSecond: spreadOf(rounds.flatMap(({ connects }) => connects)),
	};
}

/** Bytes, of a process or of each client. */
interface Memory {
	readonly resident: number;
	readonly heap: number;
}

interface IdleRound {
	readonly measured: string;
	/** Per client; of the measured process, and of the other server. */
	readonly memory: readonly Memory[];
	readonly connects: readonly number[];
}

async function idleRound({ stand: kind, job }: IdleCase, sizes: Sizes): Promise<IdleRound> {
	let stand: Stand | undefined;
	let load: Child | undefined;
	try {
		stand = await startStand(kind);
		load = await startLoad();
		const whole: LoadJob = {
			...{ ...job, port: stand.port, mode: "idle", isSpinning: false },
			...{ messages: [], outstanding: 0, answers: 0, clients: sizes.idleClients },
		};
		const memory = await memoryPerClient(stand, load, { job: whole, settleMs: sizes.idleSettleMs });
		const connects: number[] = [];
		for (let cycle = 0; cycle < COLD_CYCLES + MEASURED_CYCLES; cycle++) {
			await wait(sizes.settleMs);
			const rate = await connectRate(stand, load, { ...whole, setup: undefined });
			if (cycle >= COLD_CYCLES) connects.push(rate);
		}
		return { measured: stand.measured.name, memory, connects };
	} finally {
		await load?.stop();
		await stand?.stop();
	}
}

async function memoryPerClient(
	stand: Stand,
	load: Child,
	{ job, settleMs }: { readonly job: LoadJob; readonly settleMs: number },
): Promise<Memory[]> {
	// What the first clients bring into memory is code.
	await ask(load, { kind: "connect", job: { ...job, clients: Math.min(FIRST_CLIENTS, job.clients) } });
	await ask(load, { kind: "close" });
	const before = await settledMemory(stand, settleMs);
	await ask(load, { kind: "connect", job });
	const after = await settledMemory(stand, settleMs);
	await ask(load, { kind: "close" });
	return after.map(({ resident, heap }, index) => ({
		resident: (resident - (before[index]?.resident ?? 0)) / job.clients,
		heap: (heap - (before[index]?.heap ?? 0)) / job.clients,
	}));
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
