import assert from "node:assert/strict";
import { ManualClock } from "../../../lib/base/index.js";
import { FrameStream } from "../../../lib/forwarding/link/frame-stream.js";
import { resolveSessionOptions } from "../../../lib/forwarding/session/index.js";

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
});
