import { isCall } from "../../protocols/index.js";
import { heldBytes } from "../link/held-bytes.js";
import type { SessionEnd } from "../session/index.js";
import { type Frame, FrameReader } from "../wire/index.js";
import type { QueuedMessage } from "./call-queue.js";
import type { RemoteClient } from "./remote-client.js";

/** What a session leaves that is over, as messages. */
export interface Leftovers {
	/** Messages without an answer that were sent, and of which nobody knows whether they were handed on. */
	readonly lost: readonly QueuedMessage[];
	/** Messages that were never sent: another instance can have them. Calls among them still wait for their answer. */
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
		if (frame.type === "message" && frame.message.invocationId !== undefined) continue;
		const queued = queuedOf(clients, frame, now);
		if (queued) lost.push(queued);
	}
	for (const frame of framesOf(reader, unsent)) {
		const remote = frame.type === "open" ? clients.get(frame.client) : undefined;
		if (remote) unopened.add(remote);
		const queued = queuedOf(clients, frame, now);
		if (queued) waiting.push(queued);
	}
	return { lost, unsent: waiting, unopened };
}

function* framesOf(reader: FrameReader, segments: readonly Buffer[]): Iterable<Frame> {
	for (const frames of segments) yield* reader.read(frames);
}

function queuedOf(
	clients: ReadonlyMap<number, RemoteClient>,
	frame: Frame,
	waitsSince: number,
): QueuedMessage | undefined {
	const remote = frame.type === "message" ? clients.get(frame.client) : undefined;
	if (frame.type !== "message" || !remote) return undefined;
	const { message } = frame;
	const isCalling = isCall(message);
	const id = isCalling ? message.invocationId : undefined;
	// What the proxy has asked by itself it asks again by itself.
	if (id !== undefined && remote.callOf(id)?.isOwn) return undefined;
	const call = id === undefined ? undefined : remote.take(id);
	const up = { message, args: undefined, bytes: heldBytes(message), call, isCopy: !isCalling, waitsSince };
	return { client: remote.client, up };
}
