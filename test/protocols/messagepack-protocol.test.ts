import assert from "node:assert/strict";
import { inspect } from "node:util";
import { NullLogger } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import fc from "fast-check";
import { MAX_READ_DEPTH, messagePackProtocol } from "../../lib/protocols/index.js";
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

const stock = new MessagePackHubProtocol();

function parse(hex: string): PlainMessage | undefined {
	return toPlain(messagePackProtocol.parse(Buffer.from(hex, "hex")));
}

const BEFORE_ITEM = "940280a131";

/** Our bytes for one item in hex, without the message around it. */
function written(item: unknown): string {
	const record = unframed(
		messagePackProtocol,
		messagePackProtocol.write({ type: 2, invocationId: "1", item }),
	).toString("hex");
	assert.ok(record.startsWith(BEFORE_ITEM));
	return record.slice(BEFORE_ITEM.length);
}

function itemOf(hex: string): unknown {
	return parse(BEFORE_ITEM + hex)?.item;
}

function arrayBuffer(bytes: Buffer): ArrayBuffer {
	return Uint8Array.from(bytes).buffer;
}

/** What this protocol reads of a message that was written without the field. */
function asRead(message: PlainMessage): PlainMessage {
	return message.type === 7 ? { allowReconnect: false, ...message } : message;
}

/** The stock client's reader: no streamIds, no headers of 8 and 9, `null` for absent. */
function asStockReads(message: PlainMessage): PlainMessage {
	const { streamIds: _s, hasResult: _h, ...rest } = message;
	return rest as PlainMessage;
}

/** The stock client's writer: a close message is [7, nil] whatever is in it, an error of "" is none. */
function asStockWrites(message: PlainMessage): PlainMessage {
	if (message.type === 7) return { type: 7 };
	const { error, ...rest } = message;
	return error === "" ? (rest as PlainMessage) : message;
}

function withoutAbsent(message: object): object {
	const entries = Object.entries(message).filter(
		([name, field]) => field !== undefined && !isAbsent(name, field),
	);
	return Object.fromEntries(entries);
}

function isAbsent(name: string, field: unknown): boolean {
	if (name === "headers") return Object.keys(field as object).length === 0;
	return name === "streamIds" || (field === null && (name === "error" || name === "invocationId"));
}

