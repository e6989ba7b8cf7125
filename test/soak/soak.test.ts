import assert from "node:assert/strict";
import { compare, HEAP, isFine, type Lives, table } from "./report.js";
import { soak } from "./soak.js";

const LIVES: Lives = { connections: { some: 100 }, ends: {}, work: {}, faults: {}, notLetIn: {} };

describe("soak/soak", function () {
	this.timeout(60_000);

	it("has work done for every kind of client, and finds nothing left of them", async () => {
		// So short a run says nothing of memory.
		const heapGrowth = Number.POSITIVE_INFINITY;
		// A client that polls must not be given up on a machine that is full.
		const disconnectTimeoutMs = 2_000;
		const settings = { clients: 60, seconds: 4, warmUpSeconds: 2, disconnectTimeoutMs, heapGrowth };
		const { findings, lives } = await soak(settings, () => {});
		assert.deepEqual(lives.faults, {});
		assert.equal(Object.keys(lives.connections).length, 6);
		assert.ok((lives.work["echo"] ?? 0) > 0);
		assert.deepEqual(
			findings.filter((finding) => !finding.isFine),
			[],
		);
		assert.ok(findings.some(({ name, during }) => name === "clients" && (during ?? 0) > 0));
	});

	it("finds what is left: an object more, or a tenth more of the heap", () => {
		const before = { "objects Upload": 1, "objects Map": 10, [HEAP]: 1_000 };
		const leftIn = (after: Record<string, number>): string[] =>
			compare(before, {}, { ...before, ...after })
				.filter((finding) => !finding.isFine)
				.map(({ name }) => name);
		assert.deepEqual(leftIn({}), []);
		assert.deepEqual(leftIn({ "objects Upload": 2 }), ["objects Upload"]);
		assert.deepEqual(leftIn({ "objects Map": 14, [HEAP]: 1_099 }), []);
		assert.deepEqual(leftIn({ "objects Map": 60, [HEAP]: 1_101 }), ["objects Map", HEAP]);
		assert.deepEqual(leftIn({ "resources Timeout": 1 }), ["resources Timeout"]);
	});

	it("takes no wrong answer, and no more than one failed connect of fifty", () => {
		assert.equal(isFine([], LIVES), true);
		assert.equal(isFine([], { ...LIVES, faults: { wrong: 1 } }), false);
		assert.equal(isFine([], { ...LIVES, notLetIn: { reset: 2 } }), true);
		assert.equal(isFine([], { ...LIVES, notLetIn: { reset: 2, late: 1 } }), false);
		assert.equal(isFine(compare({ a: 0 }, {}, { a: 1 }), LIVES), false);
	});

	it("marks what is left in its table", () => {
		const text = table(compare({ clients: 0 }, { clients: 7 }, { clients: 2 }));
		assert.match(text, /clients +0 +7 +2 +LEFT$/);
	});
});
