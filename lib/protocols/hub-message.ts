import { TrunklineError } from "../errors/index.js";
import { Arguments } from "./arguments.js";

/** Type numbers of the SignalR hub protocol (HubProtocol.md; Ack and Sequence are of stateful reconnect). */
export const MessageType = {
	Invocation: 1,
	StreamItem: 2,
	Completion: 3,
	StreamInvocation: 4,
	CancelInvocation: 5,
	Ping: 6,
	Close: 7,
	Ack: 8,
	Sequence: 9,
} as const;
export type MessageType = (typeof MessageType)[keyof typeof MessageType];

/** The messages of a union that call a method. */
type Call<Message> = Extract<
	Message,
	{ readonly type: typeof MessageType.Invocation | typeof MessageType.StreamInvocation }
>;

/** Whether a message calls a method, for one answer or for a stream. */
export function isCall<Message extends { readonly type: MessageType }>(
	message: Message,
): message is Call<Message> {
	return message.type === MessageType.Invocation || message.type === MessageType.StreamInvocation;
}

/** Headers of a hub message: text to text. Carried, never acted on. */
export type MessageHeaders = Readonly<Record<string, string>>;

/** Asks the callee to run a method. Without `invocationId` no answer is ever sent. */
export interface InvocationMessage {
	readonly type: typeof MessageType.Invocation;
	readonly invocationId?: string | undefined;
	readonly target: string;
	readonly arguments: Arguments;
	readonly streamIds?: readonly string[] | undefined;
	readonly headers?: MessageHeaders | undefined;
}

/** Asks the callee to run a method that answers with a stream. */
export interface StreamInvocationMessage {
	readonly type: typeof MessageType.StreamInvocation;
	readonly invocationId: string;
	readonly target: string;
	readonly arguments: Arguments;
	readonly streamIds?: readonly string[] | undefined;
	readonly headers?: MessageHeaders | undefined;
}

/** One item of a stream, in either direction. */
export interface StreamItemMessage {
	readonly type: typeof MessageType.StreamItem;
	readonly invocationId: string;
	readonly item: unknown;
	readonly headers?: MessageHeaders | undefined;
}

/** The end of an invocation or stream: `error`, or `result` where `hasResult`, or neither. */
export interface CompletionMessage {
	readonly type: typeof MessageType.Completion;
	readonly invocationId: string;
	readonly error?: string | undefined;
	readonly hasResult?: boolean | undefined;
	readonly result?: unknown;
	readonly headers?: MessageHeaders | undefined;
}

/** The caller no longer wants a stream. */
export interface CancelInvocationMessage {
	readonly type: typeof MessageType.CancelInvocation;
	readonly invocationId: string;
	readonly headers?: MessageHeaders | undefined;
}

/** Keep-alive. */
export interface PingMessage {
	readonly type: typeof MessageType.Ping;
}

/** The last message of a connection; `allowReconnect` tells the client that coming back makes sense. */
export interface CloseMessage {
	readonly type: typeof MessageType.Close;
	readonly error?: string | undefined;
	readonly allowReconnect?: boolean | undefined;
}

/** Stateful reconnect: everything up to `sequenceId` has arrived. */
export interface AckMessage {
	readonly type: typeof MessageType.Ack;
	readonly sequenceId: number;
}

/** Stateful reconnect: the number of the next message. */
export interface SequenceMessage {
	readonly type: typeof MessageType.Sequence;
	readonly sequenceId: number;
}

/** Every message of the hub protocol. */
export type HubMessage =
	| InvocationMessage
	| StreamInvocationMessage
	| StreamItemMessage
	| CompletionMessage
	| CancelInvocationMessage
	| PingMessage
	| CloseMessage
	| AckMessage
	| SequenceMessage;

/**
 * How deep a message that is read may be nested, itself included. It is the limit of ASP.NET Core's JSON reader, and
 * ours for every protocol: what one client may send can be written for any other.
 */
export const MAX_READ_DEPTH = 64;

/** The fields of a message as a protocol's decoder found them, not checked yet; absent ones are `undefined`. */
export interface MessageFields {
	readonly type: unknown;
	readonly headers?: unknown;
	readonly invocationId?: unknown;
	readonly target?: unknown;
	readonly arguments?: unknown;
	readonly streamIds?: unknown;
	readonly item?: unknown;
	readonly error?: unknown;
	readonly result?: unknown;
	readonly allowReconnect?: unknown;
	readonly sequenceId?: unknown;
}

/** How much of a text that a peer chose may stand in a log line or an event, in characters. */
const MAX_EXCERPT_LENGTH = 100;

/** The beginning of a text that a peer chose (a target, an id), short enough for logs and events. */
export function excerpt(text: string): string;
export function excerpt(text: string | null | undefined): string | null | undefined;
export function excerpt(text: string | null | undefined): string | null | undefined {
	return text && text.length > MAX_EXCERPT_LENGTH ? `${text.slice(0, MAX_EXCERPT_LENGTH - 1)}…` : text;
}

/** An error of the peer's against the hub protocol. The message goes to logs: nothing of a payload may stand in it. */
export function protocolError(message: string): TrunklineError {
	return new TrunklineError("ERR_PROTOCOL", message);
}

/**
 * Checks the fields of a decoded message and makes a message of them; `undefined` for a type number that is not known.
 * @throws TrunklineError ERR_PROTOCOL for a missing field or one of the wrong type (HubProtocol.md).
 */
export function readHubMessage(fields: MessageFields): HubMessage | undefined {
	const type = fields.type;
	if (typeof type !== "number" || !Number.isInteger(type))
		throw protocolError('A message needs a "type" that is a whole number.');
	return READERS[type]?.(fields);
}

