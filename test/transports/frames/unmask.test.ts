import assert from "node:assert/strict";
import fc from "fast-check";
import { unmask } from "../../../lib/transports/frames/unmask.js";

describe("transports/frames/unmask", () => {
	it("takes the mask off and moves the payload, wherever it lies and whatever its length", () => {
		const payload = fc.oneof(
			fc.uint8Array({ maxLength: 20 }),
			fc.uint8Array({ minLength: 120, maxLength: 300 }),
		);
		const key = fc.uint8Array({ minLength: 4, maxLength: 4 });
		fc.assert(
			fc.property(payload, key, fc.nat(20), fc.nat(20), fc.nat(8), (data, mask, before, back, offset) => {
				const from = before + 4;
				const bytes = Buffer.from(new ArrayBuffer(offset + from + data.length + 3), offset);
				bytes.fill(0xee);
				bytes.set(mask, before);
				for (const [at, byte] of data.entries()) bytes[from + at] = byte ^ (mask[at % 4] ?? 0);
				const to = Math.max(0, from - back);
				const bits = unmask(bytes, { from, length: data.length }, to);
				assert.deepEqual([...bytes.subarray(to, to + data.length)], [...data]);
				assert.equal(
					bits,
					data.reduce((all, byte) => all | byte, 0),
				);
				assert.deepEqual([...bytes.subarray(from + data.length)], [0xee, 0xee, 0xee]);
				assert(bytes.subarray(0, Math.min(to, before)).every((byte) => byte === 0xee));
			}),
			{ numRuns: 500 },
		);
	});
});
