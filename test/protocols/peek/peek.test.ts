import assert from "node:assert/strict";
import fc from "fast-check";
import { TrunklineError } from "../../../lib/errors/index.js";
import {
	type ArgumentEncoding,
	decodeRawMessage,
	firstText,
	type HubMessage,
	jsonProtocol,
	MAX_READ_DEPTH,
	messagePackProtocol,
	peek,
	writeMessagePack,
} from "../../../lib/protocols/index.js";
import {
	type PlainMessage,
	plainMessage,
	type RecordVector,
	readVectors,
	split,
	toMessage,
} from "../messages.js";

const PROTOCOLS = { json: jsonProtocol, messagepack: messagePackProtocol };
const ENCODINGS: readonly ArgumentEncoding[] = ["json", "messagepack"];

type Outcome = { readonly message: object | undefined } | { readonly refused: string };

/** What a message says, without fields that are absent. */
function said(message: HubMessage | undefined): object | undefined {
	if (!message) return undefined;
	const plain = "arguments" in message ? { ...message, arguments: message.arguments.values } : message;
	return Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined));
}

function outcome(read: () => HubMessage | undefined): Outcome {
	try {
		return { message: said(read()) };
	} catch (thrown) {
		assert.ok(thrown instanceof TrunklineError, String(thrown));
		return { refused: thrown.code };
	}
}

function parsed(encoding: ArgumentEncoding, record: Buffer): Outcome {
	return outcome(() => PROTOCOLS[encoding].parse(record));
}

/** As a hub reads a record: a peek, and a parse where it says so. */
function peeked(encoding: ArgumentEncoding, record: Buffer): Outcome {
	return outcome(() => {
		const raw = peek(encoding, record);
		return raw ? decodeRawMessage(raw) : PROTOCOLS[encoding].parse(record);
	});
}

function agrees(encoding: ArgumentEncoding, record: Buffer): void {
	assert.deepEqual(peeked(encoding, record), parsed(encoding, record), record.toString("latin1"));
}

function recordOf(encoding: ArgumentEncoding, message: PlainMessage): Buffer {
	const protocol = PROTOCOLS[encoding];
	const splitter = protocol.createSplitter(Number.POSITIVE_INFINITY);
	return split(splitter, [protocol.write(toMessage(message))])[0] ?? Buffer.alloc(0);
}

const space = fc.constantFrom("", "", " ", "\n\t", "\r ");

/** JSON of an object with fields in any order, some twice, some with escaped names, with space between all tokens. */
const looseJson: fc.Arbitrary<Buffer> = fc
	.tuple(
		plainMessage,
		fc.array(fc.tuple(fc.string(), fc.jsonValue({ maxDepth: 2 })), { maxLength: 3 }),
		fc.infiniteStream(fc.nat()),
		fc.infiniteStream(space),
	)
	.map(([message, extra, random, spaces]) => {
		const gap = (): string => spaces.next().value ?? "";
		const dice = (of: number): boolean => (random.next().value ?? 0) % of === 0;
		const entries = Object.entries(message);
		if (dice(4)) entries.push(...extra);
		if (dice(6)) entries.push(...entries.slice(0, 1));
		const ordered = dice(2) ? entries : entries.reverse();
		const fields = ordered.map(([name, value]) => {
			const key = dice(20) ? `"${escaped(name)}"` : JSON.stringify(name);
			return `${gap()}${key}${gap()}:${gap()}${JSON.stringify(value, undefined, dice(4) ? 1 : 0)}${gap()}`;
		});
		return Buffer.from(`${gap()}{${fields.join(",")}}${gap()}`);
	});

function escaped(text: string): string {
	return Array.from(text, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}

const change = fc.record({
	at: fc.nat(),
	to: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('"\\{}[],:\0'))),
});

function changed(record: Buffer, changes: readonly { readonly at: number; readonly to: number }[]): Buffer {
	const copy = Buffer.from(record);
	for (const { at, to } of changes) copy[at % copy.length] = to;
	return copy;
}

