import assert from "node:assert/strict";
import type { Neighbour, Phase } from "../../../bench/neighbours/street.js";
import { NOBODY, type Rounds, targetTable } from "../../../bench/neighbours/tables.js";

const SLOW: Neighbour = { title: "a slow reader", kind: "slow-state" };
const FLOODER: Neighbour = { title: "a flooder", kind: "flooder" };
const PAST: Neighbour = { title: "a flooder past the proxy", kind: "flooder", isPast: true };
const MIB = 1024 * 1024;

type Parts = Partial<Pick<Phase, "resident" | "heap">> & { readonly strangers?: number };

function phaseOf(p99Ms: number, { strangers = 0, ...parts }: Parts = {}): Phase {
	return {
		...{ seconds: 1, resident: 0, heap: 0, held: 0, sent: 0, handled: 0, isEnded: false, ...parts },
		probes: [{ name: "through the proxy", calls: 1, p50Ms: 1, p99Ms, maxMs: 1 }],
		busy: { proxy: 0, proxyStrangers: 0, app: 0, callers: 0, neighbour: 0, strangers },
	};
}

/** What is said of the targets, without what they are called. */
function judged(rounds: Rounds): (readonly string[])[] {
	return targetTable(rounds)
		.slice(1)
		.map((row) => row.slice(1));
}

describe("bench/neighbours/tables", () => {
	it("compares what met the same round, not medians, and judges no flooder that the proxy never sees", () => {
		const rounds: Rounds = new Map([
			[NOBODY, [1, 10, 2].map((p99) => phaseOf(p99))],
			[FLOODER, [1.4, 11, 4].map((p99) => phaseOf(p99))],
			[PAST, [9, 9, 9].map((p99) => phaseOf(p99))],
		]);
		assert.deepEqual(judged(rounds), [["< 1.50", "1.40 (1.10-2.00)", "reached"]]);
	});

	it("counts what a slow reader holds in room that was left to it, and says where a target is missed", () => {
		const rounds: Rounds = new Map([
			[NOBODY, [phaseOf(2, { resident: 100 * MIB, heap: 20 * MIB })]],
			[SLOW, [phaseOf(3, { resident: 100 * MIB, heap: 21.5 * MIB })]],
		]);
		assert.deepEqual(judged(rounds), [
			["unchanged: ≤ 1.10", "1.50 (1.50-1.50)", "**short**"],
			["< 2", "1.50 (1.50-1.50)", "reached"],
		]);
	});

	it("does not count a ratio that work of others has spoiled", () => {
		const rounds: Rounds = new Map([
			[NOBODY, [phaseOf(1, { strangers: 0.25 })]],
			[FLOODER, [phaseOf(1)]],
		]);
		const said = "reached (others had core 0 for 0%, core 1 for 25%: does not count)";
		assert.deepEqual(judged(rounds), [["< 1.50", "1.00 (1.00-1.00)", said]]);
	});
});
