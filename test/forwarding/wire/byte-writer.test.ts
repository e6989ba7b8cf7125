import assert from "node:assert/strict";
import { ByteWriter } from "../../../lib/forwarding/wire/byte-writer.js";

describe("forwarding/wire/byte-writer", () => {
	it("keeps what it holds when it grows", () => {
		const writer = new ByteWriter(1);
		for (let value = 0; value < 500; value++) writer.byte(value & 0xff);
		assert.deepEqual(
			[...writer.copy()],
			Array.from({ length: 500 }, (_, value) => value & 0xff),
		);
	});

	it("moves an end to another place, and writes over what stands", () => {
		const writer = new ByteWriter(4);
		writer.bytes(Buffer.from([1, 2, 3, 4]));
		writer.move(1, 3);
		assert.equal(writer.length, 6);
		writer.byteAt(8, 1);
		writer.varintAt(9, 2);
		assert.deepEqual([...writer.copy()], [1, 8, 9, 2, 3, 4]);
		writer.move(3, 1);
		assert.deepEqual([...writer.copy()], [1, 2, 3, 4]);
	});

	it("forgets what is cut off", () => {
		const writer = new ByteWriter(4);
		writer.text("abc");
		writer.truncate(2);
		writer.byte(0);
		assert.deepEqual([...writer.copy()], [3, 0x61, 0]);
		writer.shrink(2);
		assert.equal(writer.length, 0);
	});
});
