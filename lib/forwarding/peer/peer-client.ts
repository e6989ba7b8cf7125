import type { ClientConnection, DisconnectReason } from "../../hub/index.js";
import { type HubMessage, isCall } from "../../protocols/index.js";
import type { FrameWire } from "./frame-wire.js";
import { handOver, Inbox, type InboxListener, type InboxTerms } from "./inbox.js";

/** What the clients of a session need of it; one for all of them. */
export interface PeerClientHost {
	readonly inboxes: InboxTerms;
	/** Too much of a client waits: it is to be read no more. */
	hold(client: PeerClient): void;
	/** It may be read again. */
	go(client: PeerClient): void;
	/** It broke the hub protocol. */
	failed(client: PeerClient, cause: unknown): void;
}

/**
 * A forwarded client at the app server: opening → open → closing → gone. A server holds many that say nothing, so there is
 * an inbox only while something waits.
 */
export class PeerClient implements InboxListener {
	readonly connectionId: string;
	readonly wire: FrameWire;
	/** How its proxy says that it left, once it has. */
	left: DisconnectReason | undefined;
	readonly #host: PeerClientHost;
	#connection: ClientConnection | undefined;
	/** Its messages that wait, in the order in which they came. */
	#inbox: Inbox | undefined;

	constructor(connectionId: string, wire: FrameWire, host: PeerClientHost) {
		this.connectionId = connectionId;
		this.wire = wire;
		this.#host = host;
	}

	get number(): number {
		return this.wire.number;
	}

	/** Its connection in the hub, once it was let in. */
	get connection(): ClientConnection | undefined {
		return this.#connection;
	}

	/** Whether it is to be read no more. */
	get isHeld(): boolean {
		return this.#inbox?.isHeld === true;
	}

	/** It was let in: what waits is handed over from now on. */
	admitted(connection: ClientConnection): void {
		this.#connection = connection;
		this.#inbox?.open(connection);
	}

	/** Takes a message of `bytes` bytes: hands it over at once where nothing waits, and there is room for what it says. */
	push(message: HubMessage, bytes: number): void {
		if (this.wire.isClosed) return;
		const connection = this.#connection;
		if (this.#inbox || !connection || (isCall(message) && this.#host.inboxes.room())) {
			this.#wait(message, bytes);
			return;
		}
		const wait = handOver(connection, message, this);
		if (!wait) return;
		this.#inbox = new Inbox(this.#host.inboxes, this);
		this.#inbox.open(connection, wait);
	}

	#wait(message: HubMessage, bytes: number): void {
		const known = this.#inbox;
		const inbox = known ?? new Inbox(this.#host.inboxes, this);
		this.#inbox = inbox;
		inbox.push(message, bytes);
		if (!known && this.#connection) inbox.open(this.#connection);
	}

	/** Calls `task` once everything that is here now was handed over; not where it is dropped before. */
	whenEmpty(task: () => void): void {
		if (this.#inbox) this.#inbox.whenEmpty(task);
		else task();
	}

	/** Nothing goes to it or comes from it any more; gives what was not handed over. */
	drop(): readonly HubMessage[] {
		this.wire.cut();
		return this.#inbox?.close() ?? [];
	}

	/** Called by the inbox. */
	hold(): void {
		this.#host.hold(this);
	}

	/** Called by the inbox. */
	go(): void {
		this.#host.go(this);
	}

	/** Called by the inbox. */
	failed(cause: unknown): void {
		this.#host.failed(this, cause);
	}

	/** Called by the inbox. */
	idle(): void {
		this.#inbox = undefined;
	}
}
