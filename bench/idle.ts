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

/** What an idle client costs. */
export interface IdleResult {
	readonly name: string;
	readonly clients: number;
	/** Resident memory per client after garbage collection. */
	readonly measuredBytes: Spread;
	readonly otherBytes: Spread | undefined;
	/** How many clients the measured process lets in per CPU-second, with upgrade, handshake and first message. */
	readonly connectsPerCpuSecond: Spread;
	readonly measured: string;
}

const JOIN: Call = { target: "join", isInvoked: true, argumentsOf: () => [] };
const REQUEST: Call = { target: "Request_VM", isInvoked: true, argumentsOf: () => ["Echo", null] };

type IdleCase = readonly [name: string, stand: StandKind, job: Pick<LoadJob, "path" | "protocol" | "setup">];

const CASES: readonly IdleCase[] = [
	["bare `ws`", "ws", { path: "/", protocol: "none", setup: undefined }],
	["direct", "direct", { path: HUB_PATH, protocol: "json", setup: setupOf(JOIN, 1) }],
	[
		"direct, one view model each",
		"direct",
		{ path: VIEW_MODEL_PATH, protocol: "json", setup: setupOf(REQUEST, 2) },
	],
	["proxy", "proxy", { path: HUB_PATH, protocol: "json", setup: setupOf(JOIN, 1) }],
	[
		"proxy, one view model each",
		"proxy",
		{ path: VIEW_MODEL_PATH, protocol: "json", setup: setupOf(REQUEST, 2) },
	],
];

function setupOf(call: Call, answers: number): LoadJob["setup"] {
	return { message: messageOf(call, "json"), answers };
}

/** Memory of clients that do nothing; every round has new processes. */
export async function measureIdle(sizes: Sizes, say: (line: string) => void): Promise<IdleResult[]> {
	const results: IdleResult[] = [];
	for (const one of CASES.slice(-sizes.idleCases)) {
		const rounds: IdleRound[] = [];
		for (let round = 0; round < sizes.idleRounds; round++) {
			say(`round ${round + 1} of ${sizes.idleRounds}: idle clients, ${one[0]}`);
			rounds.push(await idleRound(one, sizes));
		}
		results.push({
			...{ name: one[0], clients: sizes.idleClients, measured: rounds[0]?.measured ?? "" },
			measuredBytes: spreadOf(rounds.map(({ bytes: [first] }) => first ?? 0)),
			otherBytes:
				one[1] === "proxy" ? spreadOf(rounds.map(({ bytes: [, second] }) => second ?? 0)) : undefined,
			connectsPerCpuSecond: spreadOf(rounds.map(({ connects }) => connects)),
		});
	}
	return results;
}

interface IdleRound {
	readonly measured: string;
	readonly bytes: readonly number[];
	readonly connects: number;
}

async function idleRound([, kind, job]: IdleCase, sizes: Sizes): Promise<IdleRound> {
	let stand: Stand | undefined;
	let load: Child | undefined;
	try {
		stand = await startStand(kind);
		load = await startLoad();
		const whole: LoadJob = {
			...{ ...job, port: stand.port, mode: "idle", isSpinning: false },
			...{ messages: [], outstanding: 0, answers: 0, clients: sizes.idleClients },
		};
		// What the first clients bring into memory is code.
		await ask(load, { kind: "connect", job: { ...whole, clients: Math.min(FIRST_CLIENTS, whole.clients) } });
		await ask(load, { kind: "close" });
		const before = await settledBytes(stand, sizes.idleSettleMs);
		const cpu = processTimes(stand.measured.pid).cpuSeconds;
		await ask(load, { kind: "connect", job: whole });
		const connects = whole.clients / (processTimes(stand.measured.pid).cpuSeconds - cpu);
		const after = await settledBytes(stand, sizes.idleSettleMs);
		const bytes = after.map((value, index) => (value - (before[index] ?? 0)) / whole.clients);
		return { measured: stand.measured.name, bytes, connects };
	} finally {
		await load?.stop();
		await stand?.stop();
	}
}

async function settledBytes({ measured, other }: Stand, settleMs: number): Promise<number[]> {
	await wait(settleMs);
	const children = other ? [measured, other] : [measured];
	for (let k = 0; k < COLLECTIONS; k++) for (const child of children) await child.ask({ kind: "collect" });
	return children.map(({ pid }) => residentBytes(pid));
}
