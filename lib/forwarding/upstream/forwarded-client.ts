import type { ClientConnection, DisconnectReason } from "../../hub/index.js";
import { type Arguments, isCall, type RawMessage } from "../../protocols/index.js";
import type { ForwardingFailure } from "../lost-message.js";
import type { Recovery } from "../observing/link-life.js";
import type { AppSession } from "./app-session.js";
import type { RemoteCall, RemoteClient, Replay } from "./remote-client.js";

/** Streams that are remembered before it is looked which of them are over: some more than a client may have by default. */
const MAX_STREAMS = 128;

/** A client's message on its way up. */
export interface UpMessage {
	readonly message: RawMessage;
	/** Where the arguments of a call are from, which its caller's context holds as well. */
	readonly args: Arguments | undefined;
	/** About how many bytes it takes. */
	readonly bytes: number;
	/** Where its caller waits for an answer. */
	readonly call: RemoteCall | undefined;
	/** Whether nobody hears of its loss: a copy, which somebody else answers, or what belongs to a call. */
	readonly isCopy: boolean;
	/** When it began to wait, by the hub's clock; most never do. */
	waitsSince: number | undefined;
}

/** The same message, for one that has to wait: it holds no more than its own bytes. */
export function inOwnBytes(up: UpMessage): UpMessage {
	const { message, args } = up;
	args?.own();
	if (!args?.bytes || !isCall(message) || args.bytes === message.arguments) return up;
	return { ...up, message: { ...message, arguments: args.bytes } };
}

/**
 * A client as an upstream knows it, from its connect (or its first message) to its end there. It outlives sessions: its
 * home is the session that has it; where shared view models have an owner, that session has it too.
 */
export class ForwardedClient {
	readonly connection: ClientConnection;
	/** Where it is at home; undefined while there is no session for it. */
	home: RemoteClient | undefined;
	/** How the instance that had it last let it go, here or before another proxy; undefined where it never was open. */
	before: "lost" | "migrated" | undefined;
	/** How the client went, once it is gone. */
	end: DisconnectReason | undefined;
	/** Whether another proxy is about to have it: it is opened nowhere any more. */
	isLeaving = false;
	/** Why no app server can have it, where that is so: it is about to be closed. */
	refusal: ForwardingFailure | undefined;
	/** Messages of it that wait for a session. */
	waiting = 0;
	/** What it sends while it is moved from one instance to another. */
	parked: UpMessage[] | undefined;
	/** Calls that are made again as soon as there is a session. */
	replays: readonly Replay[] = NO_REPLAYS;
	/** It lost its home, and is to get another one. */
	recovery: Recovery | undefined;
	/** Sessions that have it beside its home. */
	#guests: RemoteClient[] | undefined;
	/** Which session takes what the client sends for a stream. */
	#streams: Map<string, RemoteClient> | undefined;

	constructor(connection: ClientConnection) {
		this.connection = connection;
		if (connection.recovered) this.before = connection.migrated ? "migrated" : "lost";
	}

	/** Whether the client is gone: nothing of it follows. */
	get hasEnded(): boolean {
		return this.end !== undefined;
	}

	/** Everywhere it is open. */
	get remotes(): readonly RemoteClient[] {
		if (!this.#guests) return this.home ? [this.home] : NO_REMOTES;
		return this.home ? [this.home, ...this.#guests] : this.#guests;
	}

	at(session: AppSession): RemoteClient | undefined {
		if (this.home?.session === session) return this.home;
		return this.#guests?.find((remote) => remote.session === session);
	}

	/** It is open in one more session. */
	joined(remote: RemoteClient, isHome: boolean): void {
		if (isHome) {
			this.#guests = this.#guests?.filter((guest) => guest !== remote);
			if (this.home && this.home !== remote) this.#guests = [...(this.#guests ?? []), this.home];
			this.home = remote;
			this.recovery?.opened();
			this.recovery = undefined;
		} else this.#guests = [...(this.#guests ?? []), remote];
	}

	/** The client is gone: nothing of it follows. */
	ending(reason: DisconnectReason): void {
		this.end = reason;
		this.recovery?.left();
		this.recovery = undefined;
	}

	/** A session has it no more. */
	left(remote: RemoteClient): void {
		if (this.home === remote) this.home = undefined;
		const guests = this.#guests?.filter((guest) => guest !== remote);
		this.#guests = guests?.length ? guests : undefined;
		for (const [id, other] of this.#streams ?? []) if (other === remote) this.#streams?.delete(id);
	}

	/** What the client sends for these streams goes where their call went. */
	opened(streamIds: readonly string[], remote: RemoteClient): void {
		this.#streams ??= new Map();
		for (const id of streamIds) this.#streams.set(id, remote);
		if (this.#streams.size > MAX_STREAMS) this.#forgetStreams(this.#streams);
	}

	/** Streams of calls that were refused, or answered before their end, have none: nothing tells of it. */
	#forgetStreams(streams: Map<string, RemoteClient>): void {
		// What waits may be the end of one.
		if (this.waiting > 0 || this.parked) return;
		for (const id of streams.keys()) if (!this.connection.streams.isUploading(id)) streams.delete(id);
	}

	/** Where a message goes that belongs to a call or to a stream of one; undefined where that is over. */
	remoteOf(id: string): RemoteClient | undefined {
		return this.#streams?.get(id) ?? this.remotes.find((remote) => remote.callOf(id) !== undefined);
	}

	/** A stream of the client's is over. */
	closed(streamId: string): void {
		if (this.#streams?.delete(streamId) && this.#streams.size === 0) this.#streams = undefined;
	}
}

const NO_REMOTES: readonly RemoteClient[] = [];
/** Nothing to be asked again. */
export const NO_REPLAYS: readonly Replay[] = [];
