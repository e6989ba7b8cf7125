import { BenchError } from "./children.js";

/** How much is measured. */
export interface Sizes {
	readonly rounds: number;
	/** Before the first round of a row; what is not compiled yet measures nothing. */
	readonly warmUpMs: number;
	/** Before each round. */
	readonly settleMs: number;
	readonly windowMs: number;
	readonly echoClients: number;
	/** Messages of a client that wait for their answer, and publishes in one turn; a set of rows each. */
	readonly outstanding: readonly number[];
	readonly fanOutClients: readonly number[];
	/** Through relays: numbers of clients, a set of rows each. */
	readonly relayClients: readonly number[];
	readonly idleClients: number;
	/** How long idle clients stay before memory is read. */
	readonly idleSettleMs: number;
	readonly idleRounds: number;
	/** How many of the cases of idle clients, the last ones. */
	readonly idleCases: number;
	/** View models that are to be current again after their app server was killed. */
	readonly recoveredViews: number;
	readonly recoveryRounds: number;
	/** Clients beside one that reads slowly, or floods. */
	readonly neighbours: number;
	/** How often each of them calls. */
	readonly neighbourPauseMs: number;
	readonly neighbourWindowMs: number;
	readonly neighbourWarmUps: number;
	/** Every kind of neighbour is measured, or one that reads slowly and one that floods. */
	readonly withAllNeighbours: boolean;
	/** Side by side with others: numbers of clients, a set of rows each. */
	readonly comparedEchoClients: readonly number[];
	readonly comparedFanOutClients: readonly number[];
	readonly comparedIdleClients: number;
	/** Its server takes a while to build. */
	readonly withAspNet: boolean;
	/** Questions that are asked at the same time: with more than one, no figure means anything. */
	readonly questionsAtOnce: number;
}

const FULL: Sizes = {
	...{ rounds: 5, warmUpMs: 3_000, settleMs: 500, windowMs: 1_500 },
	...{
		outstanding: [1, 8],
		echoClients: 200,
		fanOutClients: [500, 1_000],
		relayClients: [200, 2_000],
		idleClients: 2_000,
		idleSettleMs: 5_000,
		idleRounds: 3,
		idleCases: Number.POSITIVE_INFINITY,
		recoveredViews: 10_000,
		recoveryRounds: 3,
		neighbours: 999,
		neighbourPauseMs: 500,
		neighbourWindowMs: 4_000,
		neighbourWarmUps: 1,
		withAllNeighbours: true,
		comparedEchoClients: [200, 2_000],
		comparedFanOutClients: [1_000, 5_000],
		comparedIdleClients: 5_000,
		withAspNet: true,
		questionsAtOnce: 1,
	},
};

const QUICK: Sizes = {
	...FULL,
	...{ rounds: 3, warmUpMs: 1_500, settleMs: 200, windowMs: 700, fanOutClients: [1_000] },
	...{
		idleSettleMs: 2_000,
		idleRounds: 1,
		recoveryRounds: 1,
		neighbourWindowMs: 1_500,
		comparedIdleClients: 2_000,
		comparedEchoClients: [200],
		comparedFanOutClients: [1_000],
	},
};

/** Proves that everything works and measures nothing. */
const SMOKE: Sizes = {
	...{ rounds: 1, warmUpMs: 20, settleMs: 10, windowMs: 50, idleSettleMs: 10, idleRounds: 1 },
	...{
		outstanding: [2],
		echoClients: 10,
		fanOutClients: [20],
		relayClients: [10],
		idleClients: 50,
		idleCases: 1,
		recoveredViews: 50,
		recoveryRounds: 1,
		neighbours: 10,
		neighbourPauseMs: 10,
		neighbourWindowMs: 50,
		neighbourWarmUps: 0,
		withAllNeighbours: false,
	},
	...{ comparedEchoClients: [10], comparedFanOutClients: [20], comparedIdleClients: 50, withAspNet: false },
	questionsAtOnce: 3,
};

/** The questions, in the order in which they are answered. */
export const QUESTIONS = [
	"echo",
	"fan-out",
	"link",
	"relay",
	"relay-idle",
	"idle",
	"recover",
	"neighbours",
	"side-by-side",
] as const;
export type Question = (typeof QUESTIONS)[number];

/** What the command line asks for. */
export interface Settings {
	readonly sizes: Sizes;
	readonly mode: "full" | "quick" | "smoke";
	readonly questions: readonly Question[];
	readonly isWriting: boolean;
	/** Says where our proxy's time goes, instead of how much it is. */
	readonly isProfiling: boolean;
}

/** What to type, for people who typed something else. */
export const USAGE = `npm run bench [-- [--quick | --smoke] [--write] [${QUESTIONS.join(" ")}]], or npm run bench -- [--quick] --profile`;

const FLAGS = ["--quick", "--smoke", "--write", "--profile"];

/** Reads the command line. @throws BenchError for what is not known. */
export function parseSettings(parameters: readonly string[]): Settings {
	const names = parameters.filter((parameter) => !parameter.startsWith("--"));
	const unknown = [
		...parameters.filter((name) => name.startsWith("--") && !FLAGS.includes(name)),
		...names.filter((name) => !QUESTIONS.some((question) => question === name)),
	];
	if (unknown.length > 0) throw new BenchError(`unknown parameter "${unknown[0]}". Usage: ${USAGE}`);
	const mode = parameters.includes("--smoke") ? "smoke" : parameters.includes("--quick") ? "quick" : "full";
	const isProfiling = parameters.includes("--profile");
	const asked = QUESTIONS.filter((question) => names.length === 0 || names.includes(question));
	const questions = isProfiling && names.length === 0 ? (["relay"] as const) : asked;
	const isWriting = parameters.includes("--write");
	if (isWriting && mode === "smoke") throw new BenchError("--smoke measures nothing that could be written");
	if (isProfiling && (isWriting || questions.join() !== "relay"))
		throw new BenchError("--profile is about relay, and nothing that is written down");
	return { mode, questions, isWriting, isProfiling, sizes: { full: FULL, quick: QUICK, smoke: SMOKE }[mode] };
}
