import {
	type ClientConnection,
	type DisconnectReason,
	MAX_PUSHED_BYTES,
	type PushedItem,
} from "../../hub/index.js";
import { type HubMessage, isCall } from "../../protocols/index.js";
import { violation } from "../wire/index.js";
import type { FrameWire } from "./frame-wire.js";
import { handOver, Inbox, type InboxListener, type InboxTerms } from "./inbox.js";

/** What an item takes that waits, beside its name and value. */
const EARLY_ITEM_BYTES = 64;

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
	/** Items that were pushed before it was let in, and their bytes. */
	#early: PushedItem[] | undefined;
	#earlyBytes = 0;

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
		for (const item of this.#early ?? []) connection.takeItem(item, this.wire);
		this.#early = undefined;
		this.#inbox?.open(connection);
	}

	/**
	 * Takes an item that its proxy has pushed.
	 * @throws TrunklineError ERR_LINK_PROTOCOL, ERR_LIMIT, ERR_PROTOCOL for one that cannot be, or is too much
	 */
	takeItem({ name, value }: PushedItem): void {
		if (this.wire.isClosed) return;
		if (this.#connection) {
			this.#connection.takeItem({ name, value }, this.wire);
			return;
		}
		this.#earlyBytes += EARLY_ITEM_BYTES + name.length + (value?.length ?? 0);
		if (this.#earlyBytes > 2 * MAX_PUSHED_BYTES)
			throw violation("a client that is not open yet has too many items");
		this.#early ??= [];
		this.#early.push({ name, value: value && Buffer.from(value) });
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
