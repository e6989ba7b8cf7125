import assert from "node:assert/strict";
import fc from "fast-check";
import { Fifo } from "../../lib/base/index.js";
import { collectedHeap } from "../collected-heap.js";

type Step =
	| { readonly name: "push" | "unshift" | "extract"; readonly values: readonly number[] }
	| { readonly name: "shift" };

const step: fc.Arbitrary<Step> = fc.oneof(
	fc.record({
		name: fc.constantFrom("push", "unshift", "extract"),
		values: fc.array(fc.nat(9), { maxLength: 4 }),
	}),
	fc.constant({ name: "shift" as const }),
);

function apply(fifo: Fifo<number>, model: number[], step: Step): void {
	switch (step.name) {
		case "push":
			for (const value of step.values) fifo.push(value);
			model.push(...step.values);
			return;
		case "unshift":
			fifo.unshift(step.values);
			model.unshift(...step.values);
			return;
		case "extract": {
			const taken = fifo.extract((value) => step.values.includes(value));
			const kept = model.filter((value) => !step.values.includes(value));
			assert.deepEqual(
				taken,
				model.filter((value) => step.values.includes(value)),
			);
			model.splice(0, model.length, ...kept);
			return;
		}
		case "shift":
			assert.equal(fifo.shift(), model.shift());
	}
}

describe("base/fifo", () => {
	it("is an array for whoever looks at it, whatever is done to it", () => {
		fc.assert(
			fc.property(fc.array(step), (steps) => {
				const [fifo, model] = [new Fifo<number>(), [] as number[]];
				for (const each of steps) {
					apply(fifo, model, each);
					assert.deepEqual([...fifo], model);
					assert.equal(fifo.length, model.length);
					assert.equal(fifo.first, model[0]);
				}
			}),
		);
	});

	it("keeps its order through many thousand items, and forgets those that are gone", () => {
		const fifo = new Fifo<number>();
		let next = 0;
		for (let round = 0; round < 20_000; round++) {
			fifo.push(round);
			if (round % 3 !== 0) assert.equal(fifo.shift(), next++);
		}
		assert.equal(fifo.length, 20_000 - next);
		fifo.clear();
		assert.equal(fifo.shift(), undefined);
	});

	it("keeps no room for thousands that have come and gone", async () => {
		const before = await collectedHeap();
		const fifos = Array.from({ length: 1_000 }, () => {
			const fifo = new Fifo<number>();
			for (let round = 0; round < 1_000; round++) {
				fifo.push(round);
				fifo.shift();
			}
			for (let round = 0; round < 200; round++) fifo.push(round);
			while (fifo.length > 0) fifo.shift();
			return fifo;
		});
		const bytes = ((await collectedHeap()) - before) / fifos.length;
		assert.ok(bytes < 1_000, `${Math.round(bytes)} bytes for each of ${fifos.length}`);
	});
});
