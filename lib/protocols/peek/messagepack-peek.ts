import { type MessageHeaders, MessageType, readHeaders, readStreamIds } from "../hub-message.js";
import { messagePackEnd, readMessagePack } from "../values/messagepack-value.js";
import type { RawCompletion, RawInvocation, RawMessage, RawStreamInvocation } from "./raw-message.js";

const NIL = 0xc0;
const EMPTY_MAP = 0x80;
const EMPTY_ARRAY = 0x90;
/** Where the headers stand: behind the array's byte and the type's. */
const HEADERS_AT = 2;
/** Items of a message stand one level deep. */
const DEPTH = 1;

const Outcome = { Error: 1, Void: 2, Result: 3 } as const;

/** How far a record was read; one for all records, since each is read at once. */
const cursor = { at: 0 };

/**
 * Finds what is to be known of one messagepack record, without its length, and leaves its values as they stand; that
 * they are well formed is checked on the way. `undefined` says "parse it": a message of another type, and whatever is
 * legal but seldom, or wrong.
 * @throws TrunklineError ERR_PROTOCOL for a record that the parser refuses too.
 */
export function peekMessagePack(record: Buffer): RawMessage | undefined {
	const lead = record[0] ?? 0;
	const type = record[1] ?? 0;
	const count = lead & 0x0f;
	if (record.length <= HEADERS_AT || lead !== (EMPTY_ARRAY | count)) return undefined;
	if (type < MessageType.Invocation || type > MessageType.CancelInvocation) return undefined;
	const headers = takeHeaders(record);
	switch (type) {
		case MessageType.Invocation:
			return count < 5 ? undefined : peekInvocation(record, count, headers);
		case MessageType.StreamInvocation:
			return count < 5 ? undefined : peekStreamInvocation(record, count, headers);
		case MessageType.StreamItem:
			return count < 4 ? undefined : peekStreamItem(record, count, headers);
		case MessageType.Completion:
			return count < 4 ? undefined : peekCompletion(record, count, headers);
		case MessageType.CancelInvocation:
			return count < 3 ? undefined : peekCancel(record, count, headers);
		default:
			return undefined;
	}
}

/**
 * The first of some arguments if it is text; undefined where it is not, where there is none, and where they cannot be
 * read.
 */
export function firstMessagePackText(values: Buffer): string | undefined {
	const lead = values[0] ?? 0;
	const isShort = lead > EMPTY_ARRAY && lead <= 0x9f;
	if (!isShort && lead !== 0xdc && lead !== 0xdd) return undefined;
	cursor.at = isShort ? 1 : lead === 0xdc ? 3 : 5;
	try {
		return takeText(values);
	} catch {
		return undefined;
	}
}

type Headers = MessageHeaders | undefined;

function peekInvocation(record: Buffer, count: number, headers: Headers): RawInvocation | undefined {
	const invocationId = takeOptionalText(record);
	const target = takeText(record);
	if (invocationId === undefined || !target || !isArray(record)) return undefined;
	const values = takeValue(record);
	const streamIds = count > 5 ? takeStreamIds(record) : undefined;
	if (!isWhole(record, count - 6)) return undefined;
	const id = invocationId === "" ? undefined : invocationId;
	const type = MessageType.Invocation;
	return { type, encoding: "messagepack", invocationId: id, target, arguments: values, streamIds, headers };
}

function peekStreamInvocation(
	record: Buffer,
	count: number,
	headers: Headers,
): RawStreamInvocation | undefined {
	const invocationId = takeText(record);
	const target = takeText(record);
	if (!invocationId || !target || !isArray(record)) return undefined;
	const values = takeValue(record);
	const streamIds = count > 5 ? takeStreamIds(record) : undefined;
	if (!isWhole(record, count - 6)) return undefined;
	const type = MessageType.StreamInvocation;
	return { type, encoding: "messagepack", invocationId, target, arguments: values, streamIds, headers };
}

function peekStreamItem(record: Buffer, count: number, headers: Headers): RawMessage | undefined {
	const invocationId = takeText(record);
	if (!invocationId) return undefined;
	const item = takeValue(record);
	if (!isWhole(record, count - 4)) return undefined;
	return { type: MessageType.StreamItem, encoding: "messagepack", invocationId, item, headers };
}

function peekCompletion(record: Buffer, count: number, headers: Headers): RawCompletion | undefined {
	const invocationId = takeText(record);
	if (!invocationId) return undefined;
	const kind = record[cursor.at++];
	const isVoid = kind === Outcome.Void;
	if (!isVoid && (count < 5 || (kind !== Outcome.Error && kind !== Outcome.Result))) return undefined;
	const error = kind === Outcome.Error ? takeText(record) : undefined;
	const result = kind === Outcome.Result ? takeValue(record) : undefined;
	if ((kind === Outcome.Error && error === undefined) || !isWhole(record, count - (isVoid ? 4 : 5)))
		return undefined;
	const type = MessageType.Completion;
	return { type, encoding: "messagepack", invocationId, error, result, headers };
}

function peekCancel(record: Buffer, count: number, headers: Headers): RawMessage | undefined {
	const invocationId = takeText(record);
	if (!invocationId || !isWhole(record, count - 3)) return undefined;
	return { type: MessageType.CancelInvocation, encoding: "messagepack", invocationId, headers };
}

/** Passes over the items that nobody knows; whether the record ends with them. */
function isWhole(record: Buffer, unknown: number): boolean {
	for (let item = 0; item < unknown; item++) takeValue(record);
	return cursor.at === record.length;
}

function isArray(record: Buffer): boolean {
	const lead = record[cursor.at] ?? 0;
	return (lead >= EMPTY_ARRAY && lead <= 0x9f) || lead === 0xdc || lead === 0xdd;
}

function takeValue(record: Buffer): Buffer {
	const from = cursor.at;
	cursor.at = messagePackEnd(record, from, DEPTH);
	return record.subarray(from, cursor.at);
}

function takeHeaders(record: Buffer): Headers {
	cursor.at = HEADERS_AT + 1;
	if (record[HEADERS_AT] === EMPTY_MAP) return undefined;
	cursor.at = HEADERS_AT;
	const headers = readMessagePack(takeValue(record), DEPTH);
	return readHeaders({ type: MessageType.Invocation, headers })?.headers;
}

function takeStreamIds(record: Buffer): readonly string[] | undefined {
	if (record[cursor.at] === EMPTY_ARRAY) {
		cursor.at++;
		return undefined;
	}
	const streamIds = readMessagePack(takeValue(record), DEPTH);
	return readStreamIds({ type: MessageType.Invocation, streamIds })?.streamIds;
}

/** A text, or "" for nil; undefined for anything else. */
function takeOptionalText(record: Buffer): string | undefined {
	if (record[cursor.at] !== NIL) return takeText(record);
	cursor.at++;
	return "";
}

/** A text; undefined for anything else. */
function takeText(record: Buffer): string | undefined {
	const from = cursor.at;
	const head = textHead(record[from] ?? 0);
	if (head === 0) return undefined;
	cursor.at = messagePackEnd(record, from, DEPTH);
	for (let at = from + head; at < cursor.at; at++) {
		if ((record[at] ?? 0) > 0x7f) return readMessagePack(record.subarray(from, cursor.at)) as string;
	}
	return record.toString("latin1", from + head, cursor.at);
}

/** How many bytes stand before a text; 0 where this byte begins something else. */
function textHead(lead: number): number {
	if (lead >= 0xa0 && lead <= 0xbf) return 1;
	if (lead >= 0xd9 && lead <= 0xdb) return 1 + (1 << (lead - 0xd9));
	return 0;
}
