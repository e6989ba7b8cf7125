import { isUtf8 } from "node:buffer";
import type { Arguments } from "./arguments.js";
import {
	type HubMessage,
	MAX_READ_DEPTH,
	type MessageFields,
	MessageType,
	protocolError,
	readHubMessage,
} from "./hub-message.js";
import type { HubProtocol } from "./hub-protocol.js";
import { peekJson } from "./peek/json-peek.js";
import { decodeRawMessage } from "./peek/raw-message.js";
import { plainValue, unwritable, type ValueForm } from "./plain-value.js";
import { TextSplitter } from "./text-splitter.js";

const SEPARATOR = "\u001e";

/**
 * The JSON hub protocol (HubProtocol.md, "JSON Encoding"): one object and 0x1E per message. Bytes (Buffer,
 * Uint8Array, ArrayBuffer) are
 * written as base64 text, dates as ISO 8601, a BigInt as a number with all its digits, NaN and the infinities as null.
 * On reading, numbers beyond 2^53 lose precision, as JavaScript's do. `write` throws TrunklineError ERR_SERIALIZATION
 * for a value that cannot be written.
 */
export const jsonProtocol: HubProtocol = {
	name: "json",
	transferFormat: "Text",
	createSplitter: (maxMessageBytes) => new TextSplitter(maxMessageBytes),
	parse: (record) => readHubMessage(parseObject(record)),
	peek: (record) => {
		const raw = peekJson(record);
		return raw && decodeRawMessage(raw);
	},
	write: (message) => Buffer.from(`${writeFields(message)}}${SEPARATOR}`),
};

function parseObject(record: Buffer): MessageFields {
	const parsed = readJson(record);
	if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed as MessageFields;
	throw protocolError("A JSON message must be an object.");
}

/**
 * The value of JSON text in UTF-8, nested no deeper than `maxDepth`.
 * @throws TrunklineError ERR_PROTOCOL
 */
export function readJson(bytes: Buffer, maxDepth: number = MAX_READ_DEPTH): unknown {
	if (!isUtf8(bytes)) throw protocolError("A JSON message is not UTF-8.");
	const text = bytes.toString("utf8");
	if (isTooDeep(text, maxDepth))
		throw protocolError(`A JSON message is nested deeper than ${MAX_READ_DEPTH}.`);
	try {
		return JSON.parse(text);
	} catch {
		// Without a cause: the parser's error quotes the text, and the log must not.
		throw protocolError("A message is not JSON.");
	}
}

const BRACKETS = /["[\]{}]/g;

/** Whether JSON text is nested deeper than `maxDepth`. Most has fewer brackets than that, wherever they stand. */
export function isTooDeep(text: string, maxDepth: number = MAX_READ_DEPTH): boolean {
	return hasManyOpenings(text, maxDepth) && depthOf(text) > maxDepth;
}

function hasManyOpenings(text: string, most: number): boolean {
	let openings = 0;
	for (const bracket of ["[", "{"]) {
		for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
			if (++openings > most) return true;
		}
	}
	return false;
}

/** The deepest nesting of brackets outside of strings; exact for JSON, and for anything else JSON.parse decides. */
function depthOf(text: string): number {
	let depth = 0;
	let deepest = 0;
	BRACKETS.lastIndex = 0;
	for (let match = BRACKETS.exec(text); match; match = BRACKETS.exec(text)) {
		if (match[0] === '"') {
			BRACKETS.lastIndex = endOfString(text, match.index + 1);
		} else if (match[0] === "[" || match[0] === "{") {
			deepest = Math.max(deepest, ++depth);
		} else {
			depth--;
		}
	}
	return deepest;
}

function endOfString(text: string, from: number): number {
	let at = from;
	while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
	return at + 1;
}

/** The message without its closing brace: fields in the order of the real server. */
function writeFields(message: HubMessage): string {
	const type = `{"type":${message.type}`;
	switch (message.type) {
		case MessageType.Invocation:
		case MessageType.StreamInvocation:
			return `${type}${commonFields(message)},"target":${JSON.stringify(message.target)},"arguments":${writeArguments(message.arguments)}${writeStreamIds(message.streamIds)}`;
		case MessageType.StreamItem:
			return `${type}${commonFields(message)},"item":${writeValue(message.item)}`;
		case MessageType.Completion:
			return `${type}${commonFields(message)}${writeOutcome(message)}`;
		case MessageType.CancelInvocation:
			return `${type}${commonFields(message)}`;
		case MessageType.Ping:
			return type;
		case MessageType.Close:
			return `${type}${textField("error", message.error)}${message.allowReconnect ? ',"allowReconnect":true' : ""}`;
		case MessageType.Ack:
		case MessageType.Sequence:
			return `${type},"sequenceId":${message.sequenceId}`;
	}
}

function commonFields(message: { headers?: object | undefined; invocationId?: string | undefined }): string {
	return writeHeaders(message.headers) + textField("invocationId", message.invocationId || undefined);
}

function writeHeaders(headers: object | undefined): string {
	return headers && Object.keys(headers).length > 0 ? `,"headers":${JSON.stringify(headers)}` : "";
}

function textField(name: string, text: string | undefined): string {
	return text === undefined ? "" : `,"${name}":${JSON.stringify(text)}`;
}

function writeStreamIds(ids: readonly string[] | undefined): string {
	return ids && ids.length > 0 ? `,"streamIds":${JSON.stringify(ids)}` : "";
}

function writeOutcome(message: HubMessage & { type: typeof MessageType.Completion }): string {
	if (message.error !== undefined) return textField("error", message.error);
	return message.hasResult ? `,"result":${writeValue(message.result)}` : "";
}

function writeArguments(values: Arguments): string {
	return writeValue(values.values);
}

/**
 * A value as the JSON hub protocol writes it: what the wire of view models carries inside of a text.
 * @throws TrunklineError ERR_SERIALIZATION for a value that cannot be written.
 */
export function jsonText(value: unknown): string {
	return writeValue(value);
}

function writeValue(value: unknown): string {
	if (typeof value === "string") return JSON.stringify(value);
	const found = { bigint: false };
	const plain = plainValue(value, formOf(found));
	try {
		return found.bigint ? writeWithBigInts(plain) : JSON.stringify(plain);
	} catch (thrown) {
		throw unwritable(thrown);
	}
}

function formOf(found: { bigint: boolean }): ValueForm {
	return {
		bytes: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64"),
		date: (date) => date.toISOString(),
		number: (value) => value,
		bigint: (value) => {
			found.bigint = true;
			return value;
		},
	};
}

/** JSON.stringify has no way to write a BigInt (JSON.rawJSON is missing in Node 20). */
function writeWithBigInts(value: unknown): string {
	if (typeof value === "bigint") return value.toString();
	if (typeof value !== "object" || value === null) return JSON.stringify(value);
	if (Array.isArray(value)) return `[${value.map(writeWithBigInts).join(",")}]`;
	const fields = Object.entries(value).map(
		([name, field]) => `${JSON.stringify(name)}:${writeWithBigInts(field)}`,
	);
	return `{${fields.join(",")}}`;
}
