import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../../lib/forwarding/wire/byte-reader.js";
import { ByteWriter, varintSize } from "../../../lib/forwarding/wire/byte-writer.js";
import { throwsCode } from "../../protocols/messages.js";
import { number } from "./arbitraries.js";

const breaksProtocol = throwsCode("ERR_LINK_PROTOCOL");

function reading(hex: string): ByteReader {
	return new ByteReader(Buffer.from(hex, "hex"));
}

function written(write: (writer: ByteWriter) => void): Buffer {
	const writer = new ByteWriter(1);
	write(writer);
	return writer.copy();
}

describe("forwarding/wire/byte-reader", () => {
	for (const [value, hex] of [
		[0, "00"],
		[127, "7f"],
		[128, "8001"],
		[0xffff_ffff, "ffffffff0f"],
		[2 ** 32, "8080808010"],
		[Number.MAX_SAFE_INTEGER, "ffffffffffffff0f"],
	] as const) {
		it(`reads and writes ${value} as ${hex}`, () => {
			assert.equal(written((writer) => writer.varint(value)).toString("hex"), hex);
			assert.equal(reading(hex).varint(), value);
			assert.equal(varintSize(value), hex.length / 2);
		});
	}

	for (const [name, hex] of Object.entries({
		"no byte at all": "",
		"a number that does not end": "ff",
		"a number that is longer than it need be": "8000",
		"a number above 2^53 - 1": "8080808080808010",
		"a number of nine bytes": "808080808080808001",
	})) {
		it(`refuses ${name}`, () => assert.throws(() => reading(hex).varint(), breaksProtocol));
	}

	it("gives back every number", () => {
		fc.assert(
			fc.property(number, (value) => {
				const bytes = written((writer) => writer.varint(value));
				const reader = new ByteReader(bytes);
				assert.equal(reader.varint(), value);
				assert.ok(reader.isAtEnd);
				assert.equal(varintSize(value), bytes.length);
			}),
		);
	});

	it("gives back every text, also one with the character that stands for bytes which are no UTF-8", () => {
		const text = fc.oneof(
			fc.string({ unit: "grapheme" }),
			fc.string({ maxLength: 100 }),
			fc.constant("\ufffd\ufeff"),
		);
		fc.assert(
			fc.property(text, (value) => {
				const reader = new ByteReader(written((writer) => writer.text(value)));
				assert.equal(reader.text(), value);
				assert.ok(reader.isAtEnd);
			}),
		);
	});

	it("refuses a text that is not UTF-8, or longer than what is left", () => {
		assert.throws(() => reading("01ff").text(), breaksProtocol);
		assert.throws(() => reading("03c3a9").text(), breaksProtocol);
		assert.throws(() => reading("ffffffffffffff0f").text(), breaksProtocol);
	});

	it("refuses a name of more than 256 bytes, and writes none", () => {
		const name = "é".repeat(128);
		assert.equal(new ByteReader(written((writer) => writer.name(name, "A name"))).name("a name"), name);
		const writer = new ByteWriter(1);
		assert.throws(() => writer.name(`${name}x`, "A name"), throwsCode("ERR_FORWARD_TOO_LARGE"));
		assert.equal(writer.length, 0);
		assert.throws(() => new ByteReader(written((w) => w.text(`${name}x`))).name("a name"), breaksProtocol);
	});

	it("writes no half of a surrogate pair", () => {
		for (const text of ["\ud800", `${"x".repeat(50)}\udc00`])
			assert.throws(() => new ByteWriter(1).text(text), throwsCode("ERR_SERIALIZATION"));
	});

	it("reads nothing beyond what it was confined to, and refuses bytes that are left over", () => {
		const reader = reading("010203");
		const outer = reader.enter(2);
		assert.equal(reader.byte(), 1);
		assert.throws(() => reader.take(2), breaksProtocol);
		assert.throws(() => reader.leave(outer), breaksProtocol);
		assert.equal(reader.byte(), 2);
		assert.throws(() => reader.byte(), breaksProtocol);
		reader.leave(outer);
		assert.equal(reader.byte(), 3);
		assert.throws(() => reader.enter(1), breaksProtocol);
	});

	it("refuses a count that the bytes left cannot hold", () => {
		assert.equal(reading("020000").count(1), 2);
		assert.throws(() => reading("ffffffff0f0000").count(1), breaksProtocol);
	});

	it("gives views, not copies", () => {
		const bytes = Buffer.from("0201020304", "hex");
		const reader = new ByteReader(bytes);
		for (const part of [reader.blob(), reader.rest()]) assert.equal(part.buffer, bytes.buffer);
	});
});
