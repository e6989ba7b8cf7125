import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_WRITE_DEPTH, plainValue, type ValueForm } from "../../lib/protocols/index.js";
import { throwsCode } from "./messages.js";

const unchanged: ValueForm = {
	bytes: (bytes) => bytes,
	date: (date) => date,
	number: (value) => value,
	bigint: (value) => value,
};
const marked: ValueForm = {
	...unchanged,
	bytes: (bytes) => `bytes ${bytes.length}`,
	bigint: (value) => `bigint ${value}`,
};

function nested(depth: number): unknown {
	return depth === 0 ? 1 : [nested(depth - 1)];
}

describe("protocols/plain-value", () => {
	it("returns what needs no change as it is", () => {
		fc.assert(
			fc.property(fc.jsonValue({ noNullPrototype: true } as fc.JsonSharedConstraints), (value) => {
				assert.equal(plainValue(value, unchanged), value);
			}),
		);
	});

	it("copies only what is changed, and keeps the order of fields", () => {
		const same = { list: [1] };
		const value = { z: same, bytes: Buffer.alloc(2), a: [same, 1n] };
		const plain = plainValue(value, marked) as { z: unknown; a: unknown[] };
		assert.deepEqual(plain, { z: same, bytes: "bytes 2", a: [same, "bigint 1"] });
		assert.deepEqual(Object.keys(plain), ["z", "bytes", "a"]);
		assert.equal(plain.z, same);
		assert.equal(plain.a[0], same);
	});

	it("makes null of what has no written form", () => {
		for (const value of [undefined, () => 1, Symbol("x"), { toJSON: () => undefined }]) {
			assert.equal(plainValue(value, unchanged), null);
		}
		assert.deepEqual(plainValue(Object.assign([], { 2: 1 }), unchanged), [null, null, 1]);
	});

	it("takes boxed values, views of bytes and typed arrays", () => {
		assert.deepEqual(plainValue([Object(1), Object("a"), Object(true)], unchanged), [1, "a", true]);
		assert.equal(plainValue(new DataView(new ArrayBuffer(3), 1), marked), "bytes 2");
		assert.equal(plainValue(new SharedArrayBuffer(3), marked), "bytes 3");
		assert.deepEqual(plainValue(BigInt64Array.from([5n]), marked), ["bigint 5"]);
	});

	it("writes values up to its depth and refuses deeper ones", () => {
		assert.ok(plainValue(nested(MAX_WRITE_DEPTH), unchanged));
		assert.throws(() => plainValue(nested(MAX_WRITE_DEPTH + 1), unchanged), throwsCode("ERR_SERIALIZATION"));
	});

	it("refuses endless chains of toJSON", () => {
		const endless = { toJSON: (): unknown => ({ toJSON: endless.toJSON }) };
		assert.throws(() => plainValue(endless, unchanged), throwsCode("ERR_SERIALIZATION"));
	});

	it("keeps a field named __proto__ a field", () => {
		const value = JSON.parse('{"__proto__":{"polluted":1},"drop":0}') as { drop?: unknown };
		value.drop = undefined;
		const plain = plainValue(value, unchanged) as object;
		assert.deepEqual(Object.keys(plain), ["__proto__"]);
		assert.equal(Object.getPrototypeOf(plain), Object.prototype);
	});

	it("throws nothing but ERR_SERIALIZATION for any value", () => {
		fc.assert(
			fc.property(
				fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true }),
				(value) => {
					try {
						plainValue(value, unchanged);
					} catch (thrown) {
						throwsCode("ERR_SERIALIZATION")(thrown);
					}
				},
			),
		);
	});
});
