import { type CallMessage, MessageType, type RawMessage } from "../../protocols/index.js";
import type { SessionEnd } from "../session/index.js";
import { type Frame, FrameReader } from "../wire/index.js";
import type { QueuedMessage } from "./call-queue.js";
import type { RemoteClient, UpMessage } from "./remote-client.js";

/** What a session leaves that is over, as messages. */
export interface Leftovers {
	/** Messages without an answer that were sent, and of which nobody knows whether they were handed on. */
	readonly lost: readonly QueuedMessage[];
	/** Messages that were never sent: another instance can have them. */
	readonly unsent: readonly QueuedMessage[];
	/** Clients whose OPEN was never sent. */
	readonly unopened: ReadonlySet<RemoteClient>;
}

/**
 * Reads what a session leaves. Calls that were never sent keep their answer to come; those that were sent have none any
 * more, and their callers are told for all of a client's calls at once.
 */
export function leftovers(
	clients: ReadonlyMap<number, RemoteClient>,
	{ unconfirmed, unsent }: SessionEnd,
	now: number,
): Leftovers {
	const reader = new FrameReader("proxy");
	const lost: QueuedMessage[] = [];
	const waiting: QueuedMessage[] = [];
	const unopened = new Set<RemoteClient>();
	for (const frame of framesOf(reader, unconfirmed)) {
		const queued = queuedOf(clients, frame, now);
		if (queued && isCall(queued.up.message) && queued.up.message.invocationId === undefined) lost.push(queued);
	}
	for (const frame of framesOf(reader, unsent)) {
		const remote = frame.type === "open" ? clients.get(frame.client) : undefined;
		if (remote) unopened.add(remote);
		const queued = queuedOf(clients, frame, now);
		if (queued && mayWait(queued, waiting)) waiting.push(withCall(queued));
	}
	return { lost, unsent: waiting, unopened };
}

function* framesOf(reader: FrameReader, segments: readonly Buffer[]): Iterable<Frame> {
	for (const frames of segments) yield* reader.read(frames);
}

function queuedOf(
	clients: ReadonlyMap<number, RemoteClient>,
	frame: Frame,
	takenAt: number,
): QueuedMessage | undefined {
	if (frame.type !== "message") return undefined;
	const remote = clients.get(frame.client);
	const { message } = frame;
	return remote && { remote, up: { message, bytes: sizeOf(message), call: undefined, isCopy: false, takenAt } };
}

/** What belongs to a call that was sent goes down with it. */
function mayWait({ remote, up: { message } }: QueuedMessage, before: readonly QueuedMessage[]): boolean {
	if (isCall(message)) return true;
	return before.some(
		({ remote: other, up }) =>
			other === remote && (up.message.invocationId === message.invocationId || carries(up.message, message.invocationId)),
	);
}

function carries(message: RawMessage, streamId: CallMessage["invocationId"]): boolean {
	return isCall(message) && streamId !== undefined && message.streamIds?.includes(streamId) === true;
}

function withCall({ remote, up }: QueuedMessage): QueuedMessage {
	const { invocationId } = up.message;
	const call = invocationId === undefined || !isCall(up.message) ? undefined : remote.take(invocationId);
	return { remote, up: { ...up, call } };
}

function isCall(message: UpMessage["message"]): message is Extract<RawMessage, { readonly type: 1 | 4 }> {
	return message.type === MessageType.Invocation || message.type === MessageType.StreamInvocation;
}

function sizeOf(message: RawMessage): number {
	if (isCall(message)) return message.arguments.length;
	return message.type === MessageType.StreamItem ? message.item.length : 0;
}
