import assert from "node:assert/strict";
import fc from "fast-check";
import { KeptMessages } from "../../../lib/hub/channel/kept-messages.js";

describe("hub/channel/kept-messages", () => {
	it("gives back what was pushed and not shifted, in order, whatever the sizes", () => {
		const size = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constantFrom(500, 4_095, 4_096, 20_000));
		const step = fc.oneof(
			{ weight: 3, arbitrary: size },
			{ weight: 2, arbitrary: fc.constant("shift" as const) },
		);
		fc.assert(
			fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
				const kept = new KeptMessages();
				let expected: Buffer[] = [];
				for (const [at, what] of steps.entries()) {
					if (what === "shift") {
						kept.shift();
						expected = expected.slice(1);
						continue;
					}
					const message = Buffer.alloc(what, at);
					kept.push(message);
					expected.push(message);
				}
				const bytes = Buffer.concat(expected);
				assert.equal(Buffer.compare(Buffer.concat([...kept.pieces()]), bytes), 0);
				assert.deepEqual([kept.length, kept.size], [expected.length, bytes.length]);
			}),
			{ numRuns: 300 },
		);
	});

	it("keeps a hundred thousand messages of ten bytes in pieces of 16 KiB, and not the pools they came in", () => {
		const kept = new KeptMessages();
		for (let at = 0; at < 100_000; at++) kept.push(Buffer.from("0123456789"));
		const pieces = [...kept.pieces()];
		assert(pieces.length < 80, `${pieces.length} pieces`);
		const held = pieces.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
		assert(held < kept.size * 1.1, `${held} bytes held for ${kept.size}`);
	});

	it("holds nothing once all was shifted", () => {
		const kept = new KeptMessages();
		for (let at = 0; at < 3; at++) kept.push(Buffer.from("x"));
		for (let at = 0; at < 5; at++) kept.shift();
		assert.deepEqual([kept.length, kept.size, [...kept.pieces()].length], [0, 0, 0]);
	});
});
