import { type ArgumentEncoding, Arguments } from "../arguments.js";
import {
	type CancelInvocationMessage,
	type CompletionMessage,
	type InvocationMessage,
	isCall,
	MAX_READ_DEPTH,
	type MessageHeaders,
	MessageType,
	protocolError,
	type StreamInvocationMessage,
	type StreamItemMessage,
} from "../hub-message.js";
import { jsonText, readJson } from "../values/json-value.js";
import { readMessagePack, writeMessagePack } from "../values/messagepack-value.js";

/** What the messages of which the values are still bytes have in common. */
interface RawMessageHead {
	/** How the values are written, whatever they are. */
	readonly encoding: ArgumentEncoding;
	readonly headers: MessageHeaders | undefined;
}

interface RawCallBody extends RawMessageHead {
	readonly target: string;
	/** The array of arguments: json text, or one messagepack array. */
	readonly arguments: Buffer;
	readonly streamIds: readonly string[] | undefined;
}

/** An Invocation as its sender wrote it. */
export interface RawInvocation extends RawCallBody {
	readonly type: typeof MessageType.Invocation;
	readonly invocationId: string | undefined;
}

/** A StreamInvocation as its sender wrote it. */
export interface RawStreamInvocation extends RawCallBody {
	readonly type: typeof MessageType.StreamInvocation;
	readonly invocationId: string;
}

/** A StreamItem as its sender wrote it. */
export interface RawStreamItem extends RawMessageHead {
	readonly type: typeof MessageType.StreamItem;
	readonly invocationId: string;
	readonly item: Buffer;
}

/** A Completion as its sender wrote it: with an error, or a result, or neither. */
export interface RawCompletion extends RawMessageHead {
	readonly type: typeof MessageType.Completion;
	readonly invocationId: string;
	readonly error: string | undefined;
	readonly result: Buffer | undefined;
}

/** A CancelInvocation. */
export interface RawCancelInvocation extends RawMessageHead {
	readonly type: typeof MessageType.CancelInvocation;
	readonly invocationId: string;
}

/**
 * A message about a call, its values as the bytes that the sender wrote. They are not checked before they are decoded.
 * All members are always there, `undefined` where the message has no such field.
 */
export type RawMessage =
	| RawInvocation
	| RawStreamInvocation
	| RawStreamItem
	| RawCompletion
	| RawCancelInvocation;

/** Messages about a call, of which there is a raw form. */
export type CallMessage =
	| InvocationMessage
	| StreamInvocationMessage
	| StreamItemMessage
	| CompletionMessage
	| CancelInvocationMessage;

/** Bytes of a message's arguments, of its item or its result; 0 for others. */
export function valueBytes(message: RawMessage): number {
	if (isCall(message)) return message.arguments.length;
	if (message.type === MessageType.StreamItem) return message.item.length;
	return message.type === MessageType.Completion ? (message.result?.length ?? 0) : 0;
}

/**
 * The message with its values: arguments are decoded on first use, an item and a result at once.
 * @throws TrunklineError ERR_PROTOCOL where an item or a result cannot be read; the arguments' `values` throw it later.
 */
export function decodeRawMessage(raw: RawMessage): CallMessage {
	const { invocationId, headers, encoding } = raw;
	switch (raw.type) {
		case MessageType.Invocation:
			// Written out: a spread costs more than all the rest.
			return {
				type: raw.type,
				invocationId,
				target: raw.target,
				arguments: argumentsOf(raw),
				streamIds: raw.streamIds,
				headers,
			};
		case MessageType.StreamInvocation:
			return { type: raw.type, invocationId: raw.invocationId, ...callOf(raw), headers };
		case MessageType.StreamItem:
			return { type: raw.type, invocationId: raw.invocationId, item: readValue(encoding, raw.item), headers };
		case MessageType.Completion:
			return { type: raw.type, invocationId: raw.invocationId, ...outcomeOf(raw), headers };
		case MessageType.CancelInvocation:
			return { type: raw.type, invocationId: raw.invocationId, headers };
	}
}

/**
 * The message with its values as bytes: those that it came with, else encoded as `encoding`.
 * @throws TrunklineError ERR_SERIALIZATION for a value that cannot be written.
 */
export function encodeRawMessage(message: CallMessage, encoding: ArgumentEncoding): RawMessage {
	const { headers } = message;
	switch (message.type) {
		case MessageType.Invocation: {
			const { type, target, streamIds } = message;
			const { bytes, encoding: written } = message.arguments;
			const isWritten = bytes !== undefined && written !== undefined;
			const values = isWritten ? bytes : writeValue(encoding, message.arguments.values);
			const invocationId = message.invocationId || undefined;
			const found = isWritten ? written : encoding;
			return { type, encoding: found, invocationId, target, arguments: values, streamIds, headers };
		}
		case MessageType.StreamInvocation: {
			const { type, invocationId } = message;
			return { type, invocationId, ...rawCallOf(message, encoding), headers };
		}
		case MessageType.StreamItem: {
			const { type, invocationId, item } = message;
			return { type, encoding, invocationId, item: writeValue(encoding, item), headers };
		}
		case MessageType.Completion: {
			const { type, invocationId, error, hasResult } = message;
			const hasValue = error === undefined && hasResult === true;
			const result = hasValue ? writeValue(encoding, message.result) : undefined;
			return { type, encoding, invocationId, error, result, headers };
		}
		case MessageType.CancelInvocation:
			return { type: message.type, encoding, invocationId: message.invocationId, headers };
	}
}

function callOf(raw: RawCallBody): Pick<InvocationMessage, "target" | "arguments" | "streamIds"> {
	const { target, streamIds } = raw;
	return { target, arguments: argumentsOf(raw), streamIds };
}

function argumentsOf({ encoding, arguments: bytes }: RawCallBody): Arguments {
	const decode = encoding === "json" ? readJsonArguments : readMessagePackArguments;
	return Arguments.from(encoding, bytes, decode);
}

function outcomeOf(raw: RawCompletion): Pick<CompletionMessage, "error" | "hasResult" | "result"> {
	const { error, result, encoding } = raw;
	return result === undefined ? { error } : { hasResult: true, result: readValue(encoding, result) };
}

function rawCallOf(
	message: InvocationMessage | StreamInvocationMessage,
	encoding: ArgumentEncoding,
): RawCallBody {
	const { target, streamIds, headers } = message;
	const { bytes, encoding: written } = message.arguments;
	if (bytes && written) return { encoding: written, target, arguments: bytes, streamIds, headers };
	return { encoding, target, arguments: writeValue(encoding, message.arguments.values), streamIds, headers };
}

/** A value that was cut out of a message stands one level deep in it. */
function readValue(encoding: ArgumentEncoding, bytes: Buffer): unknown {
	return encoding === "json" ? readJson(bytes, MAX_READ_DEPTH - 1) : readMessagePack(bytes, 1);
}

function writeValue(encoding: ArgumentEncoding, value: unknown): Buffer {
	return encoding === "json" ? Buffer.from(jsonText(value)) : writeMessagePack(value);
}

function readJsonArguments(bytes: Buffer): readonly unknown[] {
	return checkArray(readValue("json", bytes));
}

function readMessagePackArguments(bytes: Buffer): readonly unknown[] {
	return checkArray(readValue("messagepack", bytes));
}

function checkArray(values: unknown): readonly unknown[] {
	if (Array.isArray(values)) return values;
	throw protocolError('An invocation needs "arguments" that are an array.');
}
