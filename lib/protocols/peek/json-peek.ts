import {
	MAX_READ_DEPTH,
	type MessageHeaders,
	MessageType,
	readHeaders,
	readStreamIds,
} from "../hub-message.js";
import { readJson } from "../values/json-value.js";
import type { RawCompletion, RawInvocation, RawMessage, RawStreamInvocation } from "./raw-message.js";

const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;
const ZERO = 0x30;
/** Texts up to this length, quotation marks included, are made faster here than by a call into the runtime. */
const SHORT_TEXT = 14;

const Field = {
	type: 0,
	invocationId: 1,
	target: 2,
	arguments: 3,
	streamIds: 4,
	headers: 5,
	item: 6,
	error: 7,
	result: 8,
} as const;
/** Names between their quotation marks, in the order of {@link Field}. */
const NAMES: readonly Buffer[] = Object.keys(Field).map((name) => Buffer.from(`"${name}"`));

/** The one field whose name can begin with two letters, at the place that they give; what it begins with is compared. */
const FIELD_BY_LETTERS: Int8Array = new Int8Array(32);
for (const [field, name] of NAMES.entries()) FIELD_BY_LETTERS[placeOf(name[1] ?? 0, name[2] ?? 0)] = field;

/** No two of the names have the same place. */
function placeOf(first: number, second: number): number {
	return (4 * first + second) & 31;
}

const bits = (...fields: readonly number[]): number => fields.reduce((sum, field) => sum | (1 << field), 0);
const COMMON: number = bits(Field.type, Field.invocationId, Field.headers);
const CALL_FIELDS: number = COMMON | bits(Field.target, Field.arguments, Field.streamIds);
const ITEM_FIELDS: number = COMMON | bits(Field.item);
const COMPLETION_FIELDS: number = COMMON | bits(Field.error, Field.result);

/**
 * Where the values of the record at hand begin and end, two numbers for each field; and which fields it has, one bit
 * each. One for all records, since each is read at once: nothing is made for a record but what comes out.
 */
const spans: Int32Array = new Int32Array(2 * NAMES.length);
let found = 0;

/** How many targets are remembered, each in a place that its letters give. */
const KNOWN_TARGETS = 64;
const LONGEST_KNOWN_TARGET = 64;
const knownTargets: (string | undefined)[] = Array.from({ length: KNOWN_TARGETS }, () => undefined);

/**
 * Finds what is to be known of one json record, without its separator, and leaves its values as they stand: arguments,
 * item and result are found by their brackets only, so what is wrong inside of them comes out when they are decoded.
 * `undefined` says "parse it": a message of another type, and whatever is legal but seldom (an unknown field, a field
 * that comes twice, an escaped name), or wrong.
 * @throws TrunklineError ERR_PROTOCOL for a record that the parser refuses too.
 */
export function peekJson(record: Buffer): RawMessage | undefined {
	found = scan(record);
	const from = spanFrom(Field.type);
	if (!isPresent(Field.type) || spanEnd(Field.type) - from !== 1) return undefined;
	switch ((record[from] ?? 0) - ZERO) {
		case MessageType.Invocation:
			return hasOnly(CALL_FIELDS) ? peekInvocation(record) : undefined;
		case MessageType.StreamInvocation:
			return hasOnly(CALL_FIELDS) ? peekStreamInvocation(record) : undefined;
		case MessageType.StreamItem:
			return hasOnly(ITEM_FIELDS) ? peekStreamItem(record) : undefined;
		case MessageType.Completion:
			return hasOnly(COMPLETION_FIELDS) ? peekCompletion(record) : undefined;
		case MessageType.CancelInvocation:
			return hasOnly(COMMON) ? peekCancel(record) : undefined;
		default:
			return undefined;
	}
}

/**
 * The first of some arguments if it is text; undefined where it is not, where there is none, and where they cannot be
 * read.
 */
export function firstJsonText(values: Buffer): string | undefined {
	const from = skipSpace(values, 1);
	if (from >= values.length || values[from] !== QUOTE) return undefined;
	const end = stringEnd(values, from);
	if (end < 0) return undefined;
	try {
		return textWithin(values, from, end);
	} catch {
		return undefined;
	}
}

function hasOnly(allowed: number): boolean {
	return (found & ~allowed) === 0;
}

