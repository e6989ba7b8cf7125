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
});
