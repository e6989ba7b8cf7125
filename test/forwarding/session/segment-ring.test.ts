import assert from "node:assert/strict";
import fc from "fast-check";
import { SegmentRing } from "../../../lib/forwarding/session/segment-ring.js";

describe("forwarding/session/segment-ring", () => {
	it("holds what was put in, wherever the range has moved", () => {
		const step = fc.record({ ahead: fc.nat(300), forget: fc.nat(40), rest: fc.boolean() });
		fc.assert(
			fc.property(
				fc.array(step, { maxLength: 100 }),
				fc.constantFrom(1, 2 ** 31 - 50, 2 ** 45),
				(steps, start) => {
					const ring = new SegmentRing<number>();
					const model = new Map<number, number>();
					let first = start;
					for (const { ahead, forget, rest } of steps) {
						ring.set(first + ahead, first + ahead, first);
						model.set(first + ahead, first + ahead);
						for (const end = first + forget; first < end; first++) {
							assert.equal(ring.take(first), model.get(first));
							model.delete(first);
						}
						if (rest && model.size === 0) ring.rest();
						for (let seq = first; seq < first + 40; seq++) assert.equal(ring.get(seq), model.get(seq));
					}
				},
			),
		);
	});

	it("gives back what it has grown to once it is empty", () => {
		const ring = new SegmentRing<number>();
		for (let seq = 1; seq <= 10_000; seq++) ring.set(seq, seq, 1);
		for (let seq = 1; seq <= 10_000; seq++) assert.equal(ring.take(seq), seq);
		ring.rest();
		ring.set(10_001, 1, 10_001);
		assert.equal(ring.get(10_001), 1);
	});
});
