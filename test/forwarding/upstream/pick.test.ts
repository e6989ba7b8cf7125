import assert from "node:assert/strict";
import { type Candidate, type PickStrategy, pickFunction } from "../../../lib/forwarding/upstream/pick.js";

const candidate = (name: string, change: Partial<Candidate> = {}): Candidate => ({
	...{ name, url: `http://${name}`, clients: 0, delayMs: 0, weight: 1 },
	...change,
});
const keys = Array.from({ length: 3_000 }, (_, at) => `client ${at}`);
const three = ["a", "b", "c"].map((name) => candidate(name));

/** How many keys each instance gets. */
function share(strategy: PickStrategy, candidates: readonly Candidate[]): Record<string, number> {
	const pick = pickFunction({ strategy, maxDelayMs: 70 });
	const found: Record<string, number> = {};
	for (const key of keys) {
		const name = pick(key, candidates)?.name ?? "nobody";
		found[name] = (found[name] ?? 0) + 1;
	}
	return found;
}

describe("forwarding/upstream/pick", () => {
	it("spreads keys by rendezvous, each always to the same, in whatever order they stand", () => {
		const counts = Object.values(share("rendezvous", three));
		assert.equal(counts.length, 3);
		for (const count of counts) assert.ok(count > 850 && count < 1_150, String(counts));
		const pick = pickFunction({ strategy: "rendezvous", maxDelayMs: 70 });
		for (const key of keys) assert.equal(pick(key, three), pick(key, [...three].reverse()));
	});

	it("moves only the keys of the instance that goes", () => {
		const pick = pickFunction({ strategy: "rendezvous", maxDelayMs: 70 });
		const left = three.slice(0, 2);
		for (const key of keys) {
			const before = pick(key, three);
			if (before !== three[2]) assert.equal(pick(key, left), before);
		}
	});

	it("gives by weight", () => {
		const { a = 0, b = 0 } = share("weighted", [candidate("a", { weight: 3 }), candidate("b")]);
		assert.ok(a > 2_100 && a < 2_400, String(a));
		assert.equal(a + b, 3_000);
	});

	it("takes each in turn, and each upstream counts for itself", () => {
		assert.deepEqual(share("round-robin", three), { a: 1_000, b: 1_000, c: 1_000 });
		assert.equal(pickFunction({ strategy: "round-robin", maxDelayMs: 70 })("x", three)?.name, "a");
	});

	it("takes the one with the fewest clients, the first of equals", () => {
		const pick = pickFunction({ strategy: "least-connections", maxDelayMs: 70 });
		const candidates = [
			candidate("a", { clients: 5 }),
			candidate("b", { clients: 2 }),
			candidate("c", { clients: 2 }),
		];
		assert.equal(pick("x", candidates)?.name, "b");
	});

	it("spares one that is late while another is well, where a client may have any", () => {
		const late = [candidate("a", { delayMs: 71 }), candidate("b", { clients: 9, delayMs: 70 })];
		for (const strategy of ["round-robin", "random", "least-connections"] as const) {
			assert.deepEqual(share(strategy, late), { b: 3_000 });
			const all = late.map((each) => ({ ...each, delayMs: 100 }));
			assert.ok((share(strategy, all)["a"] ?? 0) > 1_000, "it is better than none");
		}
		for (const strategy of ["rendezvous", "weighted"] as const)
			assert.deepEqual(Object.keys(share(strategy, late)).toSorted(), ["a", "b"]);
	});

	it("takes any at random, and whatever a function says", () => {
		const found = share("random", three);
		assert.deepEqual(Object.keys(found).sort(), ["a", "b", "c"]);
		assert.deepEqual(
			share((_key, [first]) => first, three),
			{ a: 3_000 },
		);
		assert.deepEqual(
			share(() => undefined, three),
			{ nobody: 3_000 },
		);
	});
});
