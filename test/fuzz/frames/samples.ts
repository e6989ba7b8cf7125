import type { Random } from "./random.js";

/** Methods of the hub under test, one it has not, and names that every object has. */
const TARGETS = [
	"echo",
	"add",
	"fail",
	"join",
	"leave",
	"tell",
	"count",
	"sum",
	"double",
	"ask",
	"checked",
] as const;
const ODD_TARGETS = ["nope", "constructor", "__proto__", "toString", "ECHO", ""] as const;

/** A hub message as fields; how they are written is another thing. */
export interface Sample {
	readonly type: number;
	readonly invocationId?: string;
	readonly target?: string;
	readonly arguments?: readonly unknown[];
	readonly streamIds?: readonly string[];
	readonly headers?: object;
	readonly item?: unknown;
	readonly result?: unknown;
	readonly error?: string;
	readonly sequenceId?: number;
	readonly allowReconnect?: boolean;
}

type Maker = (random: Random) => Sample;

function id(random: Random): string {
	return String(random.below(8));
}

function argumentsOf(target: string, random: Random): unknown[] {
	if (target === "add") return [random.below(100), random.below(100)];
	if (target === "count") return [random.below(20)];
	if (target === "checked") return [{ name: "Ada", age: 36 }];
	if (target === "echo") return [{ text: "Ada", list: [1, 2.5, null], deep: { a: [true] } }];
	return target === "tell" || target === "join" || target === "leave" ? ["room"] : [];
}

function targetOf(random: Random): string {
	return random.once(8) ? random.pick(ODD_TARGETS) : random.pick(TARGETS);
}

const MAKERS: readonly [Maker, ...Maker[]] = [
	(random) => {
		const target = targetOf(random);
		return { type: 1, invocationId: id(random), target, arguments: argumentsOf(target, random) };
	},
	(random) => {
		const target = targetOf(random);
		return { type: 1, target, arguments: argumentsOf(target, random), headers: { a: "b" } };
	},
	(random) => {
		const target = random.pick(["count", "double", "echo"]);
		const streamIds = target === "double" ? [id(random)] : [];
		return { type: 4, invocationId: id(random), target, arguments: argumentsOf(target, random), streamIds };
	},
	(random) => ({ type: 1, invocationId: id(random), target: "sum", arguments: [], streamIds: [id(random)] }),
	(random) => ({ type: 2, invocationId: id(random), item: random.below(100) }),
	(random) => ({ type: 3, invocationId: id(random), result: 1 }),
	(random) => ({ type: 3, invocationId: id(random), error: "boo" }),
	(random) => ({ type: 3, invocationId: id(random) }),
	(random) => ({ type: 3, invocationId: `s${random.below(1_000)}`, result: "mine" }),
	(random) => ({ type: 5, invocationId: id(random) }),
	() => ({ type: 6 }),
	(random) => ({ type: 8, sequenceId: random.below(10) }),
	(random) => ({ type: 9, sequenceId: random.below(10) }),
	(random) => ({ type: 10 + random.below(300) }),
];

/** A message that a stock client could send; once in a while it is the last one of its connection. */
export function sample(random: Random): Sample {
	if (random.once(60)) return { type: 7, allowReconnect: random.once(2) };
	return random.pick(MAKERS)(random);
}
