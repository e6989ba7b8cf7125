import assert from "node:assert/strict";
import { Arguments } from "../../lib/protocols/index.js";

describe("protocols/arguments", () => {
	it("holds values", () => {
		const args = Arguments.of([1, "a"]);
		assert.deepEqual(
			[args.values, args.first, args.encoding, args.bytes],
			[[1, "a"], 1, undefined, undefined],
		);
		assert.equal(Arguments.of([]).first, undefined);
	});

	it("decodes bytes on first use, and once", () => {
		let decoded = 0;
		const bytes = Buffer.from("[7]");
		const args = Arguments.from("json", bytes, () => {
			decoded++;
			return [7];
		});
		assert.equal(decoded, 0);
		assert.equal(args.bytes, bytes);
		assert.deepEqual([args.first, args.values, decoded], [7, [7], 1]);
	});

	it("have bytes of their own where they ask for them, and a large chunk would be held for their sake", () => {
		const chunk = Buffer.alloc(65_536);
		chunk.write("[7]");
		const args = Arguments.from("json", chunk.subarray(0, 3), (bytes) => JSON.parse(String(bytes)));
		args.own();
		chunk.fill(0);
		assert.deepEqual([args.bytes?.buffer.byteLength, args.values], [3, [7]]);
		const own = args.bytes;
		args.own();
		assert.equal(args.bytes, own);
		Arguments.of([1]).own();
	});
});
