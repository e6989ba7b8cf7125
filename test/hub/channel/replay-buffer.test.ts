import assert from "node:assert/strict";
import fc from "fast-check";
import { ReplayBuffer } from "../../../lib/hub/channel/replay-buffer.js";

const LIMITS = { softBytes: 100, maxBytes: 400 };

describe("hub/channel/replay-buffer", () => {
	it("keeps what was sent until it is acknowledged", () => {
		const buffer = new ReplayBuffer(LIMITS);
		for (const text of ["a", "b", "c"]) buffer.sent(Buffer.from(text));
		buffer.acknowledge(2);
		buffer.acknowledge(1);
		assert.equal(buffer.firstId, 3);
		assert.equal(Buffer.concat([...buffer.kept]).toString(), "c");
		buffer.acknowledge(3);
		assert.equal(buffer.firstId, 4);
	});

	it("is full at softBytes, and no more once enough is acknowledged", () => {
		const buffer = new ReplayBuffer(LIMITS);
		buffer.sent(Buffer.alloc(99));
		assert.equal(buffer.isFull, false);
		buffer.sent(Buffer.alloc(1));
		assert.equal(buffer.isFull, true);
		buffer.acknowledge(1);
		assert.equal(buffer.isFull, false);
	});

	it("forgets the oldest above maxBytes, and is whole again once that was acknowledged", () => {
		const buffer = new ReplayBuffer(LIMITS);
		for (let at = 0; at < 5; at++) buffer.sent(Buffer.alloc(100));
		assert.equal(buffer.isWhole, false);
		assert.equal(buffer.firstId, 2);
		buffer.acknowledge(1);
		assert.equal(buffer.isWhole, true);
		assert.equal(Buffer.concat([...buffer.kept]).length, 400);
		const tiny = new ReplayBuffer(LIMITS);
		tiny.sent(Buffer.alloc(500));
		assert.equal(tiny.isWhole, false);
		tiny.acknowledge(1);
		assert.equal(tiny.isWhole, true);
	});

	it("asks for an Ack at a quarter of softBytes, once", () => {
		const buffer = new ReplayBuffer(LIMITS);
		assert.equal(buffer.takeAck(), undefined);
		buffer.received(24);
		assert.equal(buffer.isAckUrgent, false);
		buffer.received(1);
		assert.equal(buffer.isAckUrgent, true);
		assert.equal(buffer.takeAck(), 2);
		assert.equal(buffer.isAckUrgent, false);
		assert.equal(buffer.takeAck(), undefined);
	});

	it("refuses numbers that nobody can know, and messages before the Sequence", () => {
		const buffer = new ReplayBuffer(LIMITS);
		assert.throws(() => buffer.acknowledge(1), { code: "ERR_PROTOCOL" });
		assert.throws(() => buffer.sequence(2), { code: "ERR_PROTOCOL" });
		assert.throws(() => buffer.sequence(0), { code: "ERR_PROTOCOL" });
		buffer.resume();
		assert.throws(() => buffer.received(1), { code: "ERR_PROTOCOL" });
		buffer.sequence(1);
		assert.equal(buffer.received(1), true);
	});

	it("carries every message once and in order over any number of sockets, whatever each of them loses", () => {
		const step = fc.oneof(
			{ weight: 6, arbitrary: fc.constant("send" as const) },
			{ weight: 3, arbitrary: fc.constant("deliver" as const) },
			{ weight: 2, arbitrary: fc.constant("ack" as const) },
			{ weight: 1, arbitrary: fc.constant("cut" as const) },
		);
		const run = fc.array(step, { maxLength: 200 });
		fc.assert(
			fc.property(run, (steps) => {
				const sender = new ReplayBuffer({ softBytes: 1_000_000, maxBytes: 1_000_000 });
				const receiver = new ReplayBuffer({ softBytes: 1_000_000, maxBytes: 1_000_000 });
				let wire: Buffer[] = [];
				let sent = 0;
				const got: number[] = [];
				const deliver = (count: number): void => {
					for (const bytes of wire.splice(0, count)) {
						if (receiver.received(bytes.length)) got.push(bytes.readUInt32BE());
					}
				};
				for (const what of steps) {
					if (what === "send") {
						const bytes = Buffer.alloc(4);
						bytes.writeUInt32BE(++sent);
						sender.sent(bytes);
						wire.push(bytes);
					}
					if (what === "deliver") deliver(2);
					if (what === "ack") {
						const id = receiver.takeAck();
						if (id !== undefined) sender.acknowledge(id);
					}
					if (what === "cut") {
						receiver.resume();
						receiver.sequence(sender.firstId);
						const kept = Buffer.concat([...sender.kept]);
						wire = Array.from({ length: kept.length / 4 }, (_, at) => kept.subarray(at * 4, at * 4 + 4));
					}
				}
				deliver(wire.length);
				assert.deepEqual(
					got,
					Array.from({ length: sent }, (_, at) => at + 1),
				);
			}),
			{ numRuns: 300 },
		);
	});
});
