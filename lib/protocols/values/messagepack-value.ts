import { type Options, Packr, Unpackr } from "msgpackr";
import type { TrunklineError } from "../../errors/index.js";
import { MAX_READ_DEPTH, protocolError } from "../hub-message.js";
import { plainValue, unwritable, type ValueForm } from "./plain-value.js";

// variableMapSize: without it every map has a 16-bit length; useRecords: an extension that no SignalR client reads.
const packr = new Packr({
	useRecords: false,
	variableMapSize: true,
	encodeUndefinedAsNil: true,
	useToJSON: false,
});
// "auto" (a number where it is exact, else a BigInt) is missing in msgpackr's types. Without copyBuffers a value of a
// few bytes would hold the whole chunk that it came in.
const readOptions: object = {
	useRecords: false,
	mapsAsObjects: true,
	int64AsType: "auto",
	copyBuffers: true,
};
const unpackr = new Unpackr(readOptions as Options);

/**
 * The one value that these bytes are. `depth` is how deep it stands in the message that it was cut out of.
 * @throws TrunklineError ERR_PROTOCOL, also for what must not reach the decoder (see {@link messagePackEnd}).
 */
export function readMessagePack(bytes: Buffer, depth = 0): unknown {
	const end = messagePackEnd(bytes, 0, depth);
	if (end !== bytes.length)
		throw protocolError(`${bytes.length - end} bytes follow a MessagePack message in its record.`);
	try {
		return unpackr.unpack(bytes);
	} catch {
		// Without a cause: the decoder's error quotes what it has read, and the log must not.
		throw protocolError("A message is not MessagePack.");
	}
}

/**
 * One value as bytes.
 * @throws TrunklineError ERR_SERIALIZATION for a value that cannot be written.
 */
export function writeMessagePack(value: unknown): Buffer {
	return pack(writable(value));
}

const FORM: ValueForm = {
	bytes: (bytes) => bytes,
	date: (date) => date,
	number: whole,
	bigint: (value) => (BigInt.asIntN(53, value) === value ? whole(Number(value)) : value),
};

/** A number as the encoder takes it: msgpackr writes a whole number of more than 32 bits as a float unless it is a BigInt. */
export function whole(value: number): number | bigint {
	const isWide = value > 0xffffffff || value < -0x80000000;
	return isWide && Number.isSafeInteger(value) ? BigInt(value) : value;
}

/** A value as the encoder takes it. @throws TrunklineError ERR_SERIALIZATION */
export function writable(value: unknown): unknown {
	return plainValue(value, FORM);
}

/** Encodes what {@link writable} gave. @throws TrunklineError ERR_SERIALIZATION */
export function pack(value: unknown): Buffer {
	try {
		return packr.pack(value);
	} catch (thrown) {
		throw unwritable(thrown);
	}
}

const TIMESTAMP = -1;
const TIMESTAMP_BYTES: readonly number[] = [4, 8, 12];

/**
 * Walks over the encoded value at `at`, and says where it ends. Refuses what must not reach the decoder: truncated
 * bytes, arrays and maps that claim more items than there are bytes (the decoder would allocate them), nesting deeper
 * than {@link MAX_READ_DEPTH}, map keys that are containers, and every extension but the timestamp (the decoder knows
 * some that build errors and expressions). `depth` is how many arrays and maps the value stands in.
 * @throws TrunklineError ERR_PROTOCOL for any of these.
 */
export function messagePackEnd(bytes: Buffer, at: number, depth: number): number {
	if (depth > MAX_READ_DEPTH)
		throw protocolError(`A MessagePack message is nested deeper than ${MAX_READ_DEPTH}.`);
	const lead = bytes[at];
	if (lead === undefined) throw endsTooEarly();
	if (lead <= 0x7f || lead >= 0xe0) return at + 1;
	if (lead <= 0x8f) return checkMap(bytes, { at: at + 1, count: lead & 0x0f, depth });
	if (lead <= 0x9f) return checkItems(bytes, { at: at + 1, count: lead & 0x0f, depth });
	if (lead <= 0xbf) return skip(bytes, at + 1, lead & 0x1f);
	return checkTyped(bytes, at, depth);
}

/** Values whose first byte is a type of its own, 0xc0 to 0xdf. */
function checkTyped(bytes: Buffer, at: number, depth: number): number {
	const lead = bytes[at] ?? 0;
	const body = at + 1;
	if (lead === 0xc1) throw protocolError("A MessagePack message holds the byte 0xc1, which is never used.");
	if (lead <= 0xc3) return body;
	if (lead <= 0xc6) return skipSized(bytes, body, 1 << (lead - 0xc4));
	if (lead <= 0xc9) return checkExtension(bytes, body, 1 << (lead - 0xc7));
	if (lead <= 0xcb) return skip(bytes, body, 4 << (lead - 0xca));
	if (lead <= 0xcf) return skip(bytes, body, 1 << (lead - 0xcc));
	if (lead <= 0xd3) return skip(bytes, body, 1 << (lead - 0xd0));
	if (lead <= 0xd8) return checkExtensionBody(bytes, body, 1 << (lead - 0xd4));
	if (lead <= 0xdb) return skipSized(bytes, body, 1 << (lead - 0xd9));
	const width = lead & 1 ? 4 : 2;
	const container = { at: body + width, count: readUInt(bytes, body, width), depth };
	return lead <= 0xdd ? checkItems(bytes, container) : checkMap(bytes, container);
}

interface Container {
	readonly at: number;
	readonly count: number;
	readonly depth: number;
}

function checkItems(bytes: Buffer, { at, count, depth }: Container): number {
	requireDepth(depth);
	let next = at;
	for (let item = 0; item < count; item++) next = messagePackEnd(bytes, next, depth + 1);
	return next;
}

function checkMap(bytes: Buffer, { at, count, depth }: Container): number {
	requireDepth(depth);
	let next = at;
	for (let item = 0; item < count; item++) {
		if (isContainer(bytes[next] ?? 0))
			throw protocolError("A key of a MessagePack map is an array or a map.");
		next = messagePackEnd(bytes, messagePackEnd(bytes, next, depth + 1), depth + 1);
	}
	return next;
}

function requireDepth(depth: number): void {
	if (depth >= MAX_READ_DEPTH)
		throw protocolError(`A MessagePack message is nested deeper than ${MAX_READ_DEPTH}.`);
}

function isContainer(lead: number): boolean {
	return (lead >= 0x80 && lead <= 0x9f) || (lead >= 0xdc && lead <= 0xdf);
}

function skipSized(bytes: Buffer, at: number, width: number): number {
	return skip(bytes, at + width, readUInt(bytes, at, width));
}

function checkExtension(bytes: Buffer, at: number, width: number): number {
	return checkExtensionBody(bytes, at + width, readUInt(bytes, at, width));
}

function checkExtensionBody(bytes: Buffer, at: number, length: number): number {
	const end = skip(bytes, at + 1, length);
	const type = bytes.readInt8(at);
	if (type === TIMESTAMP && TIMESTAMP_BYTES.includes(length)) return end;
	throw protocolError(
		`A MessagePack message holds the extension ${type} of ${length} bytes; only timestamps are read.`,
	);
}

function readUInt(bytes: Buffer, at: number, width: number): number {
	skip(bytes, at, width);
	return bytes.readUIntBE(at, width);
}

function skip(bytes: Buffer, at: number, length: number): number {
	if (at + length > bytes.length) throw endsTooEarly();
	return at + length;
}

function endsTooEarly(): TrunklineError {
	return protocolError("A MessagePack message ends too early.");
}