const READERS: Readonly<Record<number, (fields: MessageFields) => HubMessage>> = {
	[MessageType.Invocation]: readInvocation,
	[MessageType.StreamItem]: (fields) => ({
		type: MessageType.StreamItem,
		invocationId: requiredId(fields),
		item: present(fields, "item"),
		...readHeaders(fields),
	}),
	[MessageType.Completion]: readCompletion,
	[MessageType.StreamInvocation]: (fields) => ({
		type: MessageType.StreamInvocation,
		invocationId: requiredId(fields),
		...readCall(fields),
	}),
	[MessageType.CancelInvocation]: (fields) => ({
		type: MessageType.CancelInvocation,
		invocationId: requiredId(fields),
		...readHeaders(fields),
	}),
	[MessageType.Ping]: () => ({ type: MessageType.Ping }),
	[MessageType.Close]: (fields) => ({
		type: MessageType.Close,
		...optional("error", optionalText(fields, "error")),
		...optional("allowReconnect", optionalFlag(fields, "allowReconnect")),
	}),
	[MessageType.Ack]: (fields) => ({ type: MessageType.Ack, sequenceId: readSequenceId(fields) }),
	[MessageType.Sequence]: (fields) => ({ type: MessageType.Sequence, sequenceId: readSequenceId(fields) }),
};

/** Most have neither streams nor headers, and are made without a spread, which costs more than all the rest. */
function readInvocation(fields: MessageFields): InvocationMessage {
	const type = MessageType.Invocation;
	const invocationId = optionalId(fields);
	const call = readCall(fields);
	if (call.streamIds || call.headers) return { type, ...optional("invocationId", invocationId), ...call };
	const { target, arguments: args } = call;
	return invocationId === undefined
		? { type, target, arguments: args }
		: { type, invocationId, target, arguments: args };
}

function readCall(
	fields: MessageFields,
): Pick<InvocationMessage, "target" | "arguments" | "streamIds" | "headers"> {
	const target = optionalText(fields, "target");
	if (target === undefined) throw protocolError('An invocation needs a "target".');
	const values = fields.arguments;
	if (!Array.isArray(values)) throw protocolError('An invocation needs "arguments" that are an array.');
	const args = Arguments.of(values);
	const [streamIds, headers] = [readStreamIds(fields), readHeaders(fields)];
	return streamIds || headers
		? { target, arguments: args, ...streamIds, ...headers }
		: { target, arguments: args };
}

function readCompletion(fields: MessageFields): CompletionMessage {
	const invocationId = requiredId(fields);
	const error = optionalText(fields, "error");
	const hasResult = fields.result !== undefined;
	if (error !== undefined && hasResult)
		throw protocolError("A completion carries either a result or an error, not both.");
	return {
		type: MessageType.Completion,
		invocationId,
		...optional("error", error),
		...(hasResult ? { hasResult, result: fields.result } : undefined),
		...readHeaders(fields),
	};
}

function optional<K extends string, V>(name: K, value: V | undefined): { [name in K]?: V } | undefined {
	return value === undefined ? undefined : ({ [name]: value } as { [name in K]?: V });
}

function present(fields: MessageFields, name: keyof MessageFields): unknown {
	if (fields[name] === undefined) throw protocolError(`A message of type ${fields.type} needs "${name}".`);
	return fields[name];
}

function optionalText(fields: MessageFields, name: keyof MessageFields): string | undefined {
	const value = fields[name];
	if (value === undefined || typeof value === "string") return value;
	throw protocolError(`"${name}" must be text.`);
}

function optionalFlag(fields: MessageFields, name: keyof MessageFields): boolean | undefined {
	const value = fields[name];
	if (value === undefined || typeof value === "boolean") return value;
	throw protocolError(`"${name}" must be true or false.`);
}

/** An empty id is none, as measured on ASP.NET Core 10. */
function optionalId(fields: MessageFields): string | undefined {
	const id = optionalText(fields, "invocationId");
	return id === "" ? undefined : id;
}

function requiredId(fields: MessageFields): string {
	const id = optionalId(fields);
	if (id === undefined) throw protocolError(`A message of type ${fields.type} needs an "invocationId".`);
	return id;
}

function readSequenceId(fields: MessageFields): number {
	const id = fields.sequenceId;
	if (typeof id === "number" && Number.isSafeInteger(id) && id >= 0) return id;
	throw protocolError('"sequenceId" must be a whole number of at least 0.');
}

/** The `streamIds` of a call; none where there are no ids. @throws TrunklineError ERR_PROTOCOL */
export function readStreamIds(fields: MessageFields): { streamIds?: readonly string[] } | undefined {
	const ids = fields.streamIds;
	if (ids === undefined) return undefined;
	if (!Array.isArray(ids) || !ids.every((id) => typeof id === "string"))
		throw protocolError('"streamIds" must be an array of texts.');
	return ids.length === 0 ? undefined : { streamIds: ids };
}

/** The `headers` of a message; none where it is an empty map. @throws TrunklineError ERR_PROTOCOL */
export function readHeaders(fields: MessageFields): { headers?: MessageHeaders } | undefined {
	const headers = fields.headers;
	if (headers === undefined) return undefined;
	if (typeof headers !== "object" || headers === null || Array.isArray(headers))
		throw protocolError('"headers" must map names to texts.');
	const values = Object.values(headers);
	if (!values.every((value) => typeof value === "string"))
		throw protocolError('"headers" must map names to texts.');
	return values.length === 0 ? undefined : { headers: headers as MessageHeaders };
}
