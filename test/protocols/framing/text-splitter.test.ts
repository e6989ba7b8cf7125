import assert from "node:assert/strict";
import fc from "fast-check";
import { TextSplitter } from "../../../lib/protocols/index.js";
import { cut, split, throwsCode } from "../messages.js";

function record(bytes: number): Buffer {
	return Buffer.concat([Buffer.alloc(bytes, "a"), Buffer.from([0x1e])]);
}

describe("protocols/framing/text-splitter", () => {
	it("cuts at every separator, also into empty records", () => {
		const records = split(new TextSplitter(100), [Buffer.from("a\u001e\u001ebc\u001ed")]);
		assert.deepEqual(records.map(String), ["a", "", "bc"]);
	});

	it("gives the same records wherever the stream is split", () => {
		const records = fc.array(fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\u001e")));
		fc.assert(
			fc.property(records, fc.array(fc.nat()), (texts, places) => {
				const stream = Buffer.from(texts.map((text) => `${text}\u001e`).join(""));
				const splitter = new TextSplitter(Number.POSITIVE_INFINITY);
				assert.deepEqual(split(splitter, cut(stream, places)).map(String), texts);
				assert.equal(splitter.pendingBytes, 0);
			}),
		);
	});

	it("gives them also where all of the stream waits before the first is read, and gives back what was not", () => {
		fc.assert(
			fc.property(
				fc.array(fc.stringMatching(/^[a-z]*$/)),
				fc.array(fc.nat()),
				fc.nat(5),
				(texts, places, taken) => {
					const stream = Buffer.from(texts.map((text) => `${text}\u001e`).join(""));
					const splitter = new TextSplitter(Number.POSITIVE_INFINITY);
					for (const chunk of cut(stream, places)) splitter.push(chunk);
					assert.equal(splitter.pendingBytes, stream.length);
					const first = texts.slice(0, taken);
					assert.deepEqual(
						first.map(() => String(splitter.next())),
						first,
					);
					const left = texts.slice(taken).map((text) => `${text}\u001e`);
					assert.equal(splitter.rest().toString(), left.join(""));
					assert.deepEqual([splitter.pendingBytes, splitter.next()], [0, undefined]);
				},
			),
		);
	});

	it("counts the separator in the limit: 32768 bytes pass, 32769 do not", () => {
		assert.equal(split(new TextSplitter(32_768), [record(32_767)])[0]?.length, 32_767);
		assert.throws(
			() => split(new TextSplitter(32_768), [record(32_768)]),
			throwsCode("ERR_MESSAGE_TOO_LARGE"),
		);
	});

	it("refuses a record as soon as it cannot end within the limit", () => {
		const splitter = new TextSplitter(8);
		assert.deepEqual(split(splitter, [Buffer.alloc(4), Buffer.alloc(3)]), []);
		splitter.push(Buffer.alloc(1));
		assert.throws(() => splitter.next(), throwsCode("ERR_MESSAGE_TOO_LARGE"));
	});

	it("gives the records before one that is too large, and stays failed", () => {
		const splitter = new TextSplitter(4);
		splitter.push(Buffer.from("abc\u001eabcdef\u001ex\u001e"));
		assert.equal(String(splitter.next()), "abc");
		assert.throws(() => splitter.next(), throwsCode("ERR_MESSAGE_TOO_LARGE"));
		assert.throws(() => splitter.next(), throwsCode("ERR_MESSAGE_TOO_LARGE"));
	});

	it("hands out what it holds", () => {
		const splitter = new TextSplitter(100);
		assert.deepEqual(split(splitter, [Buffer.from("ab\u001ecd")]).map(String), ["ab"]);
		splitter.push(Buffer.from("ef\u001eg"));
		assert.equal(splitter.pendingBytes, 6);
		assert.equal(String(splitter.rest()), "cdef\u001eg");
		assert.equal(splitter.pendingBytes, 0);
		assert.equal(splitter.next(), undefined);
	});

	it("copies the rest of a chunk, so that the chunk is not held for it", () => {
		const chunk = Buffer.from("ab\u001ecd");
		const splitter = new TextSplitter(100);
		split(splitter, [chunk]);
		chunk.fill("x");
		assert.deepEqual(split(splitter, [Buffer.from("\u001e")]).map(String), ["cd"]);
	});

	it("takes a record byte by byte, with every byte copied a bounded number of times", () => {
		const splitter = new TextSplitter(Number.POSITIVE_INFINITY);
		const original = Buffer.prototype.copy;
		let copied = 0;
		Buffer.prototype.copy = function (this: Buffer, ...args: Parameters<Buffer["copy"]>) {
			const count = original.apply(this, args);
			copied += count;
			return count;
		};
		try {
			const stream = record(50_000);
			const records = split(
				splitter,
				Array.from(stream, (byte) => Buffer.from([byte])),
			);
			assert.deepEqual(
				records.map((found) => found.length),
				[50_000],
			);
		} finally {
			Buffer.prototype.copy = original;
		}
		assert.ok(copied > 50_000 && copied < 200_000, `${copied} bytes copied`);
	});
});
