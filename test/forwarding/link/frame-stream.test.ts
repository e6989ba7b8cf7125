import assert from "node:assert/strict";
import { ManualClock } from "../../../lib/base/index.js";
import { FrameStream } from "../../../lib/forwarding/link/frame-stream.js";
import { lostIn } from "../../../lib/forwarding/peer/messages.js";
import { resolveSessionOptions, type SessionEnd } from "../../../lib/forwarding/session/index.js";
import type { Frame } from "../../../lib/forwarding/wire/index.js";
import { MessageType } from "../../../lib/protocols/index.js";

function open(): FrameStream {
	return new FrameStream({
		clock: new ManualClock(),
		options: resolveSessionOptions({}),
		peer: "app",
		listener: { frame: () => {}, writable: () => {}, closeLink: () => {}, ended: () => {} },
	});
}

describe("forwarding/link/frame-stream", () => {
	it("is settled where nothing was written, and where it is over", async () => {
		const stream = open();
		await stream.settled();
		stream.write({ type: "pause", client: 1 });
		stream.end("closed");
		await stream.settled();
	});

	it("is settled as soon as its session ends: nobody hands on what was written", async () => {
		const stream = open();
		stream.write({ type: "pause", client: 1 });
		let isSettled = false;
		const settled = stream.settled().then(() => {
			isSettled = true;
		});
		await new Promise((resolve) => setImmediate(resolve));
		assert.equal(isSettled, false);
		stream.end("lost");
		await settled;
	});

	const record = (client: number, bytes: number): Frame => ({
		...{ type: "record", client, messageType: MessageType.Invocation, invocationId: "1", state: undefined },
		record: Buffer.alloc(bytes, "z"),
	});

	/** An app server's end with one link, and what its session leaves. */
	function sending({ maxWaitingBytes }: { readonly maxWaitingBytes?: number } = {}): {
		readonly stream: FrameStream;
		readonly ends: SessionEnd[];
		handedOn(delivered: number, window?: number): void;
	} {
		const ends: SessionEnd[] = [];
		const stream = new FrameStream({
			clock: new ManualClock(),
			options: resolveSessionOptions({ maxWaitingBytes }),
			peer: "proxy",
			listener: {
				...{ frame: () => {}, writable: () => {}, closeLink: () => {} },
				ended: (end) => void ends.push(end),
			},
		});
		const port = { link: 0, incarnation: 1, send: () => {}, sendAck: () => {} };
		stream.session.addLink(port, { delivered: 0, window: 1_000_000 });
		const handedOn = (delivered: number, window = 1_000_000): void => {
			const links = [{ link: 0, incarnation: 1, received: delivered }];
			stream.session.receiveAcks(0, 1, { links, delivered, window });
		};
		return { stream, ends, handedOn };
	}

	it("leaves all of a frame of which the peer has had a part when its session ends", () => {
		for (const delivered of [0, 1, 2, 3]) {
			const { stream, ends, handedOn } = sending();
			stream.write(record(1, 200_000));
			stream.write(record(2, 10));
			stream.flush();
			handedOn(delivered);
			stream.end("lost");
			assert.deepEqual([...lostIn(ends[0] as SessionEnd)], [1, 2]);
		}
	});

	it("leaves nothing of a large frame that the peer has had", () => {
		const { stream, ends, handedOn } = sending();
		for (const client of [1, 2, 3]) stream.write(record(client, 100_000));
		stream.flush();
		handedOn(3);
		stream.end("lost");
		// Each takes two segments: the first part of the second one was handed on.
		assert.deepEqual([...lostIn(ends[0] as SessionEnd)], [2, 3]);
	});

	it("leaves what its session did not take, too, when too much waits for the peer", () => {
		const { stream, ends } = sending({ maxWaitingBytes: 100_000 });
		stream.write(record(1, 1_000_000));
		stream.write(record(2, 400_000));
		assert.deepEqual([...lostIn(ends[0] as SessionEnd)], [1, 2]);
	});
});
