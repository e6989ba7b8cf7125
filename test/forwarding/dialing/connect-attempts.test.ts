import assert from "node:assert/strict";
import { ManualClock, silentLog } from "../../../lib/base/index.js";
import { ConnectAttempts } from "../../../lib/forwarding/dialing/connect-attempts.js";

describe("forwarding/dialing/connect-attempts", () => {
	let clock: ManualClock;
	let attempts: ConnectAttempts;
	let madeAt: number[];
	let told: string[];
	beforeEach(() => {
		clock = new ManualClock();
		madeAt = [];
		told = [];
		const log = { ...silentLog, warn: () => void told.push("warn"), debug: () => void told.push("debug") };
		const reconnect = { delaysMs: [0, 10, 100], jitter: 0 };
		attempts = new ConnectAttempts(
			{ url: "http://nobody", secret: undefined, clock, log, reconnect },
			{
				build: () => {
					madeAt.push(clock.elapsed());
					throw new Error("It cannot be built.");
				},
				connected: () => assert.fail("nothing to connect"),
				failed: (cause) => attempts.retry(cause, true),
			},
		);
	});

	it("waits longer before each attempt, and as at first after a reset", () => {
		attempts.plan();
		clock.advance(210);
		assert.deepEqual(madeAt, [0, 10, 110, 210]);
		attempts.reset();
		clock.advance(100);
		assert.deepEqual(madeAt.slice(4), [310, 310]);
	});

	it("makes an attempt that waits now when it is told to hurry, and none where none waits", () => {
		attempts.hurry();
		assert.equal(clock.pending, 0);
		attempts.plan();
		clock.advance(10);
		attempts.hurry();
		clock.advance(0);
		assert.deepEqual(madeAt, [0, 10, 10]);
		assert.equal(clock.pending, 1);
	});

	it("warns of the first attempt that failed, then of each twelfth", () => {
		attempts.plan();
		clock.advance(10_000);
		const warned = told.flatMap((level, at) => (level === "warn" ? at + 1 : []));
		assert.deepEqual(warned.slice(0, 3), [1, 12, 24]);
	});

	it("makes no attempt after its end", async () => {
		attempts.plan();
		clock.advance(0);
		await attempts.end(undefined);
		clock.advance(1_000);
		assert.deepEqual(madeAt, [0]);
		assert.equal(clock.pending, 0);
	});
});
