import assert from "node:assert/strict";
import fc from "fast-check";
import { FrameCounter, LengthCounter, maskedFrame, SeparatorCounter } from "../../bench/load/frames.js";

/** A server's frame: not masked, and with the shortest header that fits. */
function serverFrame(payload: Buffer): Buffer {
	const { length } = payload;
	if (length < 126) return Buffer.concat([Buffer.from([0x82, length]), payload]);
	const header = Buffer.alloc(length < 65_536 ? 4 : 10);
	header[0] = 0x82;
	header[1] = header.length === 4 ? 126 : 127;
	if (header.length === 4) header.writeUInt16BE(length, 2);
	else header.writeBigUInt64BE(BigInt(length), 2);
	return Buffer.concat([header, payload]);
}

function piecesOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
	const places = [...new Set([0, ...cuts.map((cut) => cut % bytes.length), bytes.length])];
	const sorted = places.toSorted((a, b) => a - b);
	return sorted.slice(1).map((to, index) => bytes.subarray(sorted[index], to));
}

function withLength(body: Buffer): Buffer {
	const { length } = body;
	if (length < 128) return Buffer.concat([Buffer.from([length]), body]);
	return Buffer.concat([Buffer.from([(length & 0x7f) | 0x80, length >> 7]), body]);
}

// Lengths from 0 to beyond 126, and among them those whose header holds the separator's byte.
const bodies = fc.array(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 }), {
	minLength: 1,
	maxLength: 8,
});
const cuts = fc.array(fc.nat(), { maxLength: 20 });

describe("bench/load/frames", () => {
	it("counts separated messages whichever way frames and reads split them", () => {
		fc.assert(
			fc.property(bodies, cuts, (frames, places) => {
				const payloads = frames.map((lengths) =>
					Buffer.from(lengths.map((length) => `${"x".repeat(length - 1)}\u001e`).join("")),
				);
				const counter = new FrameCounter(new SeparatorCounter());
				const pieces = piecesOf(Buffer.concat(payloads.map(serverFrame)), places);
				const counted = pieces.reduce((sum, piece) => sum + counter.count(piece), 0);
				assert.equal(counted, frames.flat().length);
			}),
		);
	});

	it("counts messages behind their length whichever way frames and reads split them", () => {
		fc.assert(
			fc.property(bodies, cuts, (frames, places) => {
				const payloads = frames.map((lengths) =>
					Buffer.concat(lengths.map((length) => withLength(Buffer.alloc(length, 0x1e)))),
				);
				const counter = new FrameCounter(new LengthCounter());
				const pieces = piecesOf(Buffer.concat(payloads.map(serverFrame)), places);
				const counted = pieces.reduce((sum, piece) => sum + counter.count(piece), 0);
				assert.equal(counted, frames.flat().length);
			}),
		);
	});

	it("counts in frames with eight bytes of length", () => {
		const counter = new FrameCounter(new SeparatorCounter());
		assert.equal(counter.count(serverFrame(Buffer.alloc(70_000, "\u001e"))), 70_000);
	});

	it("sees the server's Close frame", () => {
		const counter = new FrameCounter(new SeparatorCounter());
		counter.count(Buffer.from([0x88, 2, 3, 0xe8]));
		assert.equal(counter.isClosed, true);
	});

	it("masks a payload so that unmasking gives it back", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (payload, isBinary) => {
				const frame = maskedFrame(Buffer.from(payload), isBinary);
				const at = payload.length < 126 ? 2 : 4;
				const length = at === 2 ? (frame[1] ?? 0) & 0x7f : frame.readUInt16BE(2);
				const mask = frame.subarray(at, at + 4);
				const body = frame.subarray(at + 4).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
				assert.equal(frame[0], isBinary ? 0x82 : 0x81);
				assert.equal((frame[1] ?? 0) & 0x80, 0x80);
				assert.equal(length, payload.length);
				assert.deepEqual([...body], [...payload]);
			}),
		);
	});
});
