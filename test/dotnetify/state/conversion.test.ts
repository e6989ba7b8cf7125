import assert from "node:assert/strict";
import fc from "fast-check";
import { convertLike, ownData } from "../../../lib/dotnetify/state/conversion.js";

describe("dotnetify/state/conversion", () => {
	const converted: readonly (readonly [unknown, unknown, unknown])[] = [
		["text", null, ""],
		["text", 3, "3"],
		["text", { a: 1 }, '{"a":1}'],
		[1, "3", 3],
		[1, " -2.5e1 ", -25],
		[1.5, 2n, 2],
		[true, "False", false],
		[false, "true", true],
		[1n, "12345678901234567890", 12345678901234567890n],
		[[1], null, []],
		[[1], "[1,2]", [1, 2]],
		[{ a: 1 }, '{"a":2}', { a: 2 }],
		[{ a: 1 }, null, null],
		[null, { a: 1 }, { a: 1 }],
		[undefined, "x", "x"],
	];
	for (const [current, sent, result] of converted) {
		it(`makes ${String(JSON.stringify(sent, (_, v) => (typeof v === "bigint" ? `${v}n` : v)))} of ${typeof current} ${typeof result}`, () => {
			assert.deepEqual(convertLike(current, sent), result);
		});
	}

	it("reads every form of a number, and refuses what only looks like one", () => {
		for (const text of ["1.", ".5", "+1", "-0", "1e5", "1.5E-3", "007"])
			assert.equal(convertLike(0, text), Number(text), text);
		for (const text of [".", "1.2.3", "1e", "e1", "--1", "1 2", "1x"])
			assert.throws(() => convertLike(0, text), { name: "ArgumentException" }, text);
	});

	it("reads no number, boolean or date from a text of more than 400 characters, and does not send it back", () => {
		assert.equal(convertLike(0, `${"0".repeat(399)}7`), 7);
		assert.equal(convertLike(0n, `${"0".repeat(399)}7`), 7n);
		for (const current of [0, 0.5, 1n, true, new Date(0)]) {
			for (const text of [
				"0".repeat(401),
				`${"1".repeat(30_000)}x`,
				`${" ".repeat(400)}1`,
				`true${" ".repeat(400)}`,
			]) {
				assert.throws(
					() => convertLike(current, text),
					(error: Error) => error.name === "ArgumentException" && error.message.length < 500,
				);
			}
		}
		assert.equal(convertLike("text", "a".repeat(30_000)), "a".repeat(30_000));
	});

	it("reads dates and bytes", () => {
		assert.deepEqual(
			convertLike(new Date(0), "2026-01-02T03:04:05.000Z"),
			new Date(Date.UTC(2026, 0, 2, 3, 4, 5)),
		);
		assert.deepEqual(convertLike(new Uint8Array(), "AQI="), Buffer.from([1, 2]));
	});

	const refused: readonly (readonly [unknown, unknown, string, string])[] = [
		[0, "abc", "ArgumentException", "abc is not a valid value for Int32. (Parameter 'value')"],
		[0.5, "abc", "ArgumentException", "abc is not a valid value for Double. (Parameter 'value')"],
		[0, null, "ArgumentException", " is not a valid value for Int32. (Parameter 'value')"],
		[0, "0x10", "ArgumentException", "0x10 is not a valid value for Int32. (Parameter 'value')"],
		[true, "yes", "FormatException", "yes is not a valid value for Boolean."],
		[new Date(0), "soon", "FormatException", "soon is not a valid value for DateTime."],
		[[], "x", "ArgumentException", "The value is not a list. (Parameter 'value')"],
		[{}, [1], "ArgumentException", "The value is not an object. (Parameter 'value')"],
		[new Uint8Array(), 1, "ArgumentException", "The value is not base64 text. (Parameter 'value')"],
	];
	for (const [current, sent, name, message] of refused) {
		it(`refuses ${JSON.stringify(sent)} for ${typeof current} ${String(current)}`, () => {
			assert.throws(() => convertLike(current, sent), { name, message });
		});
	}

	it("keeps the class and the fields of an instance", () => {
		class Point {
			x = 0;
			y = 0;
		}
		const point = convertLike(new Point(), { x: "3", z: 1 });
		assert.ok(point instanceof Point);
		assert.deepEqual({ ...point }, { x: 3, y: 0 });
	});

	it("copies data without fields called __proto__", () => {
		const copy = ownData(JSON.parse('{"a":[{"__proto__":{"polluted":1},"b":2}]}')) as { a: object[] };
		assert.deepEqual(Object.keys(copy.a[0] ?? {}), ["b"]);
		assert.equal(Object.getPrototypeOf(copy.a[0]), Object.prototype);
	});

	it("keeps the type of the member whatever is sent, or refuses it", () => {
		fc.assert(
			fc.property(fc.constantFrom("text", 0, 1.5, true, 1n), fc.jsonValue(), (current, sent) => {
				let result: unknown;
				try {
					result = convertLike(current, sent);
				} catch (thrown) {
					assert.match((thrown as Error).name, /^(Argument|Format)Exception$/);
					return;
				}
				assert.equal(typeof result, typeof current);
			}),
		);
	});
});
