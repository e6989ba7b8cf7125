import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import fc from "fast-check";
import { forgetFrame, writeFrame } from "../../../lib/transports/frames/frame-writer.js";

/** A socket that remembers what it was given. */
class Sink extends PassThrough {
	readonly written: Buffer[] = [];

	override _transform(chunk: Buffer, _encoding: string, done: () => void): void {
		this.written.push(chunk);
		done();
	}

	get bytes(): Buffer {
		return Buffer.concat(this.written);
	}
}

function expected(chunks: readonly Buffer[], format: "Text" | "Binary"): string {
	const payload = Buffer.concat(chunks);
	const { length } = payload;
	const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
	header[0] = format === "Text" ? 0x81 : 0x82;
	header[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
	if (header.length === 4) header.writeUInt16BE(length, 2);
	if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
	return Buffer.concat([header, payload]).toString("hex");
}

describe("transports/frames/frame-writer", () => {
	afterEach(forgetFrame);

	it("gives many sockets the same bytes, not a copy each", () => {
		const chunks = [Buffer.from("news "), Buffer.from("of today")];
		const sinks = Array.from({ length: 4 }, () => new Sink());
		for (const sink of sinks) writeFrame(sink, { chunks: [...chunks], format: "Text", length: 13 });
		const frames = sinks.map(({ written }) => written[0]);
		assert.equal(frames[2], frames[1]);
		assert.equal(frames[3], frames[1]);
		for (const frame of frames) assert.equal(frame?.toString("hex"), expected(chunks, "Text"));
	});

	it("gives a frame that has to wait memory of its own, and one that many are sent", () => {
		const slow = new Sink({ highWaterMark: 1 });
		slow.cork();
		const held = (text: string): number => {
			const chunk = Buffer.from(text);
			const written: Buffer[] = [];
			slow.write = (bytes: Buffer) => written.push(bytes) > 0;
			writeFrame(slow, { chunks: [chunk], format: "Text", length: chunk.length });
			return written[0]?.buffer.byteLength ?? 0;
		};
		assert.ok(held("first") > 1_000);
		Object.defineProperty(slow, "writableLength", { value: 100 });
		assert.equal(held("second"), 8);
		const chunks = [Buffer.from("news")];
		const fast = Array.from({ length: 3 }, () => new Sink());
		for (const sink of fast) writeFrame(sink, { chunks, format: "Text", length: 4 });
		assert.equal(fast[2]?.written[0]?.buffer.byteLength, 6);
	});

	it("writes every client its own, in whatever order the same and others come", () => {
		const stock = Array.from({ length: 4 }, (_, at) => Buffer.alloc(40 + at, at));
		const large = Buffer.alloc(20_000, "L");
		const outgoing = fc.record({
			chunks: fc.array(fc.constantFrom(...stock, large), { minLength: 1, maxLength: 3 }),
			format: fc.constantFrom("Text" as const, "Binary" as const),
		});
		fc.assert(
			fc.property(fc.array(outgoing, { minLength: 1, maxLength: 12 }), (all) => {
				for (const { chunks, format } of all) {
					const sink = new Sink();
					const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
					writeFrame(sink, { chunks, format, length });
					assert.equal(sink.bytes.toString("hex"), expected(chunks, format));
				}
			}),
			{ numRuns: 200 },
		);
	});
});
