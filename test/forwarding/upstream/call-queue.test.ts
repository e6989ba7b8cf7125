import assert from "node:assert/strict";
import { ManualClock } from "../../../lib/base/index.js";
import { CallQueue, type QueuedMessage } from "../../../lib/forwarding/upstream/call-queue.js";
import { ForwardedClient } from "../../../lib/forwarding/upstream/forwarded-client.js";
import type { ClientConnection } from "../../../lib/hub/index.js";
import { MessageType } from "../../../lib/protocols/index.js";

const clientOf = (): ForwardedClient => new ForwardedClient({} as ClientConnection);

function setUp(limits: Partial<ConstructorParameters<typeof CallQueue>[0]> = {}): {
	readonly queue: CallQueue;
	readonly clock: ManualClock;
	readonly expired: string[];
	readonly put: (client: ForwardedClient, label: string, bytes?: number) => string | undefined;
	readonly labels: () => string[];
	readonly message: (client: ForwardedClient, label: string, bytes?: number) => QueuedMessage;
} {
	const clock = new ManualClock();
	const expired: string[] = [];
	const all = { maxQueued: 100, maxQueuedBytes: 1_000, maxQueuedPerClient: 10, maxWaitMs: 30_000, ...limits };
	const labelOf = ({ up: { message } }: QueuedMessage): string =>
		message.type === MessageType.Invocation ? message.target : "";
	const queue = new CallQueue(all, clock, (queued) => expired.push(labelOf(queued)));
	const message = (client: ForwardedClient, label: string, bytes = 10): QueuedMessage => ({
		client,
		up: {
			message: {
				...{ type: MessageType.Invocation, encoding: "json", target: label, arguments: Buffer.from("[]") },
				...{ invocationId: undefined, streamIds: undefined, headers: undefined },
			},
			...{ bytes, args: undefined, call: undefined, isCopy: false, waitsSince: clock.elapsed() },
		},
	});
	return {
		...{ queue, clock, expired, message },
		put(client, label, bytes) {
			const queued = message(client, label, bytes);
			const refusal = queue.refusalOf(queued);
			if (refusal === undefined) queue.push(queued);
			return refusal;
		},
		labels: () => queue.clear().map(labelOf),
	};
}

describe("forwarding/upstream/call-queue", () => {
	it("gives what waits in the order in which it came, what is put back before all", () => {
		const { queue, put, message, labels } = setUp();
		const [a, b] = [clientOf(), clientOf()];
		for (const label of ["1", "2"]) put(a, label);
		put(b, "3");
		assert.deepEqual([a.waiting, b.waiting, queue.length], [2, 1, 3]);
		queue.putBack([message(b, "0a"), message(b, "0b")]);
		assert.deepEqual([a.waiting, b.waiting, queue.length], [2, 3, 5]);
		assert.deepEqual(labels(), ["0a", "0b", "1", "2", "3"]);
		assert.deepEqual([a.waiting, b.waiting, queue.length], [0, 0, 0]);
		assert.equal(queue.shift(), undefined);
	});

	it("refuses what is too much: of one client, of all, in bytes; and takes it again when there is room", () => {
		const { queue, put } = setUp({ maxQueuedPerClient: 2, maxQueued: 3, maxQueuedBytes: 50 });
		const [a, b] = [clientOf(), clientOf()];
		put(a, "1");
		put(a, "2");
		assert.match(put(a, "3") ?? "", /2 messages of this client wait already \(maxQueuedPerClient\)/);
		assert.match(put(b, "3", 31) ?? "", /20 bytes wait already \(maxQueuedBytes\)/);
		assert.equal(put(b, "3", 30), undefined);
		assert.match(put(clientOf(), "4") ?? "", /3 messages wait already \(maxQueued\)/);
		queue.shift();
		assert.equal(a.waiting, 1);
		assert.equal(put(a, "3", 10), undefined);
	});

	it("takes back what was never sent, whatever the limits", () => {
		const { queue, message, put } = setUp({ maxQueued: 1 });
		const a = clientOf();
		put(a, "1");
		queue.putBack([message(a, "2"), message(a, "3")]);
		assert.equal(queue.length, 3);
	});

	it("gives up each message at maxWaitMs after it was taken, also where it was put back, and leaves no timer", () => {
		const { queue, clock, expired, put, message } = setUp();
		const a = clientOf();
		const early = message(a, "early");
		clock.advance(10_000);
		put(a, "1");
		clock.advance(5_000);
		put(a, "2");
		queue.putBack([early]);
		clock.advance(14_999);
		assert.deepEqual(expired, []);
		clock.advance(1);
		assert.deepEqual(expired, ["early"]);
		clock.advance(10_000);
		assert.deepEqual(expired, ["early", "1"]);
		clock.advance(5_000);
		assert.deepEqual([expired, a.waiting, clock.pending], [["early", "1", "2"], 0, 0]);
	});

	it("leaves no timer where everything was taken out", () => {
		for (const empty of [(queue: CallQueue) => queue.shift(), (queue: CallQueue) => queue.clear()]) {
			const { queue, clock, put, expired } = setUp();
			put(clientOf(), "1");
			assert.equal(clock.pending, 1);
			empty(queue);
			assert.equal(clock.pending, 0);
			clock.advance(60_000);
			assert.deepEqual(expired, []);
		}
	});
});
