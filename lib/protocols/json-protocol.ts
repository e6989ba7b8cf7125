import type { Arguments } from "./arguments.js";
import { TextSplitter } from "./framing/text-splitter.js";
import {
	type HubMessage,
	type MessageFields,
	MessageType,
	protocolError,
	readHubMessage,
} from "./hub-message.js";
import type { HubProtocol } from "./hub-protocol.js";
import { peekJson } from "./peek/json-peek.js";
import { decodeRawMessage } from "./peek/raw-message.js";
import { jsonText, readJson } from "./values/json-value.js";

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

/** The message without its closing brace: fields in the order of the real server. */
function writeFields(message: HubMessage): string {
	const type = `{"type":${message.type}`;
	switch (message.type) {
		case MessageType.Invocation:
		case MessageType.StreamInvocation:
			return `${type}${commonFields(message)},"target":${JSON.stringify(message.target)},"arguments":${writeArguments(message.arguments)}${writeStreamIds(message.streamIds)}`;
		case MessageType.StreamItem:
			return `${type}${commonFields(message)},"item":${jsonText(message.item)}`;
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
	return message.hasResult ? `,"result":${jsonText(message.result)}` : "";
}

function writeArguments(values: Arguments): string {
	return jsonText(values.values);
}
