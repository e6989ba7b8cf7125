import { Fifo } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import type { ClientConnection } from "../../hub/index.js";
import { type HubMessage, isCall } from "../../protocols/index.js";

/** How much of one client waits before its proxy is asked to read no more of it. */
export interface InboxLimits {
	readonly maxMessages: number;
	readonly maxBytes: number;
	/** Bytes that may wait beside those, of what was on its way when its proxy was asked. */
	readonly maxLateBytes: number;
}

/** What the inboxes of a session have in common. */
export interface InboxTerms extends InboxLimits {
	/** Undefined where a call may be started: there is room for what it says. */
	room(): Promise<void> | undefined;
	/** So many more messages wait (or less), with so many bytes. */
	changed(messages: number, bytes: number): void;
}

/** Who hears of an inbox. */
export interface InboxListener {
	/** Too much waits: the client is to be read no more. Called once until {@link go}. */
	hold(): void;
	/** Half of it is gone: the client may be read again. */
	go(): void;
	/**
	 * The client is to be ended: its connection refused a message, which is its own fault (such as an answer that nobody
	 * asked for), or more waits than may (`ERR_LIMIT`).
	 */
	failed(cause: unknown): void;
}

interface Waiting {
	readonly message: HubMessage;
	readonly bytes: number;
}

/**
 * The messages of one forwarded client, handed to its connection one after another, as fast as that takes them; calls
 * only where there is room for what they say. Waiting (for the connection to be there) → delivering → idle → … → closed.
 */
export class Inbox {
	readonly #terms: InboxTerms;
	readonly #listener: InboxListener;
	#client: ClientConnection | undefined;
	#waiting: Fifo<Waiting> | undefined;
	#bytes = 0;
	#isBusy = false;
	#isHeld = false;
	#isClosed = false;
	#whenEmpty: (() => void) | undefined;

	constructor(terms: InboxTerms, listener: InboxListener) {
		this.#terms = terms;
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
		const isNext = this.#client !== undefined && !this.#isBusy && this.length === 0;
		if (this.#client && isNext && !(isCall(message) && this.#terms.room())) {
			const wait = this.#hand(this.#client, message);
			if (wait) void this.#deliver(wait);
			return;
		}
		this.#waiting ??= new Fifo();
		this.#waiting.push({ message, bytes });
		this.#count(1, bytes);
		this.#holdIfFull();
		if (isNext) void this.#deliver();
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
		this.#count(-dropped.length, -this.#bytes);
		this.#whenEmpty = undefined;
		return dropped;
	}

	async #deliver(first?: Promise<void>): Promise<void> {
		this.#isBusy = true;
		if (first) await this.#settled(first);
		for (;;) {
			for (let room = this.#room(); room; room = this.#room()) await room;
			const next = this.#next();
			if (!next || !this.#client) break;
			const { message, bytes } = next;
			this.#count(-1, -bytes);
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

	#count(messages: number, bytes: number): void {
		this.#bytes += bytes;
		this.#terms.changed(messages, bytes);
	}

	/** What the next message has to wait for. */
	#room(): Promise<void> | undefined {
		const first = this.#waiting?.first;
		if (!first || !isCall(first.message) || this.#client?.isDraining) return undefined;
		return this.#terms.room();
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
		const { maxMessages, maxBytes, maxLateBytes } = this.#terms;
		if (!this.#isHeld && (this.length > maxMessages || this.#bytes > maxBytes)) {
			this.#isHeld = true;
			this.#listener.hold();
		} else if (this.#bytes > maxBytes + maxLateBytes) this.#listener.failed(overfull(maxLateBytes));
	}

	#goIfRoom(): void {
		const { maxMessages, maxBytes } = this.#terms;
		if (!this.#isHeld || this.length > maxMessages / 2 || this.#bytes > maxBytes / 2) return;
		this.#isHeld = false;
		this.#listener.go();
	}
}

function overfull(most: number): TrunklineError {
	const text = `More of a client waits than a session's window holds (${most} bytes, windowBytes), though its proxy was asked to hold it.`;
	return new TrunklineError("ERR_LIMIT", text);
}
