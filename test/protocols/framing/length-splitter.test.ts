import assert from "node:assert/strict";
import fc from "fast-check";
import { LengthSplitter, writeLengthPrefix } from "../../../lib/protocols/index.js";
import { cut, split, throwsCode } from "../messages.js";

function framed(body: Uint8Array): Buffer {
	return Buffer.concat([writeLengthPrefix(body.length), body]);
}

describe("protocols/framing/length-splitter", () => {
	it("writes lengths in groups of seven bits, lowest first", () => {
		const written = [0, 1, 127, 128, 16_383, 16_384, 0x7fffffff].map((length) =>
			writeLengthPrefix(length).toString("hex"),
		);
		assert.deepEqual(written, ["00", "01", "7f", "8001", "ff7f", "808001", "ffffffff07"]);
	});

	it("gives the same records wherever the stream is split", () => {
		const bodies = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 8 });
		fc.assert(
			fc.property(bodies, fc.array(fc.nat()), (records, places) => {
				const splitter = new LengthSplitter(Number.POSITIVE_INFINITY);
				const found = split(splitter, cut(Buffer.concat(records.map(framed)), places));
				assert.deepEqual(
					found,
					records.map((body) => Buffer.from(body)),
				);
				assert.equal(splitter.pendingBytes, 0);
			}),
		);
	});

	it("takes a prefix byte by byte", () => {
		const stream = framed(Buffer.alloc(300, 7));
		const records = split(
			new LengthSplitter(1_000),
			Array.from(stream, (byte) => Buffer.from([byte])),
		);
		assert.deepEqual(records, [Buffer.alloc(300, 7)]);
	});

	it("counts the prefix in the limit: 32768 bytes pass, 32769 do not", () => {
		assert.equal(split(new LengthSplitter(32_768), [framed(Buffer.alloc(32_765))])[0]?.length, 32_765);
		const large = framed(Buffer.alloc(32_766));
		assert.throws(() => split(new LengthSplitter(32_768), [large]), throwsCode("ERR_MESSAGE_TOO_LARGE"));
	});

	it("refuses a record by its length, before the body arrives", () => {
		const splitter = new LengthSplitter(100);
		assert.throws(() => split(splitter, [writeLengthPrefix(100)]), throwsCode("ERR_MESSAGE_TOO_LARGE"));
	});

	it("gives the records before one that is too large, and stays failed", () => {
		const splitter = new LengthSplitter(4);
		splitter.push(Buffer.concat([framed(Buffer.from("abc")), framed(Buffer.from("abcdef"))]));
		assert.equal(String(splitter.next()), "abc");
		assert.throws(() => splitter.next(), throwsCode("ERR_MESSAGE_TOO_LARGE"));
		assert.throws(() => splitter.next(), throwsCode("ERR_MESSAGE_TOO_LARGE"));
	});

	for (const prefix of ["ffffffff08", "8080808080", "ffffffffff"]) {
		it(`refuses the prefix ${prefix}`, () => {
			const splitter = new LengthSplitter(Number.POSITIVE_INFINITY);
			assert.throws(() => split(splitter, [Buffer.from(prefix, "hex")]), throwsCode("ERR_PROTOCOL"));
		});
	}

	it("takes a prefix that is longer than it need be, unless it was told not to", () => {
		const record = Buffer.from("810007", "hex");
		assert.deepEqual(split(new LengthSplitter(100), [record]), [Buffer.from([7])]);
		const strict = new LengthSplitter(100, { shortestPrefix: true });
		assert.deepEqual(split(strict, [Buffer.from("0107", "hex")]), [Buffer.from([7])]);
		assert.throws(() => split(strict, [record]), throwsCode("ERR_PROTOCOL"));
	});

	it("allocates nothing for a length that was only claimed", () => {
		const splitter = new LengthSplitter(Number.POSITIVE_INFINITY);
		const before = process.memoryUsage().arrayBuffers;
		assert.deepEqual(split(splitter, [writeLengthPrefix(0x7fffffff), Buffer.alloc(10)]), []);
		assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
	});

	it("hands out what it holds, a begun prefix included", () => {
		const splitter = new LengthSplitter(1_000);
		assert.deepEqual(split(splitter, [Buffer.from([1, 9, 0x80])]), [Buffer.from([9])]);
		assert.equal(splitter.pendingBytes, 1);
		assert.deepEqual(splitter.rest(), Buffer.from([0x80]));
		assert.equal(splitter.pendingBytes, 0);
	});
});