describe("protocols/peek/peek", () => {
	for (const encoding of ENCODINGS) {
		it(`says of every ${encoding} message what the parser says, most often without parsing`, () => {
			let calls = 0;
			let found = 0;
			fc.assert(
				fc.property(plainMessage, (message) => {
					const record = recordOf(encoding, message);
					agrees(encoding, record);
					const raw = peek(encoding, record);
					if (message.type <= 5) calls++;
					if (raw) found++;
					if (raw?.type === 1) assert.equal(raw.arguments.buffer, record.buffer);
				}),
				{ numRuns: 500 },
			);
			assert.ok(found > calls * 0.9, `${found} of ${calls}`);
		});

		it(`agrees with the parser on ${encoding} records of which bytes were changed`, () => {
			fc.assert(
				fc.property(plainMessage, fc.array(change, { minLength: 1 }), (message, changes) =>
					agrees(encoding, changed(recordOf(encoding, message), changes)),
				),
				{ numRuns: 1_000 },
			);
		});

		it(`agrees with the parser on ${encoding} records that were cut off, and on any bytes`, () => {
			const cutOff = plainMessage
				.map((message) => recordOf(encoding, message))
				.chain((record) => fc.nat(record.length).map((end) => record.subarray(0, end)));
			const any = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
			fc.assert(
				fc.property(fc.oneof(cutOff, any), (record) => agrees(encoding, record)),
				{ numRuns: 1_000 },
			);
		});

		it(`agrees with the parser on the ${encoding} records of the vectors`, () => {
			for (const name of ["accepted-records", "refused-records"]) {
				const vectors = readVectors<Record<ArgumentEncoding, RecordVector[]>>(name)[encoding];
				for (const { record } of vectors)
					agrees(encoding, Buffer.from(record, encoding === "json" ? "utf8" : "hex"));
			}
		});

		it(`takes the first argument out of ${encoding} arguments if it is text`, () => {
			const values = fc.array(fc.oneof(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 2 })), {
				maxLength: 4,
			});
			fc.assert(
				fc.property(values, fc.boolean(), (list, isLoose) => {
					const text = JSON.stringify(list, undefined, isLoose ? 1 : 0);
					const bytes = encoding === "json" ? Buffer.from(text) : writeMessagePack(JSON.parse(text));
					const [first] = JSON.parse(text) as unknown[];
					assert.equal(firstText(encoding, bytes), typeof first === "string" ? first : undefined);
				}),
				{ numRuns: 300 },
			);
		});

		it(`gives no first argument, and throws nothing, where ${encoding} arguments cannot be read`, () => {
			fc.assert(
				fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
					const first = firstText(encoding, Buffer.from(bytes));
					assert.ok(first === undefined || typeof first === "string");
				}),
			);
		});
	}

	it("agrees with the parser on JSON in any order, with space, escapes, fields twice and unknown ones", () => {
		fc.assert(
			fc.property(looseJson, (record) => agrees("json", record)),
			{ numRuns: 1_000 },
		);
	});

	it("agrees with the parser on loose JSON of which bytes were changed", () => {
		fc.assert(
			fc.property(looseJson, fc.array(change, { minLength: 1, maxLength: 3 }), (record, changes) =>
				agrees("json", changed(record, changes)),
			),
			{ numRuns: 1_000 },
		);
	});

	it("agrees with the parser on how deep a message may be nested", () => {
		for (const depth of [MAX_READ_DEPTH - 2, MAX_READ_DEPTH - 1, MAX_READ_DEPTH, MAX_READ_DEPTH + 1]) {
			const nested = `${"[".repeat(depth)}${"]".repeat(depth)}`;
			for (const record of [
				`{"type":1,"target":"x","arguments":${nested}}`,
				`{"type":2,"invocationId":"1","item":${nested}}`,
				`{"type":1,"target":"x","arguments":[],"headers":{"a":${nested}}}`,
			])
				agrees("json", Buffer.from(record));
			const packed = `${"91".repeat(depth)}90`;
			for (const record of [`950180c0a178${packed}`, `940280a131${packed}`])
				agrees("messagepack", Buffer.from(record, "hex"));
		}
	});

	it("agrees with the parser on fields that a message of this type has not", () => {
		for (const extra of ['"item":tru', '"result":1', '"error":"x"', '"item":1', '"sequenceId":1'])
			agrees("json", Buffer.from(`{"type":1,"target":"x","arguments":[],${extra}}`));
	});
});
