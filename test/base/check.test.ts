import assert from "node:assert/strict";
import { countOption, durationOption, limitOption } from "../../lib/base/index.js";

const refused = (run: () => unknown, message: RegExp): void =>
	assert.throws(run, (error: { code?: string; message?: string }) => {
		assert.equal(error.code, "ERR_OPTION");
		assert.match(error.message ?? "", message);
		return true;
	});

describe("base/check", () => {
	it("gives the default for what is absent, and the value for what is there", () => {
		assert.deepEqual(
			[countOption("n", undefined, 5), countOption("n", 7, 5), countOption("n", 0, 5, 0)],
			[5, 7, 0],
		);
		assert.deepEqual([durationOption("t", undefined, 5), durationOption("t", 0.5, 5)], [5, 0.5]);
		assert.deepEqual(
			[limitOption("l", undefined, 5), limitOption("l", 3, 5), limitOption("l", null, 5)],
			[5, 3, Infinity],
		);
	});

	it("refuses the rest, and says name, what was expected and what was found", () => {
		for (const value of [-1, 0, 1.5, Number.NaN, Infinity, "5", [], {}, () => 5]) {
			refused(
				() => countOption("maxThings", value as number, 5),
				/"maxThings" must be a whole number of at least 1; found /,
			);
		}
		for (const value of [0, -1, Number.NaN, 2 ** 31, "5"]) {
			refused(
				() => durationOption("waitMs", value as number, 5),
				/"waitMs" must be a number of milliseconds/,
			);
		}
	});
});