function peekInvocation(record: Buffer): RawInvocation | undefined {
	const type = MessageType.Invocation;
	const invocationId = isPresent(Field.invocationId) ? textOf(record, Field.invocationId) : "";
	const target = targetOf(record);
	if (invocationId === undefined || target === undefined || !hasArguments(record)) return undefined;
	const values = bytesOf(record, Field.arguments);
	const streamIds = streamIdsOf(record);
	const headers = headersOf(record);
	// An empty id is none.
	const id = invocationId === "" ? undefined : invocationId;
	return { type, encoding: "json", invocationId: id, target, arguments: values, streamIds, headers };
}

function peekStreamInvocation(record: Buffer): RawStreamInvocation | undefined {
	const type = MessageType.StreamInvocation;
	const invocationId = textOf(record, Field.invocationId);
	const target = targetOf(record);
	if (!invocationId || target === undefined || !hasArguments(record)) return undefined;
	const values = bytesOf(record, Field.arguments);
	const streamIds = streamIdsOf(record);
	const headers = headersOf(record);
	return { type, encoding: "json", invocationId, target, arguments: values, streamIds, headers };
}

function peekStreamItem(record: Buffer): RawMessage | undefined {
	const type = MessageType.StreamItem;
	const invocationId = textOf(record, Field.invocationId);
	if (!invocationId || !isPresent(Field.item)) return undefined;
	return {
		type,
		encoding: "json",
		invocationId,
		item: bytesOf(record, Field.item),
		headers: headersOf(record),
	};
}

function peekCompletion(record: Buffer): RawCompletion | undefined {
	const type = MessageType.Completion;
	const invocationId = textOf(record, Field.invocationId);
	const hasError = isPresent(Field.error);
	const hasResult = isPresent(Field.result);
	const error = hasError ? textOf(record, Field.error) : undefined;
	if (!invocationId || (hasError && (hasResult || error === undefined))) return undefined;
	const result = hasResult ? bytesOf(record, Field.result) : undefined;
	return { type, encoding: "json", invocationId, error, result, headers: headersOf(record) };
}

function peekCancel(record: Buffer): RawMessage | undefined {
	const type = MessageType.CancelInvocation;
	const invocationId = textOf(record, Field.invocationId);
	if (!invocationId) return undefined;
	return { type, encoding: "json", invocationId, headers: headersOf(record) };
}

function spanFrom(field: number): number {
	return spans[2 * field] ?? 0;
}

function spanEnd(field: number): number {
	return spans[2 * field + 1] ?? 0;
}

function isPresent(field: number): boolean {
	return (found & (1 << field)) !== 0;
}

function bytesOf(record: Buffer, field: number): Buffer {
	return record.subarray(spanFrom(field), spanEnd(field));
}

function hasArguments(record: Buffer): boolean {
	return isPresent(Field.arguments) && record[spanFrom(Field.arguments)] === OPEN_BRACKET;
}

/** A field that is text; undefined where it is absent or something else. */
function textOf(record: Buffer, field: number): string | undefined {
	const from = spanFrom(field);
	return isPresent(field) && record[from] === QUOTE ? textWithin(record, from, spanEnd(field)) : undefined;
}

/** As {@link textOf}: hubs have few targets, and one that was met before is not made again. */
function targetOf(record: Buffer): string | undefined {
	const from = spanFrom(Field.target) + 1;
	const end = spanEnd(Field.target) - 1;
	if (!isPresent(Field.target) || record[from - 1] !== QUOTE) return undefined;
	const slot = (31 * (end - from) + (record[from] ?? 0) + 7 * (record[end - 1] ?? 0)) % KNOWN_TARGETS;
	const known = knownTargets[slot];
	if (known?.length === end - from && isWrittenAt(record, from, known)) return known;
	const target = textWithin(record, from - 1, end + 1);
	// Equal in length: written as it is, without escapes, so that the same bytes are the same text.
	if (target?.length === end - from && end - from <= LONGEST_KNOWN_TARGET) knownTargets[slot] = target;
	return target;
}

function isWrittenAt(record: Buffer, from: number, text: string): boolean {
	for (let index = 0; index < text.length; index++)
		if (record[from + index] !== text.charCodeAt(index)) return false;
	return true;
}

/** The text of a JSON string, its quotation marks included in the range. */
function textWithin(bytes: Buffer, from: number, end: number): string | undefined {
	const isShort = end - from <= SHORT_TEXT;
	let text = "";
	for (let at = from + 1; at < end - 1; at++) {
		const byte = bytes[at] ?? 0;
		if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return decodedText(bytes.subarray(from, end));
		if (isShort) text += String.fromCharCode(byte);
	}
	return isShort ? text : bytes.toString("latin1", from + 1, end - 1);
}

