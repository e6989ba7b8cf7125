import assert from "node:assert/strict";
import { Counters } from "../../lib/hub/counters.js";

describe("hub/counters", () => {
	it("counts by name, from zero", () => {
		const counters = new Counters();
		assert.equal(counters.get("a"), 0);
		counters.add("a");
		counters.add("a", 4);
		counters.add("__proto__");
		assert.equal(counters.get("a"), 5);
		assert.equal(counters.get("__proto__"), 1);
		counters.of("a").value++;
		assert.equal(counters.get("a"), 6);
	});

	it("gives a snapshot that does not change", () => {
		const counters = new Counters();
		counters.add("a");
		const before = counters.snapshot();
		counters.add("a");
		assert.deepEqual(before, { a: 1 });
		counters.of("not counted yet");
		assert.deepEqual(counters.snapshot(), { a: 2 });
	});
});