describe("protocols/messagepack-protocol", () => {
	const vectors = readVectors<{ name: string; message: PlainMessage; messagepack: string }[]>("hub-messages");
	for (const { name, message, messagepack } of vectors) {
		it(`writes and reads: ${name}`, () => {
			assert.equal(messagePackProtocol.write(toMessage(message)).toString("hex"), messagepack);
			assert.deepEqual(
				toPlain(messagePackProtocol.parse(unframed(messagePackProtocol, Buffer.from(messagepack, "hex")))),
				message,
			);
		});
	}

	for (const { name, record, message } of readVectors<{ messagepack: RecordVector[] }>("accepted-records")
		.messagepack) {
		it(`accepts ${name}`, () => assert.deepEqual(parse(record), message));
	}

	for (const { name, record } of readVectors<{ messagepack: RecordVector[] }>("refused-records")
		.messagepack) {
		it(`refuses ${name}`, () => assert.throws(() => parse(record), throwsCode("ERR_PROTOCOL")));
	}

	it("reads what it wrote", () => {
		fc.assert(
			fc.property(plainMessage, (message) => {
				const record = unframed(messagePackProtocol, messagePackProtocol.write(toMessage(message)));
				assert.deepEqual(toPlain(messagePackProtocol.parse(record)), asRead(message));
			}),
		);
	});

	it("is read by the stock client's protocol", () => {
		fc.assert(
			fc.property(plainMessage, (message) => {
				const bytes = messagePackProtocol.write(toMessage(message));
				const [read] = stock.parseMessages(arrayBuffer(bytes), NullLogger.instance);
				// It knows neither stream invocations nor cancellations from a server.
				if (message.type === 4 || message.type === 5) return assert.equal(read, undefined);
				assert.deepEqual(withoutAbsent(read ?? {}), asStockReads(message));
			}),
		);
	});

	it("reads what the stock client's protocol writes", () => {
		fc.assert(
			fc.property(plainMessage, (message) => {
				const { hasResult: _, ...plain } = message;
				const bytes = Buffer.from(
					stock.writeMessage(plain as unknown as Parameters<typeof stock.writeMessage>[0]),
				);
				const read = toPlain(messagePackProtocol.parse(unframed(messagePackProtocol, bytes)));
				assert.deepEqual(read, asStockWrites(message));
			}),
		);
	});

	it("throws nothing but ERR_PROTOCOL for any bytes", () => {
		const start = fc.constantFrom("", "91", "96", "960180c0a141", BEFORE_ITEM, "950380a131", "9207");
		fc.assert(
			fc.property(start, fc.uint8Array(), (hex, bytes) => {
				try {
					messagePackProtocol.parse(Buffer.concat([Buffer.from(hex, "hex"), bytes]));
				} catch (thrown) {
					throwsCode("ERR_PROTOCOL")(thrown);
				}
			}),
			{ numRuns: 2_000 },
		);
	});

	it("throws nothing but ERR_PROTOCOL for a message with one byte changed", () => {
		fc.assert(
			fc.property(plainMessage, fc.nat(), fc.nat(255), (message, at, byte) => {
				const record = Buffer.from(
					unframed(messagePackProtocol, messagePackProtocol.write(toMessage(message))),
				);
				record[at % record.length] = byte;
				try {
					messagePackProtocol.parse(record);
				} catch (thrown) {
					throwsCode("ERR_PROTOCOL")(thrown);
				}
			}),
			{ numRuns: 1_000 },
		);
	});

	it("writes whole numbers as integers of the shortest form", () => {
		const forms: [unknown, string][] = [
			[0, "00"],
			[-0, "00"],
			[127, "7f"],
			[-32, "e0"],
			[255, "ccff"],
			[2 ** 32 - 1, "ceffffffff"],
			[2 ** 32, "d30000000100000000"],
			[-(2 ** 31) - 1, "d3ffffffff7fffffff"],
			[Number.MAX_SAFE_INTEGER, "d3001fffffffffffff"],
			[5n, "05"],
			[2n ** 63n - 1n, "d37fffffffffffffff"],
			[2n ** 64n - 1n, "cfffffffffffffffff"],
			[1.5, "cb3ff8000000000000"],
		];
		assert.deepEqual(
			forms.map(([value]) => written(value)),
			forms.map(([, hex]) => hex),
		);
	});

	it("reads integers beyond 2^53 as BigInt and all others as numbers", () => {
		assert.equal(itemOf("d3001fffffffffffff"), Number.MAX_SAFE_INTEGER);
		assert.equal(itemOf("cfffffffffffffffff"), 2n ** 64n - 1n);
		assert.equal(itemOf("d38000000000000000"), -(2n ** 63n));
	});

	it("writes and reads bytes as bin", () => {
		assert.equal(written(Buffer.from([1, 2])), "c4020102");
		assert.equal(written(Uint8Array.from([1, 2])), "c4020102");
		assert.equal(written(Uint8Array.from([1, 2]).buffer), "c4020102");
		assert.deepEqual(Buffer.from(itemOf("c4020102") as Uint8Array), Buffer.from([1, 2]));
	});

	it("copies bytes out of the record", () => {
		const record = Buffer.from(`${BEFORE_ITEM}c4020102`, "hex");
		const message = toPlain(messagePackProtocol.parse(record));
		record.fill(0);
		assert.deepEqual(Buffer.from(message?.item as Uint8Array), Buffer.from([1, 2]));
	});

	it("writes and reads dates as timestamps in all three forms", () => {
		const dates = [new Date(1_700_000_000_000), new Date(1_700_000_000_123), new Date(-1)];
		assert.deepEqual(dates.map(written), [
			"d6ff6553f100",
			"d7ff1d5353006553f100",
			"c70cff3b8b87c0ffffffffffffffff",
		]);
		assert.deepEqual(
			dates.map((date) => itemOf(written(date))),
			dates,
		);
		assert.equal(written(new Date(Number.NaN)), "c0");
	});

	it("writes undefined as nil, and Map, Set and toJSON as the json protocol does", () => {
		assert.equal(written(undefined), "c0");
		assert.equal(written([undefined, () => 1]), "92c0c0");
		assert.equal(written({ a: undefined, b: 1 }), "81a16201");
		assert.equal(written(new Map([["a", 1]])), "81a16101");
		assert.equal(written(new Set([1])), "9101");
		assert.equal(written({ toJSON: () => [2 ** 40] }), "91d30000010000000000");
		assert.equal(written({ toJSON: 1, constructor: 2 }), "82a6746f4a534f4e01ab636f6e7374727563746f7202");
	});

	it("refuses values that cannot be written, and goes on with the next", () => {
		const cycle: unknown[] = [];
		cycle.push({ cycle }, { cycle });
		const throwing = {
			get field(): unknown {
				throw new Error("boom");
			},
		};
		for (const value of [cycle, throwing, 2n ** 64n, -(2n ** 63n) - 1n, ["x", 2n ** 64n]]) {
			assert.throws(() => written(value), throwsCode("ERR_SERIALIZATION"));
			assert.equal(written(1), "01");
		}
	});

	it("refuses messages that are nested too deep, and reads those at the limit", () => {
		const nested = (depth: number) => `${"91".repeat(depth - 1)}90`;
		assert.ok(Array.isArray(itemOf(nested(MAX_READ_DEPTH - 1))));
		assert.throws(() => itemOf(nested(MAX_READ_DEPTH)), throwsCode("ERR_PROTOCOL"));
		assert.throws(() => parse("91".repeat(32_768)), throwsCode("ERR_PROTOCOL"));
		assert.throws(() => itemOf("81a161".repeat(10_000)), throwsCode("ERR_PROTOCOL"));
	});

	it("quotes nothing of a message that it refuses: errors go to logs", () => {
		const secret = Buffer.from("hunter2hunter2");
		const text = Buffer.concat([Buffer.from([0xa0 + secret.length]), secret]);
		const records = [
			text,
			Buffer.concat([Buffer.from([0x92, 0x01]), text]),
			Buffer.concat([Buffer.from([0x91]), text, text]),
			Buffer.concat([Buffer.from([0xd6, 0xff]), secret]),
			Buffer.concat([Buffer.from([0x92]), text, Buffer.from([0xc7, 0x0e, 0xff]), secret]),
		];
		for (const record of records) {
			assert.throws(
				() => messagePackProtocol.parse(record),
				(error: Error) => !inspect(error, { depth: 9 }).includes("hunter"),
			);
		}
	});

	it("leaves prototypes alone", () => {
		// {"__proto__": {"polluted": 1}}
		const item = itemOf("81a95f5f70726f746f5f5f81a8706f6c6c7574656401") as { polluted?: number };
		assert.equal(item.polluted, undefined);
		assert.equal(Object.getPrototypeOf(item), Object.prototype);
		assert.equal(({} as { polluted?: number }).polluted, undefined);
	});
});
