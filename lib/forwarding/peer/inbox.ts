import { Fifo } from "../../base/index.js";
import type { ClientConnection } from "../../hub/index.js";
import { type HubMessage, isCall } from "../../protocols/index.js";

/** How much of one client waits before its proxy is asked to read no more of it. */
export interface InboxLimits {
	readonly maxMessages: number;
	readonly maxBytes: number;
}

/** Who hears of an inbox. */
export interface InboxListener {
	/** Too much waits: the client is to be read no more. Called once until {@link go}. */
	hold(): void;
	/** Half of it is gone: the client may be read again. */
	go(): void;
	/** A message was refused by the client's connection: its own fault, such as an answer that nobody asked for. */
	failed(cause: unknown): void;
}

interface Waiting {
	readonly message: HubMessage;
	readonly bytes: number;
}

/**
 * The messages of one forwarded client, handed to its connection one after another, as fast as that takes them.
 * Waiting (for the connection to be there) → delivering → idle → … → closed.
 */
export class Inbox {
	readonly #limits: InboxLimits;
	readonly #listener: InboxListener;
	#client: ClientConnection | undefined;
	#waiting: Fifo<Waiting> | undefined;
	#bytes = 0;
	#isBusy = false;
	#isHeld = false;
	#isClosed = false;
	#whenEmpty: (() => void) | undefined;

	constructor(limits: InboxLimits, listener: InboxListener) {
		this.#limits = limits;
		this.#listener = listener;
	}

	/** Whether its client is to be read no more. */
	get isHeld(): boolean {
		return this.#isHeld;
	}

	/** Messages that wait for their turn. */
	get length(): number {
		return this.#waiting?.length ?? 0;
	}

	/** Whose messages these are: what waits is handed over from now on. */
	open(client: ClientConnection): void {
		this.#client = client;
		if (!this.#isBusy) void this.#deliver();
	}

	/** Takes a message of `bytes` bytes: hands it over at once where nothing waits. */
	push(message: HubMessage, bytes: number): void {
		if (this.#isClosed) return;
		if (this.#client && !this.#isBusy && this.length === 0) {
			const wait = this.#hand(this.#client, message);
			if (wait) void this.#deliver(wait);
			return;
		}
		this.#waiting ??= new Fifo();
		this.#waiting.push({ message, bytes });
		this.#bytes += bytes;
		this.#holdIfFull();
	}

	/** Calls `task` once everything that is here now was handed over; not where the inbox is cleared before. */
	whenEmpty(task: () => void): void {
		if (this.#isBusy || this.length > 0) this.#whenEmpty = task;
		else task();
	}

	/** Takes nothing any more, and gives what was not handed over. */
	close(): HubMessage[] {
		this.#isClosed = true;
		this.#isHeld = false;
		const dropped = [...(this.#waiting ?? [])].map(({ message }) => message);
		this.#waiting = undefined;
		this.#bytes = 0;
		this.#whenEmpty = undefined;
		return dropped;
	}

	async #deliver(first?: Promise<void>): Promise<void> {
		this.#isBusy = true;
		if (first) await this.#settled(first);
		for (let next = this.#next(); next && this.#client; next = this.#next()) {
			const { message, bytes } = next;
			this.#bytes -= bytes;
			this.#goIfRoom();
			const wait = this.#hand(this.#client, message);
			if (wait) await this.#settled(wait);
		}
		this.#isBusy = false;
		if (this.length > 0) return;
		const task = this.#whenEmpty;
		this.#whenEmpty = undefined;
		task?.();
	}

	/** A draining client starts nothing more: a call that waits stays here, to be reported. */
	#next(): Waiting | undefined {
		const first = this.#waiting?.first;
		if (!first || (this.#client?.isDraining && isCall(first.message))) return undefined;
		return this.#waiting?.shift();
	}

	#hand(client: ClientConnection, message: HubMessage): Promise<void> | undefined {
		try {
			return client.receive(message);
		} catch (cause) {
			this.#listener.failed(cause);
			return undefined;
		}
	}

	async #settled(wait: Promise<void>): Promise<void> {
		try {
			await wait;
		} catch (cause) {
			this.#listener.failed(cause);
		}
	}

	#holdIfFull(): void {
		const { maxMessages, maxBytes } = this.#limits;
		if (this.#isHeld || (this.length <= maxMessages && this.#bytes <= maxBytes)) return;
		this.#isHeld = true;
		this.#listener.hold();
	}

	#goIfRoom(): void {
		const { maxMessages, maxBytes } = this.#limits;
		if (!this.#isHeld || this.length > maxMessages / 2 || this.#bytes > maxBytes / 2) return;
		this.#isHeld = false;
		this.#listener.go();
	}
}
