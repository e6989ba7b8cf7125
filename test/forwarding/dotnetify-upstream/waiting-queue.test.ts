import assert from "node:assert/strict";
import { clientOf, codes, setUp, turn } from "../support/fake-pool.js";

describe("forwarding/dotnetify-upstream/waiting-queue", () => {
	const a = clientOf("a");
	const b = clientOf("b");

	it("takes 1,000 messages of one client and fails the next, without hurting another client", () => {
		const { forward, failed } = setUp();
		for (let at = 0; at < 1_001; at++) forward(a, at);
		assert.deepEqual(failed, [{ label: 1_000, code: "ERR_FORWARD_QUEUE_FULL" }]);
		forward(b, "b");
		assert.equal(failed.length, 1);
	});

	it("takes 10,000 messages in all and fails the next", () => {
		const { forward, failed, upstream } = setUp();
		for (let at = 0; at < 10_000; at++) forward(clientOf(String(at)), at);
		assert.deepEqual(failed, []);
		forward(clientOf("last"), "last");
		assert.deepEqual(failed, [{ label: "last", code: "ERR_FORWARD_QUEUE_FULL" }]);
		assert.equal(upstream.waiting, 10_000);
	});

	it("takes 64 MiB in all and fails what would be more", () => {
		const { forward, failed } = setUp();
		const mib = 1_048_576;
		for (let at = 0; at < 64; at++) forward(a, at, "update", mib);
		forward(a, "more", "update", 1);
		assert.deepEqual(failed, [{ label: "more", code: "ERR_FORWARD_QUEUE_FULL" }]);
	});

	it("takes the end of a client whatever the queue holds", () => {
		const { forward, failed, pool } = setUp({ maxQueued: 1 });
		forward(a, 1);
		forward(a, 2);
		forward(a, "end", "disconnect");
		assert.deepEqual(codes(failed), ["ERR_FORWARD_QUEUE_FULL"]);
		pool.raise();
		assert.deepEqual(pool.links[0]?.labels, [1, "end"]);
	});

	it("fails a message that has waited 30 s, and no younger one", () => {
		const { forward, failed, clock, upstream } = setUp();
		forward(a, "old");
		clock.advance(15_000);
		forward(a, "young");
		clock.advance(14_999);
		assert.deepEqual(failed, []);
		clock.advance(1);
		assert.deepEqual(failed, [{ label: "old", code: "ERR_FORWARD_EXPIRED" }]);
		clock.advance(15_000);
		assert.deepEqual(codes(failed), ["ERR_FORWARD_EXPIRED", "ERR_FORWARD_EXPIRED"]);
		assert.equal(upstream.waiting, 0);
		assert.equal(clock.pending, 0);
	});

	it("keeps the end of a known client for as long as it takes, without a timer that spins", async () => {
		const { forward, failed, clock, pool, upstream } = setUp();
		pool.raise();
		forward(a, 1);
		pool.links[0]?.invoked[0]?.answer.resolve(null);
		await turn();
		pool.drop();
		forward(a, "end", "disconnect");
		clock.advance(1_000_000);
		let ticks = 0;
		const { schedule } = clock;
		clock.schedule = (ms, task) => {
			ticks++;
			return schedule.call(clock, ms, task);
		};
		forward(b, 2);
		clock.advance(40_000);
		assert.deepEqual(codes(failed), ["ERR_FORWARD_EXPIRED"]);
		assert.ok(ticks <= 2, `${ticks} timers`);
		pool.raise();
		assert.deepEqual(pool.links[0]?.labels, [1, "end"]);
		pool.links[0]?.invoked[1]?.answer.resolve(null);
		await turn();
		assert.equal(upstream.clients, 1, "only b is left, which has not ended");
	});

	it("forgets a client that ended and whose every message expired: nobody over there knows of it", () => {
		const { forward, clock, upstream, pool } = setUp();
		for (let at = 0; at < 100; at++) {
			forward(clientOf(String(at)), at);
		}
		for (let at = 0; at < 100; at++) {
			const client = clientOf(`gone${at}`);
			forward(client, at);
			forward(client, "end", "disconnect");
		}
		clock.advance(30_000);
		assert.equal(upstream.waiting, 0);
		assert.equal(upstream.clients, 100);
		pool.raise();
		assert.deepEqual(pool.links[0]?.labels, []);
	});
});
