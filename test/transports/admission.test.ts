import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { ManualClock } from "../../lib/base/index.js";
import { Admission } from "../../lib/transports/admission.js";
import { ask, openWebSocket, serve } from "./serve.js";

/** An admission whose entries are noted down as they are decided. */
function gate(maxConnectsPerSecond: number, maxWaitingConnects = 100) {
	const clock = new ManualClock();
	const admission = new Admission({ maxConnectsPerSecond, maxWaitingConnects, clock });
	const decided: string[] = [];
	const leaves: (() => void)[] = [];
	const enter = (): void => {
		const answer = admission.enter((leave) => leaves.push(leave));
		if (typeof answer === "string") decided.push(answer);
		else void answer.then((late) => decided.push(late));
	};
	const times = (count: number): void => {
		for (let at = 0; at < count; at++) enter();
	};
	return { clock, admission, decided, leaves, enter, times };
}

describe("transports/admission", () => {
	it("lets in a tenth of a second's worth at once, and the rest as time passes", async () => {
		const { clock, admission, decided, times } = gate(50);
		times(20);
		assert.equal(decided.length, 5);
		assert.equal(admission.waiting, 15);
		for (const expected of [10, 15, 20, 20]) {
			clock.advance(100);
			await nextTurn();
			assert.equal(decided.length, expected);
		}
		assert.equal(clock.pending, 0, "nobody waits: no timer");
	});

	it("takes those who waited before those who come", async () => {
		const { clock, admission, decided, times } = gate(10);
		times(3);
		clock.advance(99);
		times(1);
		assert.equal(decided.length, 1);
		assert.equal(admission.waiting, 3);
	});

	it("refuses those for whom there is no room to wait", () => {
		const { decided, times, admission } = gate(10, 2);
		times(4);
		assert.deepEqual(decided, ["admitted", "full"]);
		assert.equal(admission.waiting, 2);
	});

	it("gives up the place of one that leaves", async () => {
		const { decided, times, leaves, admission, clock } = gate(10, 2);
		times(3);
		leaves[0]?.();
		leaves[0]?.();
		await nextTurn();
		assert.deepEqual(decided, ["admitted", "gone"]);
		assert.equal(admission.waiting, 1);
		clock.advance(100);
		await nextTurn();
		assert.deepEqual(decided, ["admitted", "gone", "admitted"]);
	});

	it("lets nobody in once it is closed, and tells those who wait", async () => {
		const { decided, times, admission, clock } = gate(10);
		times(2);
		admission.close();
		times(1);
		await nextTurn();
		assert.deepEqual(decided, ["admitted", "closed", "closed"]);
		assert.equal(clock.pending, 0);
	});

	it("does nothing where there is no limit", () => {
		const { decided, times } = gate(Number.POSITIVE_INFINITY);
		times(10_000);
		assert.equal(decided.length, 10_000);
	});

	it("lets everybody in in the end, never more than the rate, whoever leaves and whatever time does", async () => {
		const step = fc.oneof(
			fc.record({ enter: fc.nat(30) }),
			fc.record({ advance: fc.nat(400) }),
			fc.record({ leave: fc.nat(50) }),
		);
		await fc.assert(
			fc.asyncProperty(
				fc.integer({ min: 1, max: 200 }),
				fc.array(step, { maxLength: 40 }),
				async (rate, steps) => {
					const { clock, admission, decided, times, leaves } = gate(rate, 1_000_000);
					let entered = 0;
					const most = (): number => Math.max(1, rate / 10) + (clock.now() / 1000) * rate + 1e-6;
					for (const each of steps) {
						if ("enter" in each) {
							times(each.enter);
							entered += each.enter;
						}
						if ("advance" in each) clock.advance(each.advance);
						if ("leave" in each) leaves[each.leave]?.();
						await nextTurn();
						assert(decided.filter((name) => name === "admitted").length <= most());
					}
					while (admission.waiting > 0) clock.advance(100);
					await nextTurn();
					assert.equal(decided.length, entered);
					assert.equal(clock.pending, 0);
				},
			),
			{ numRuns: 60 },
		);
	});
});

describe("transports/admission of an endpoint", () => {
	it("makes negotiates and upgrades without negotiate wait, and refuses too many with Retry-After", async () => {
		const clock = new ManualClock();
		const served = await serve({ clock, maxConnectsPerSecond: 1, maxWaitingConnects: 2 });
		assert.equal((await ask(served.port, "/chat/negotiate")).status, 200);
		const second = ask(served.port, "/chat/negotiate");
		while (served.endpoint.waitingConnects < 1) await nextTurn();
		const third = openWebSocket(served.port);
		while (served.endpoint.waitingConnects < 2) await nextTurn();
		const { status, headers } = await ask(served.port, "/chat/negotiate");
		assert.deepEqual([status, headers["retry-after"]], [503, "1"]);
		clock.advance(1_000);
		assert.equal((await second).status, 200);
		clock.advance(1_000);
		await third;
		assert.equal(served.endpoint.waitingConnects, 0);
		await served.close();
	});

	it("forgets a negotiate whose client has gone, and answers 503 to those that wait when it closes", async () => {
		const clock = new ManualClock();
		const served = await serve({ clock, maxConnectsPerSecond: 1 });
		await ask(served.port, "/chat/negotiate");
		const { request } = await import("node:http");
		const gone = request({ port: served.port, host: "127.0.0.1", path: "/chat/negotiate", method: "POST" });
		gone.on("error", () => {});
		gone.end();
		while (served.endpoint.waitingConnects < 1) await nextTurn();
		gone.destroy();
		while (served.endpoint.waitingConnects > 0) await nextTurn();
		const waiting = ask(served.port, "/chat/negotiate");
		while (served.endpoint.waitingConnects < 1) await nextTurn();
		served.endpoint.close();
		assert.equal((await waiting).status, 503);
		assert.equal(clock.pending, 0);
		await served.close();
	});

	it("logs refused connects in one line per ten seconds, however many there are", async () => {
		const clock = new ManualClock();
		const lines: object[] = [];
		const quiet = (): void => {};
		const log = { debug: quiet, info: quiet, error: quiet, warn: (fields: object) => lines.push(fields) };
		const served = await serve({ clock, log, maxConnectsPerSecond: 1, maxWaitingConnects: 0 });
		await ask(served.port, "/chat/negotiate");
		for (let at = 0; at < 5; at++) assert.equal((await ask(served.port, "/chat/negotiate")).status, 503);
		assert.deepEqual(lines, [{ waiting: 0, refused: 1 }]);
		clock.advance(10_000);
		await ask(served.port, "/chat/negotiate");
		await ask(served.port, "/chat/negotiate");
		assert.deepEqual(lines.slice(1), [{ waiting: 0, refused: 5 }]);
		await served.close();
	});
});
