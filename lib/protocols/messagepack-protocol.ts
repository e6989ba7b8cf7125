import { LengthSplitter, writeLengthPrefix } from "./framing/length-splitter.js";
import {
	type HubMessage,
	type MessageFields,
	MessageType,
	protocolError,
	readHubMessage,
} from "./hub-message.js";
import type { HubProtocol } from "./hub-protocol.js";
import { peekMessagePack } from "./peek/messagepack-peek.js";
import { decodeRawMessage } from "./peek/raw-message.js";
import { pack, readMessagePack, whole, writable } from "./values/messagepack-value.js";

/**
 * The MessagePack hub protocol (HubProtocol.md, "MessagePack (MsgPack) encoding"): a length and one array per message.
 * Bytes are `bin`, dates the timestamp extension, whole numbers integers; integers beyond 2^53 are read as BigInt.
 * `write` throws TrunklineError
 * ERR_SERIALIZATION for a value that cannot be written, a BigInt of more than 64 bits among them.
 */
export const messagePackProtocol: HubProtocol = {
	name: "messagepack",
	transferFormat: "Binary",
	createSplitter: (maxMessageBytes) => new LengthSplitter(maxMessageBytes),
	parse: (record) => readHubMessage(fieldsOf(unpack(record))),
	peek: (record) => {
		const raw = peekMessagePack(record);
		return raw && decodeRawMessage(raw);
	},
	write: (message) => {
		const body = pack(itemsOf(message));
		return Buffer.concat([writeLengthPrefix(body.length), body]);
	},
};

function unpack(record: Buffer): readonly unknown[] {
	const message = readMessagePack(record);
	if (Array.isArray(message)) return message;
	throw protocolError("A MessagePack message must be an array.");
}

/**
 * Names the items of a message; those that stand after the known ones are ignored. No object here begins with a spread:
 * V8 makes a hidden class for each one that does, and takes microseconds for it.
 */
function fieldsOf(items: readonly unknown[]): MessageFields {
	const type = items[0];
	switch (type) {
		case MessageType.Invocation:
			// nil stands for "none" here and in Close, and nowhere else.
			return callFields(items, items[2] ?? undefined);
		case MessageType.StreamInvocation:
			return callFields(items, items[2]);
		case MessageType.StreamItem:
			return { type, headers: headersOf(items), invocationId: items[2], item: items[3] };
		case MessageType.Completion:
			return completionFields(items);
		case MessageType.CancelInvocation:
			return { type, headers: headersOf(items), invocationId: items[2] };
		case MessageType.Close:
			if (items.length < 2) throw protocolError("A close message needs an error, or nil.");
			return { type, error: items[1] ?? undefined, allowReconnect: items[2] };
		case MessageType.Ack:
		case MessageType.Sequence:
			return { type, sequenceId: items[1] };
		default:
			return { type };
	}
}

function headersOf([type, headers]: readonly unknown[]): unknown {
	if (headers === undefined) throw protocolError(`A message of type ${type} needs headers.`);
	return headers;
}

function callFields(items: readonly unknown[], invocationId: unknown): MessageFields {
	return {
		type: items[0],
		headers: headersOf(items),
		invocationId,
		// Unlike ASP.NET Core's json, its messagepack takes an empty target for none.
		target: items[3] || undefined,
		arguments: items[4],
		streamIds: items[5],
	};
}

const ResultKind = { Error: 1, Void: 2, Value: 3 } as const;

function completionFields(items: readonly unknown[]): MessageFields {
	const [type, , invocationId, kind, value] = items;
	const headers = headersOf(items);
	if (kind === ResultKind.Void) return { type, headers, invocationId };
	if (kind !== ResultKind.Error && kind !== ResultKind.Value)
		throw protocolError("The kind of a completion must be 1, 2 or 3.");
	if (value === undefined) throw protocolError("A completion of this kind needs an error or a result.");
	return kind === ResultKind.Error
		? { type, headers, invocationId, error: value }
		: { type, headers, invocationId, result: value };
}

function itemsOf(message: HubMessage): readonly unknown[] {
	switch (message.type) {
		case MessageType.Invocation:
		case MessageType.StreamInvocation:
			return [
				...commonItems(message),
				message.target,
				writable(message.arguments.values),
				message.streamIds ?? [],
			];
		case MessageType.StreamItem:
			return [...commonItems(message), writable(message.item)];
		case MessageType.Completion:
			return [...commonItems(message), ...outcomeItems(message)];
		case MessageType.CancelInvocation:
			return commonItems(message);
		case MessageType.Ping:
			return [message.type];
		case MessageType.Close:
			return [message.type, message.error ?? null, message.allowReconnect ?? false];
		case MessageType.Ack:
		case MessageType.Sequence:
			return [message.type, whole(message.sequenceId)];
	}
}

function commonItems(message: {
	type: number;
	headers?: object | undefined;
	invocationId?: string | undefined;
}): unknown[] {
	return [message.type, message.headers ?? {}, message.invocationId || null];
}

function outcomeItems(message: HubMessage & { type: typeof MessageType.Completion }): unknown[] {
	if (message.error !== undefined) return [ResultKind.Error, message.error];
	return message.hasResult ? [ResultKind.Value, writable(message.result)] : [ResultKind.Void];
}
