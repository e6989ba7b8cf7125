import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import fc from "fast-check";
import { jsonText, MAX_DATA_DEPTH, NotDataError, observableIn } from "../../../lib/dotnetify/state/data.js";
import { Subject } from "../subject.js";

describe("dotnetify/state/data", () => {
	it("writes everything that JSON has as JSON.stringify does", () => {
		fc.assert(
			fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
				assert.equal(jsonText(value), JSON.stringify(value));
			}),
		);
	});

	it("writes dates as ISO 8601, bytes as base64, BigInts as numbers, and what JSON lacks as null", () => {
		const value = {
			...{
				date: new Date(0),
				never: new Date(Number.NaN),
				bytes: new Uint8Array([1, 2, 255]),
				big: 12345678901234567890n,
			},
			...{ nan: Number.NaN, infinite: Number.POSITIVE_INFINITY, gone: undefined, list: [undefined, 1] },
		};
		assert.equal(
			jsonText(value),
			'{"date":"1970-01-01T00:00:00.000Z","never":null,"bytes":"AQL/","big":12345678901234567890,' +
				'"nan":null,"infinite":null,"list":[null,1]}',
		);
		assert.equal(jsonText(undefined), "null");
	});

	it("writes only the part of a buffer's memory that is its own", () => {
		assert.equal(jsonText(new Uint8Array(new Uint8Array([9, 1, 2, 9]).buffer, 1, 2)), '"AQI="');
	});

	it("takes an instance of a class without methods, or with toJSON, as a record", () => {
		class Employee {
			Id = 1;
			#salary = 9;
			get richness(): number {
				return this.#salary;
			}
		}
		class Money {
			cents = 5;
			add(): void {}
			toJSON(): string {
				return "0.05";
			}
		}
		assert.equal(jsonText([new Employee(), new Money(), Object.create(null)]), '[{"Id":1},"0.05",{}]');
	});

	const refused: readonly (readonly [string, () => unknown, RegExp])[] = [
		["a function", () => () => 1, /^a function$/],
		["a symbol", () => Symbol("x"), /^a symbol$/],
		["a Map", () => new Map(), /^a Map$/],
		["a promise", () => Promise.resolve(), /^a Promise$/],
		["an error", () => new Error("x"), /^a Error$/],
		["an emitter", () => new EventEmitter(), /EventEmitter, a class with methods/],
		["a regular expression", () => /x/, /^a RegExp$/],
		[
			"an instance of a class with methods",
			() =>
				new (class Repository {
					url = "secret";
					find(): void {}
				})(),
			/Repository/,
		],
		["a record with a function in it", () => ({ a: [{ b: () => 1 }] }), /^a function$/],
	];
	for (const [name, make, found] of refused) {
		it(`refuses ${name}`, () => {
			assert.throws(
				() => jsonText(make()),
				(thrown) => thrown instanceof NotDataError && found.test(thrown.found),
			);
		});
	}

	it("refuses a timer", () => {
		const timer = setTimeout(() => {}, 1_000);
		try {
			assert.throws(() => jsonText({ timer }), NotDataError);
		} finally {
			clearTimeout(timer);
		}
	});

	it("refuses a cycle and what is nested too deep", () => {
		const cycle: { self?: unknown } = {};
		cycle.self = cycle;
		assert.throws(() => jsonText(cycle), /deeper than 64 or refers to itself/);
		let deep: unknown = 1;
		for (let at = 0; at < MAX_DATA_DEPTH; at++) deep = [deep];
		assert.equal(jsonText(deep).length, 2 * MAX_DATA_DEPTH + 1);
		assert.throws(() => jsonText([deep]), NotDataError);
	});

	it("knows observables by subscribe and by Symbol.observable, and nothing else", () => {
		const subject = new Subject(1);
		assert.equal(observableIn(subject), subject);
		assert.equal(observableIn({ "@@observable": () => subject }), subject);
		for (const value of [null, 1, "x", {}, [], { subscribe: 1 }])
			assert.equal(observableIn(value), undefined);
	});
});
