import assert from "node:assert/strict";
import { inspect } from "node:util";
import { JsonHubProtocol, NullLogger } from "@microsoft/signalr";
import fc from "fast-check";
import { Arguments, type HubMessage, jsonProtocol, MAX_READ_DEPTH } from "../../lib/protocols/index.js";
import {
	type PlainMessage,
	plainMessage,
	type RecordVector,
	readVectors,
	throwsCode,
	toMessage,
	toPlain,
	unframed,
} from "./messages.js";

const stock = new JsonHubProtocol();

function parse(text: string): PlainMessage | undefined {
	return toPlain(jsonProtocol.parse(Buffer.from(text)));
}

/** Our bytes for one item, without the message around it. */
function written(item: unknown): string {
	const text = jsonProtocol.write({ type: 2, invocationId: "1", item }).toString();
	return text.slice('{"type":2,"invocationId":"1","item":'.length, -2);
}

/** What only the other protocol says. */
function asJsonReads(message: PlainMessage): PlainMessage {
	const { allowReconnect, ...rest } = message;
	return (allowReconnect === false ? rest : message) as PlainMessage;
}

describe("protocols/json-protocol", () => {
	it("quotes nothing of a message that it refuses: errors go to logs", () => {
		for (const text of [
			'{"password": hunter2}',
			'{"type":1,"hunter2',
			"hunter2",
			'"hunter2"',
			'{"type":"hunter2"}',
		]) {
			assert.throws(
				() => parse(text),
				(error: Error) => !inspect(error, { depth: 9 }).includes("hunter"),
				text,
			);
		}
	});

	for (const { name, message, json } of readVectors<{ name: string; message: PlainMessage; json: string }[]>(
		"hub-messages",
	)) {
		it(`writes and reads: ${name}`, () => {
			assert.equal(jsonProtocol.write(toMessage(message)).toString(), `${json}\u001e`);
			assert.deepEqual(parse(json), asJsonReads(message));
		});
	}

	for (const { name, record, message } of readVectors<{ json: RecordVector[] }>("accepted-records").json) {
		it(`accepts ${name}`, () => assert.deepEqual(parse(record), message));
	}

	for (const { name, record } of readVectors<{ json: RecordVector[] }>("refused-records").json) {
		it(`refuses ${name}`, () => assert.throws(() => parse(record), throwsCode("ERR_PROTOCOL")));
	}

	it("refuses bytes that are not UTF-8", () => {
		const record = Buffer.concat([
			Buffer.from('{"type":7,"error":"'),
			Buffer.from([0xff]),
			Buffer.from('"}'),
		]);
		assert.throws(() => jsonProtocol.parse(record), throwsCode("ERR_PROTOCOL"));
	});

	it("reads what it wrote", () => {
		fc.assert(
			fc.property(plainMessage, (message) => {
				const record = unframed(jsonProtocol, jsonProtocol.write(toMessage(message)));
				assert.deepEqual(toPlain(jsonProtocol.parse(record)), asJsonReads(message));
			}),
		);
	});

	it("is read by the stock client's protocol", () => {
		fc.assert(
			fc.property(plainMessage, (message) => {
				const read = stock.parseMessages(
					jsonProtocol.write(toMessage(message)).toString(),
					NullLogger.instance,
				);
				const { hasResult: _, ...expected } = asJsonReads(message);
				// It knows neither stream invocations nor cancellations from a server.
				assert.deepEqual(read, message.type === 4 || message.type === 5 ? [] : [expected]);
			}),
		);
	});

	it("reads what the stock client's protocol writes", () => {
		fc.assert(
			fc.property(plainMessage, (message) => {
				const { hasResult: _, ...plain } = message;
				const text = stock.writeMessage(plain as unknown as Parameters<typeof stock.writeMessage>[0]);
				assert.deepEqual(toPlain(jsonProtocol.parse(unframed(jsonProtocol, Buffer.from(text)))), message);
			}),
		);
	});

	it("throws nothing but ERR_PROTOCOL for any bytes", () => {
		const anything = fc.oneof(
			fc.uint8Array().map((bytes) => Buffer.from(bytes)),
			fc.json().map((text) => Buffer.from(text)),
			fc
				.dictionary(
					fc.constantFrom("type", "target", "arguments", "invocationId", "headers", "item"),
					fc.jsonValue(),
				)
				.map((fields) => Buffer.from(JSON.stringify(fields))),
		);
		fc.assert(
			fc.property(anything, (record) => {
				try {
					jsonProtocol.parse(record);
				} catch (thrown) {
					throwsCode("ERR_PROTOCOL")(thrown);
				}
			}),
		);
	});

	it("writes what JSON lacks in SignalR's way", () => {
		const bytes = Uint8Array.from([1, 2, 3]);
		assert.equal(written(Buffer.from(bytes)), '"AQID"');
		assert.equal(written(bytes), '"AQID"');
		assert.equal(written(bytes.buffer), '"AQID"');
		assert.equal(written(bytes.subarray(1, 2)), '"Ag=="');
		assert.equal(written({ data: bytes, list: [bytes] }), '{"data":"AQID","list":["AQID"]}');
		assert.equal(written(new Date(0)), '"1970-01-01T00:00:00.000Z"');
		assert.equal(written(new Date(Number.NaN)), "null");
		assert.equal(written(undefined), "null");
		assert.equal(written([undefined, () => 1, Symbol("x")]), "[null,null,null]");
		assert.equal(written({ a: undefined, b: () => 1, c: 1 }), '{"c":1}');
		assert.equal(written([Number.NaN, Number.POSITIVE_INFINITY]), "[null,null]");
		assert.equal(written(new Map([["a", 1]])), '{"a":1}');
		assert.equal(written(new Set([1, 2])), "[1,2]");
		assert.equal(written(Float32Array.from([0.5])), "[0.5]");
	});

	it("writes a BigInt with all its digits", () => {
		const digits = "123456789012345678901234567890";
		assert.equal(written(BigInt(digits)), digits);
		assert.equal(
			written({ 'a"': [BigInt(digits), null, "x", { b: -1n }] }),
			`{"a\\"":[${digits},null,"x",{"b":-1}]}`,
		);
	});

	it("honours toJSON, also for what it returns", () => {
		class Money {
			#cents = 5n;
			toJSON(): unknown {
				return { cents: this.#cents, bytes: Buffer.from("hi") };
			}
		}
		assert.equal(written([new Money()]), '[{"cents":5,"bytes":"aGk="}]');
	});

	it("writes the own fields of an instance of a class", () => {
		class Point {
			x = 1n;
			#hidden = 2;
			get y(): number {
				return this.#hidden;
			}
		}
		assert.equal(written(new Point()), '{"x":1}');
	});

	it("leaves the value that it writes as it was", () => {
		const value = { bytes: Buffer.from("hi"), list: [1n, { none: undefined }] };
		written(value);
		assert.deepEqual(value, { bytes: Buffer.from("hi"), list: [1n, { none: undefined }] });
	});

	it("refuses values that cannot be written", () => {
		const cycle: { self?: unknown } = {};
		cycle.self = [cycle, cycle];
		const boom = new Error("boom");
		const throwing = {
			get field(): unknown {
				throw boom;
			},
		};
		for (const value of [cycle, throwing, { toJSON: () => cycle }, { list: [throwing] }]) {
			assert.throws(() => written(value), throwsCode("ERR_SERIALIZATION"));
		}
		assert.throws(() => written(throwing), { cause: boom });
	});

	it("refuses messages that are nested too deep, and reads those at the limit", () => {
		const nested = (depth: number) =>
			`{"type":2,"invocationId":"1","item":${"[".repeat(depth)}${"]".repeat(depth)}}`;
		assert.equal(parse(nested(MAX_READ_DEPTH - 1))?.type, 2);
		assert.throws(() => parse(nested(MAX_READ_DEPTH)), throwsCode("ERR_PROTOCOL"));
		assert.throws(() => parse("[".repeat(32_768)), throwsCode("ERR_PROTOCOL"));
		assert.throws(() => parse('{"a":'.repeat(6_000)), throwsCode("ERR_PROTOCOL"));
	});

	it("does not count brackets side by side or in texts as nesting", () => {
		const wide = { type: 2, invocationId: "1", item: [Array(500).fill([]), '\\"[{'.repeat(500), "\\"] };
		assert.deepEqual(parse(JSON.stringify(wide)), wide);
	});

	it("leaves prototypes alone", () => {
		const message = parse(
			'{"type":2,"invocationId":"1","item":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}',
		);
		const item = message?.item as object;
		assert.equal(Object.getPrototypeOf(item), Object.prototype);
		assert.equal(({} as { polluted?: number }).polluted, undefined);
		assert.equal(written({ ...item, n: 1n }).includes('"__proto__":{"polluted":1}'), true);
	});

	it("leaves out an id, headers and stream ids that are empty", () => {
		const message: HubMessage = {
			type: 1,
			invocationId: "",
			target: "A",
			arguments: Arguments.of([]),
			headers: {},
			streamIds: [],
		};
		assert.equal(jsonProtocol.write(message).toString(), '{"type":1,"target":"A","arguments":[]}\u001e');
	});

	it("takes arguments that were made from a peer's bytes", () => {
		const lazy = Arguments.from("json", Buffer.from("[1]"), () => [1]);
		const message: HubMessage = { type: 1, target: "A", arguments: lazy };
		assert.equal(jsonProtocol.write(message).toString(), '{"type":1,"target":"A","arguments":[1]}\u001e');
	});
});