function decodedText(bytes: Buffer): string | undefined {
	const text = readJson(bytes);
	return typeof text === "string" ? text : undefined;
}

function streamIdsOf(record: Buffer): readonly string[] | undefined {
	if (!isPresent(Field.streamIds)) return undefined;
	const streamIds = readJson(bytesOf(record, Field.streamIds), MAX_READ_DEPTH - 1);
	return readStreamIds({ type: MessageType.Invocation, streamIds })?.streamIds;
}

function headersOf(record: Buffer): MessageHeaders | undefined {
	if (!isPresent(Field.headers)) return undefined;
	const headers = readJson(bytesOf(record, Field.headers), MAX_READ_DEPTH - 1);
	return readHeaders({ type: MessageType.Invocation, headers })?.headers;
}

/**
 * Fills {@link spans}; returns the fields found, one bit each: none where the record is no plain object. Space is
 * looked for only where another byte stands than the next token's: there is seldom any, and each call costs.
 */
function scan(record: Buffer): number {
	let fields = 0;
	let at = skipSpace(record, 0);
	if (record[at] !== OPEN_BRACE) return 0;
	do {
		if (record[++at] !== QUOTE) at = skipSpace(record, at);
		const field = fieldAt(record, at);
		if (field < 0 || fields & (1 << field)) return 0;
		at += NAMES[field]?.length ?? 0;
		if (record[at] !== COLON) at = skipSpace(record, at);
		if (record[at] !== COLON) return 0;
		if ((record[++at] ?? 0) <= SPACE) at = skipSpace(record, at);
		spans[2 * field] = at;
		at = valueEnd(record, at);
		if (at < 0) return 0;
		fields |= 1 << field;
		spans[2 * field + 1] = at;
		if (record[at] !== COMMA) at = skipSpace(record, at);
	} while (record[at] === COMMA);
	return record[at] === CLOSE_BRACE && skipSpace(record, at + 1) === record.length ? fields : 0;
}

/** The field whose name begins here with its quotation mark; -1 for any other name. */
function fieldAt(record: Buffer, at: number): number {
	const field = FIELD_BY_LETTERS[placeOf(record[at + 1] ?? 0, record[at + 2] ?? 0)] ?? 0;
	const name = NAMES[field];
	if (!name || at + name.length > record.length) return -1;
	for (let index = 0; index < name.length; index++) if (record[at + index] !== name[index]) return -1;
	return field;
}

/** Where the next token begins. */
function skipSpace(bytes: Buffer, at: number): number {
	let next = at;
	while (next < bytes.length && isSpace(bytes[next] ?? 0)) next++;
	return next;
}

function isSpace(byte: number): boolean {
	return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Where the value that begins at `at` ends; -1 where it does not, or where there is none. */
function valueEnd(bytes: Buffer, at: number): number {
	switch (bytes[at]) {
		case QUOTE:
			return stringEnd(bytes, at);
		case OPEN_BRACE:
		case OPEN_BRACKET:
			return containerEnd(bytes, at);
		default:
			return literalEnd(bytes, at);
	}
}

function stringEnd(bytes: Buffer, at: number): number {
	for (let next = at + 1; next < bytes.length; next++) {
		const byte = bytes[next];
		if (byte === QUOTE) return next + 1;
		if (byte === BACKSLASH) next++;
	}
	return -1;
}

/** Brackets of both kinds are counted as one: what does not fit together is found when it is decoded. */
function containerEnd(bytes: Buffer, at: number): number {
	let depth = 0;
	for (let next = at; next < bytes.length; next++) {
		const byte = bytes[next] ?? 0;
		if (byte === QUOTE) {
			next = stringEnd(bytes, next) - 1;
			if (next < 0) return -1;
		} else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
		else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return next + 1;
	}
	return -1;
}

function literalEnd(bytes: Buffer, at: number): number {
	let next = at;
	while (next < bytes.length && !endsLiteral(bytes[next] ?? 0)) next++;
	return next > at ? next : -1;
}

/** Whatever stands behind a literal is looked at afterwards. */
function endsLiteral(byte: number): boolean {
	return byte <= SPACE || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET;
}
