import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { flushAtEndOfTurn } from "../../../lib/transports/carriers/turn.js";

describe("transports/carriers/turn", () => {
	it("flushes in the order asked, after the turn's ticks and promises", async () => {
		const seen: string[] = [];
		flushAtEndOfTurn({ flush: () => seen.push("flush 1") });
		flushAtEndOfTurn({ flush: () => seen.push("flush 2") });
		process.nextTick(() => seen.push("tick"));
		Promise.resolve().then(() => seen.push("promise"));
		await nextTurn();
		assert.deepEqual(
			seen,
			["promise", "tick", "flush 1", "flush 2"].sort((a, b) => seen.indexOf(a) - seen.indexOf(b)),
		);
		assert.deepEqual(seen.slice(2), ["flush 1", "flush 2"]);
	});

	it("takes what asks during a flush to the next turn", async () => {
		const seen: number[] = [];
		const again = { flush: () => seen.push(2) };
		flushAtEndOfTurn({
			flush() {
				seen.push(1);
				flushAtEndOfTurn(again);
			},
		});
		await nextTurn();
		assert.deepEqual(seen, [1]);
		await nextTurn();
		assert.deepEqual(seen, [1, 2]);
	});
});
