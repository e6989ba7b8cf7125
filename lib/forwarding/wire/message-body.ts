import {
	type ArgumentEncoding,
	HubTarget,
	isCall,
	type MessageHeaders,
	MessageType,
	type RawCompletion,
	type RawMessage,
} from "../../protocols/index.js";
import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { violation } from "./limits.js";

const TYPE_BITS = 0x07;
const ENCODING_BIT = 0x08;
const HAS_ID = 0x10;
const HAS_STREAM_IDS = 0x20;
const HAS_HEADERS = 0x40;
const UNUSED_BIT = 0x80;

const ENCODINGS: readonly ArgumentEncoding[] = ["json", "messagepack"];
/** Targets that are one byte; 0 says that a text follows. */
const TARGETS: readonly string[] = [
	"",
	HubTarget.Request,
	HubTarget.Update,
	HubTarget.Dispose,
	HubTarget.Response,
];
const Outcome = { Error: 1, Void: 2, Result: 3 } as const;

/** Writes how values are encoded: 0 json, 1 messagepack. */
export function writeEncoding(writer: ByteWriter, encoding: ArgumentEncoding): void {
	writer.byte(encoding === "json" ? 0 : 1);
}

/** Reads what {@link writeEncoding} wrote. @throws TrunklineError ERR_LINK_PROTOCOL */
export function readEncoding(reader: ByteReader): ArgumentEncoding {
	const number = reader.byte();
	const encoding = ENCODINGS[number];
	if (!encoding) throw violation(`an encoding of number ${number} is not known`);
	return encoding;
}

/** Writes a hub message (PROTOCOL.md, "A hub message"). @throws TrunklineError ERR_FORWARD_TOO_LARGE for its target */
export function writeRawMessage(writer: ByteWriter, message: RawMessage): void {
	writeHead(writer, message);
	switch (message.type) {
		case MessageType.Invocation:
		case MessageType.StreamInvocation:
			writeTarget(writer, message.target);
			writer.bytes(message.arguments);
			break;
		case MessageType.StreamItem:
			writer.bytes(message.item);
			break;
		case MessageType.Completion:
			writeOutcome(writer, message);
			break;
		case MessageType.CancelInvocation:
			break;
	}
}

function writeHead(writer: ByteWriter, message: RawMessage): void {
	const { type, invocationId, headers } = message;
	const streamIds = isCall(message) ? message.streamIds : undefined;
	let head: number = type;
	if (message.encoding === "messagepack") head |= ENCODING_BIT;
	if (invocationId !== undefined) head |= HAS_ID;
	if (streamIds !== undefined) head |= HAS_STREAM_IDS;
	if (headers !== undefined) head |= HAS_HEADERS;
	writer.byte(head);
	if (invocationId !== undefined) writer.text(invocationId);
	if (streamIds !== undefined) writeTexts(writer, streamIds);
	if (headers !== undefined) writeHeaders(writer, headers);
}

function writeTexts(writer: ByteWriter, texts: readonly string[]): void {
	writer.varint(texts.length);
	for (const text of texts) writer.text(text);
}

function writeHeaders(writer: ByteWriter, headers: MessageHeaders): void {
	const entries = Object.entries(headers);
	writer.varint(entries.length);
	for (const [name, value] of entries) {
		writer.text(name);
		writer.text(value);
	}
}

function writeTarget(writer: ByteWriter, target: string): void {
	const number = target === "" ? 0 : TARGETS.indexOf(target);
	writer.byte(Math.max(number, 0));
	if (number <= 0) writer.name(target, "The target of a message");
}

function writeOutcome(writer: ByteWriter, message: RawCompletion): void {
	if (message.error !== undefined) {
		writer.byte(Outcome.Error);
		writer.text(message.error);
	} else if (message.result !== undefined) {
		writer.byte(Outcome.Result);
		writer.bytes(message.result);
	} else writer.byte(Outcome.Void);
}

/** Reads a hub message to the reader's end; its values are views. @throws TrunklineError ERR_LINK_PROTOCOL */
export function readRawMessage(reader: ByteReader): RawMessage {
	const head = reader.byte();
	const type = head & TYPE_BITS;
	if (head & UNUSED_BIT) throw violation("a hub message has a field that is not known");
	const encoding = head & ENCODING_BIT ? "messagepack" : "json";
	const invocationId = head & HAS_ID ? readId(reader) : undefined;
	const streamIds = head & HAS_STREAM_IDS ? readStreamIds(reader, type) : undefined;
	const headers = head & HAS_HEADERS ? readHeaders(reader) : undefined;
	if (type === MessageType.Invocation) {
		const target = readTarget(reader);
		return { type, encoding, invocationId, target, arguments: reader.rest(), streamIds, headers };
	}
	if (invocationId === undefined) throw violation(`a hub message of type ${type} has no invocationId`);
	switch (type) {
		case MessageType.StreamInvocation: {
			const target = readTarget(reader);
			return { type, encoding, invocationId, target, arguments: reader.rest(), streamIds, headers };
		}
		case MessageType.StreamItem:
			return { type, encoding, invocationId, item: reader.rest(), headers };
		case MessageType.Completion:
			return { type, encoding, invocationId, ...readOutcome(reader), headers };
		case MessageType.CancelInvocation:
			return { type, encoding, invocationId, headers };
		default:
			throw violation(`a hub message has the type ${type}`);
	}
}

function readId(reader: ByteReader): string {
	const id = reader.text();
	if (id === "") throw violation("an invocationId is empty");
	return id;
}

function readStreamIds(reader: ByteReader, type: number): readonly string[] {
	if (type !== MessageType.Invocation && type !== MessageType.StreamInvocation)
		throw violation(`a hub message of type ${type} has streamIds`);
	const count = reader.count(1);
	const ids: string[] = [];
	for (let read = 0; read < count; read++) ids.push(reader.text());
	return ids;
}

function readHeaders(reader: ByteReader): MessageHeaders {
	const count = reader.count(2);
	const entries: [name: string, value: string][] = [];
	for (let read = 0; read < count; read++) entries.push([reader.text(), reader.text()]);
	// fromEntries defines its properties: a header named __proto__ stays a header.
	return Object.fromEntries(entries);
}

function readTarget(reader: ByteReader): string {
	const number = reader.byte();
	if (number === 0) return reader.name("a target");
	const target = TARGETS[number];
	if (!target) throw violation(`a target of number ${number} is not known`);
	return target;
}

function readOutcome(reader: ByteReader): Pick<RawCompletion, "error" | "result"> {
	const outcome = reader.byte();
	switch (outcome) {
		case Outcome.Error:
			return { error: reader.text(), result: undefined };
		case Outcome.Void:
			return { error: undefined, result: undefined };
		case Outcome.Result:
			return { error: undefined, result: reader.rest() };
		default:
			throw violation(`a completion of kind ${outcome} is not known`);
	}
}
