import assert from "node:assert/strict";
import { ManualClock, settledWithin } from "../../lib/base/index.js";

describe("base/settled", () => {
	it("waits for work to settle, for a while", async () => {
		const clock = new ManualClock();
		assert.equal(await settledWithin(clock, 10, Promise.resolve()), true);
		assert.equal(await settledWithin(clock, 10, Promise.reject(new Error("x"))), true);
		const late = settledWithin(clock, 10, new Promise(() => {}));
		clock.advance(10);
		assert.equal(await late, false);
		assert.equal(clock.pending, 0);
	});
});
