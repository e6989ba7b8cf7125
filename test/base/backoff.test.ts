import assert from "node:assert/strict";
import { Backoff } from "../../lib/base/index.js";

describe("base/backoff", () => {
	it("waits as listed, the last one again and again, and starts anew after a success", () => {
		const backoff = new Backoff({ delaysMs: [0, 100, 200], jitter: 0 });
		const waits = Array.from({ length: 4 }, () => backoff.nextDelayMs());
		assert.deepEqual(waits, [0, 100, 200, 200]);
		assert.equal(backoff.attempt, 4);
		backoff.reset();
		assert.equal(backoff.nextDelayMs(), 0);
	});

	it("spreads the waits by the jitter, half to each side", () => {
		const waitWith = (random: number): number =>
			new Backoff({ delaysMs: [1_000], jitter: 0.5, random: () => random }).nextDelayMs();
		assert.deepEqual([waitWith(0), waitWith(0.5), waitWith(1)], [750, 1_000, 1_250]);
	});
});
