import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { deferred, ManualClock } from "../../../lib/base/index.js";
import { Deadline } from "../../../lib/hub/shutdown/deadline.js";
import { settle } from "../fakes.js";

const NEVER = new Promise(() => {});

function make(): { clock: ManualClock; deadline: Deadline } {
	const clock = new ManualClock();
	return { clock, deadline: new Deadline(clock, 100) };
}

/** Whether the deadline has come. */
async function hasCome(deadline: Deadline): Promise<boolean> {
	let come = false;
	void deadline.within(NEVER).then(() => {
		come = true;
	});
	await settle();
	return come;
}

describe("hub/shutdown/deadline", () => {
	it("waits for work, whatever becomes of it, until its time is over", async () => {
		const { clock, deadline } = make();
		deadline.set({});
		assert.equal(await deadline.within(Promise.resolve()), true);
		assert.equal(await deadline.within(Promise.reject(new Error("x"))), true);
		clock.advance(99);
		assert.equal(await hasCome(deadline), false);
		clock.advance(1);
		assert.equal(await deadline.within(NEVER), false);
		assert.equal(clock.pending, 0);
	});

	it("comes nearer, and never goes back", async () => {
		const { clock, deadline } = make();
		deadline.set({ timeoutMs: 1_000 });
		deadline.set({});
		clock.advance(150);
		assert.equal(await hasCome(deadline), false, "a default is none where there is a time");
		deadline.set({ timeoutMs: 5_000 });
		deadline.set({ timeoutMs: 10 });
		clock.advance(10);
		assert.deepEqual([await hasCome(deadline), clock.pending], [true, 0]);
	});

	it("comes when a signal says so, and lets go of signals and timers", async () => {
		const { clock, deadline } = make();
		const [used, other] = [new AbortController(), new AbortController()];
		deadline.set({ signal: used.signal });
		deadline.set({ signal: other.signal });
		assert.equal(await hasCome(deadline), false);
		used.abort();
		assert.equal(await deadline.within(NEVER), false);
		assert.deepEqual([getEventListeners(other.signal, "abort").length, clock.pending], [0, 0]);
	});

	it("has come at once with an aborted signal or no time at all", async () => {
		for (const options of [{ signal: AbortSignal.abort() }, { timeoutMs: 0 }]) {
			const { clock, deadline } = make();
			deadline.set(options);
			assert.equal(await deadline.within(NEVER), false);
			assert.equal(clock.pending, 0);
		}
	});

	it("takes no timer once it is released, and refuses a time that is none", async () => {
		const { clock, deadline } = make();
		deadline.set({});
		const work = deferred();
		work.resolve();
		assert.equal(await deadline.within(work.promise), true);
		deadline.release();
		deadline.set({ timeoutMs: 10, signal: new AbortController().signal });
		assert.equal(clock.pending, 0);
		for (const timeoutMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
			assert.throws(() => deadline.set({ timeoutMs }), { code: "ERR_OPTION", message: /"timeoutMs"/ });
		}
	});
});
