import assert from "node:assert/strict";
import fc from "fast-check";
import type { ForwardedKind } from "../../../lib/forwarding/lost-message.js";
import type { ClientConnection } from "../../../lib/hub/index.js";
import { clientOf, codes, type FakeLink, labelOf, setUp, turn } from "../support/fake-pool.js";

describe("forwarding/dotnetify-upstream/upstream", () => {
	const a = clientOf("a");
	const b = clientOf("b");

	it("keeps messages while no link is up and sends them in order when one comes", () => {
		const { forward, pool, upstream } = setUp();
		for (let at = 0; at < 5; at++) forward(a, at);
		assert.equal(upstream.waiting, 5);
		pool.raise();
		assert.deepEqual(pool.links[0]?.labels, [0, 1, 2, 3, 4]);
		assert.equal(upstream.waiting, 0);
		assert.equal(upstream.unconfirmed, 5);
	});

	it("forgets a client once its end is confirmed, also where a slower message is confirmed after it", async () => {
		const { forward, pool, upstream } = setUp();
		pool.raise();
		forward(a, 1, "request");
		forward(a, "end", "disconnect");
		pool.links[0]?.invoked[1]?.answer.resolve(null);
		await turn();
		assert.equal(upstream.clients, 1);
		pool.links[0]?.invoked[0]?.answer.resolve(null);
		await turn();
		assert.equal(upstream.clients, 0);
		assert.equal(upstream.unconfirmed, 0);
	});

	it("puts requests, disposes and ends back in order when their link is lost, and fails updates and methods", () => {
		const { forward, failed, pool } = setUp();
		pool.raise();
		forward(a, 1, "request");
		forward(a, 2, "update");
		forward(a, 3, "dispose");
		forward(a, 4, "method");
		pool.drop();
		forward(a, 5, "update");
		pool.raise();
		assert.deepEqual(pool.links[0]?.labels, [1, 2, 3, 4, 1, 3, 5]);
		assert.deepEqual(failed, [
			{ label: 2, code: "ERR_FORWARD_LINK_LOST" },
			{ label: 4, code: "ERR_FORWARD_LINK_LOST" },
		]);
	});

	it("lets what was put back wait for 30 s anew", () => {
		const { forward, failed, pool, clock } = setUp();
		pool.raise();
		forward(a, 1, "request");
		clock.advance(60_000);
		pool.drop();
		clock.advance(29_999);
		assert.deepEqual(failed, []);
		clock.advance(1);
		assert.deepEqual(codes(failed), ["ERR_FORWARD_EXPIRED"]);
	});

	it("keeps a client on its link while something is unconfirmed, and moves on when nothing is", async () => {
		const { forward, pool } = setUp({ connectionPoolSize: 2 });
		pool.raise(0);
		pool.raise(1);
		forward(a, 1);
		forward(a, 2);
		assert.deepEqual(pool.links[0]?.labels, [1, 2]);
		for (const { answer } of pool.links[0]?.invoked ?? []) answer.resolve(null);
		await turn();
		forward(a, 3);
		assert.deepEqual(pool.links[1]?.labels, [3]);
	});

	it("does not let a message overtake those of a link that is about to go down", () => {
		const { forward, pool } = setUp({ connectionPoolSize: 2 });
		pool.raise(0);
		pool.raise(1);
		forward(a, 1, "request");
		const [ending, other] = pool.links as [FakeLink, FakeLink];
		ending.isUp = false;
		forward(a, 2);
		assert.deepEqual(other.labels, []);
		pool.drop(0);
		assert.deepEqual(other.labels, [1, 2]);
	});

	it("takes the next link for every message where ordered is false", () => {
		const { forward, pool } = setUp({ connectionPoolSize: 2, ordered: false });
		pool.raise(0);
		pool.raise(1);
		for (let at = 0; at < 4; at++) forward(a, at);
		assert.deepEqual(
			pool.links.map(({ labels }) => labels),
			[
				[0, 2],
				[1, 3],
			],
		);
	});

	it("holds a client at maxUnconfirmedPerClient and lets it go on when one is confirmed", async () => {
		const { forward, pool } = setUp({ maxUnconfirmedPerClient: 3 });
		pool.raise();
		assert.equal(forward(a, 1), undefined);
		assert.equal(forward(a, 2), undefined);
		const held = forward(a, 3);
		assert.equal(forward(b, 1), undefined, "another client is not held");
		pool.links[0]?.invoked[0]?.answer.resolve(null);
		await held;
	});

	it("holds a client at maxUnconfirmedBytesPerClient, its context counted, long before others have to wait", async () => {
		const { forward, pool } = setUp({ maxUnconfirmedBytesPerClient: 1_000 });
		pool.raise();
		assert.equal(forward(a, 1, "update", 900), undefined);
		const held = forward(a, 2, "update", 99);
		assert.ok(held);
		assert.equal(forward(b, 1, "update", 900), undefined);
		pool.links[0]?.invoked[0]?.answer.resolve(null);
		await held;
	});

	it("lets the end of a client pass what waits of others, as it may free what they wait for", () => {
		const { forward, pool, upstream } = setUp({ maxUnconfirmedBytes: 100 });
		pool.raise();
		forward(a, 1, "update", 200);
		forward(b, 2);
		forward(a, "end", "disconnect", 0);
		assert.deepEqual([pool.links[0]?.labels, upstream.waiting], [[1, "end"], 1]);
	});

	it("makes the requests that are not disposed again after a loss, once for all links, and reports none of them", async () => {
		const { clock, failed, forward, pool } = setUp({ connectionPoolSize: 2, ordered: false });
		pool.raise(0);
		pool.raise(1);
		for (const client of [a, b]) forward(client, client.connectionId, "request");
		for (const { invoked } of pool.links) for (const { answer } of invoked) answer.resolve(null);
		await turn();
		pool.drop(0);
		pool.drop(1);
		clock.advance(100);
		pool.raise(0);
		assert.deepEqual(pool.links[0]?.labels, ["a", "a", "b"]);
		pool.drop(0);
		forward(b, "x", "dispose");
		clock.advance(30_000);
		pool.raise(0);
		assert.deepEqual(pool.links[0]?.labels.slice(3), ["a"]);
		assert.deepEqual(failed, [{ label: "x", code: "ERR_FORWARD_EXPIRED" }]);
	});

	it("keeps no more requests than maxRetainedBytes, and gives back what is disposed", async () => {
		const { forward, pool } = setUp({ maxRetainedBytes: 100 });
		const link = pool.links[0] as FakeLink;
		pool.raise();
		const confirm = async (client: ClientConnection, label: unknown, kind: ForwardedKind): Promise<void> => {
			forward(client, label, kind, 60);
			link.invoked.at(-1)?.answer.resolve(null);
			await turn();
		};
		const askedAgain = (): unknown[] => {
			const before = link.labels.length;
			pool.drop();
			pool.raise();
			for (const { answer } of link.invoked) answer.resolve(null);
			return link.labels.slice(before);
		};
		await confirm(a, 1, "request");
		await confirm(b, 2, "request");
		assert.deepEqual(askedAgain(), [1]);
		await turn();
		await confirm(a, 3, "dispose");
		await confirm(b, 4, "request");
		assert.deepEqual(askedAgain(), [4]);
	});

	it("lets a held client go on when all links are lost, when its messages expire and when it closes", async () => {
		const lost = setUp({ maxUnconfirmedPerClient: 1 });
		lost.pool.raise();
		const heldByLoss = lost.forward(a, 1);
		lost.pool.drop();
		await heldByLoss;

		const slow = setUp({ maxUnconfirmedPerClient: 2, maxUnconfirmedBytes: 1 });
		slow.pool.raise();
		slow.forward(b, 0);
		slow.forward(a, 1);
		const heldByWaiting = slow.forward(a, 2);
		slow.clock.advance(30_000);
		await heldByWaiting;
		assert.deepEqual(codes(slow.failed), ["ERR_FORWARD_EXPIRED", "ERR_FORWARD_EXPIRED"]);

		const closing = setUp({ maxUnconfirmedPerClient: 1 });
		closing.pool.raise();
		const heldByClosing = closing.forward(a, 1);
		const closed = closing.upstream.close();
		closing.clock.advance(2_000);
		await Promise.all([heldByClosing, closed]);
		assert.deepEqual(codes(closing.failed), ["ERR_FORWARD_CLOSED"]);
	});

	it("lets messages wait while maxUnconfirmedBytes are on their way", async () => {
		const { forward, pool, upstream } = setUp({ maxUnconfirmedBytes: 100 });
		pool.raise();
		for (let at = 0; at < 4; at++) forward(clientOf(String(at)), at, "update", 60);
		assert.deepEqual(pool.links[0]?.labels, [0, 1]);
		assert.equal(upstream.waiting, 2);
		pool.links[0]?.invoked[0]?.answer.resolve(null);
		await turn();
		assert.deepEqual(pool.links[0]?.labels, [0, 1, 2]);
	});

	it("fails what is too large for the link, keeps nothing of it, and goes on", () => {
		const { forward, failed, pool, upstream } = setUp({}, 1_000);
		pool.raise();
		forward(a, "large", "update", 2_000);
		forward(a, "small");
		assert.deepEqual(failed, [{ label: "large", code: "ERR_FORWARD_TOO_LARGE" }]);
		assert.deepEqual(pool.links[0]?.labels, ["small"]);
		forward(b, "large", "update", 2_000);
		forward(b, "end", "disconnect");
		assert.equal(upstream.clients, 1, "b was never sent: its end has nowhere to go");
	});

	it("fails what the app server refuses", async () => {
		const { forward, failed, pool } = setUp();
		pool.raise();
		forward(a, 1);
		pool.links[0]?.invoked[0]?.answer.reject(
			new Error("Failed to invoke 'Invoke' due to an error on the server."),
		);
		await turn();
		assert.deepEqual(codes(failed), ["ERR_FORWARD_REFUSED"]);
	});

	it("closes only after what was sent is confirmed, and fails what comes later", async () => {
		const { forward, failed, pool, upstream, clock } = setUp();
		pool.raise();
		forward(a, 1);
		let isClosed = false;
		const closed = upstream.close().then(() => {
			isClosed = true;
		});
		await turn();
		assert.equal(isClosed, false);
		pool.links[0]?.invoked[0]?.answer.resolve(null);
		await closed;
		assert.equal(clock.pending, 0);
		forward(a, 2);
		assert.deepEqual(failed, [{ label: 2, code: "ERR_FORWARD_CLOSED" }]);
		assert.equal(upstream.clients, 0);
	});

	it("ends every message in exactly one way, whatever links and app server do (property)", async () => {
		const step = fc.oneof(
			{
				weight: 6,
				arbitrary: fc.record({
					do: fc.constant("forward" as const),
					client: fc.nat(3),
					kind: fc.constantFrom<ForwardedKind[]>("request", "update", "dispose", "method"),
				}),
			},
			{
				weight: 2,
				arbitrary: fc.record({
					do: fc.constantFrom("raise" as const, "drop" as const, "confirm" as const, "refuse" as const),
					at: fc.nat(2),
				}),
			},
			{ weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(40_000) }) },
		);
		await fc.assert(
			fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
				const { forward, failed, pool, upstream, clock } = setUp({
					connectionPoolSize: 3,
					maxQueued: 20,
					maxQueuedPerClient: 8,
				});
				const clients = ["a", "b", "c", "d"].map(clientOf);
				const ended = new Map<unknown, number>();
				const confirmed = new Set<unknown>();
				const settle = (link: FakeLink, isRefused: boolean): void => {
					const open = link.invoked.splice(0);
					for (const { args, answer } of open) {
						if (isRefused) answer.reject(new Error("no"));
						else {
							confirmed.add(labelOf(args));
							answer.resolve(null);
						}
					}
				};
				let label = 0;
				for (const each of steps) {
					if (each.do === "forward") forward(clients[each.client] as ClientConnection, label++, each.kind);
					else if (each.do === "wait") clock.advance(each.ms);
					else {
						const link = pool.links[each.at] as FakeLink;
						if (each.do === "raise" && !link.isUp) pool.raise(each.at);
						if (each.do === "drop" && link.isUp) {
							link.invoked.length = 0;
							pool.drop(each.at);
						}
						if (each.do === "confirm" || each.do === "refuse") settle(link, each.do === "refuse");
						await turn();
					}
				}
				const closed = upstream.close();
				clock.advance(2_000);
				await closed;
				for (const { label: which } of failed) ended.set(which, (ended.get(which) ?? 0) + 1);
				for (const which of confirmed) ended.set(which, (ended.get(which) ?? 0) + 1);
				assert.equal(ended.size, label);
				assert.ok([...ended.values()].every((times) => times === 1));
				assert.equal(clock.pending, 0);
			}),
			{ numRuns: 150 },
		);
	});
});
