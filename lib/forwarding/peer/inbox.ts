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
	/** Nothing waits any more: the inbox is not needed. */
	idle(): void;
}

interface Waiting {
	readonly message: HubMessage;
	readonly bytes: number;
}

/**
 * The messages of one forwarded client that have to wait: for its connection, for those before them, or, calls, for room
 * for what they say. They are handed over one after another, as fast as the connection takes them. Waiting → delivering →
 * idle (its end) | closed.
 */
export class Inbox {
	readonly #terms: InboxTerms;
	readonly #listener: InboxListener;
	readonly #waiting = new Fifo<Waiting>();
	#bytes = 0;
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
		return this.#waiting.length;
	}

	/** Whose messages these are: what waits is handed over from now on, behind `first` where it has not done with that. */
	open(client: ClientConnection, first?: Promise<void>): void {
		void this.#deliver(client, first);
	}

	/** Takes a message of `bytes` bytes. */
	push(message: HubMessage, bytes: number): void {
		if (this.#isClosed) return;
		this.#waiting.push({ message, bytes });
		this.#count(1, bytes);
		this.#holdIfFull();
	}

	/** Calls `task` once everything that is here now was handed over; not where the inbox is closed before. */
	whenEmpty(task: () => void): void {
		this.#whenEmpty = task;
	}

	/** Takes nothing any more, and gives what was not handed over. */
	close(): HubMessage[] {
		this.#isClosed = true;
		this.#isHeld = false;
		const dropped = [...this.#waiting].map(({ message }) => message);
		this.#waiting.clear();
		this.#count(-dropped.length, -this.#bytes);
		this.#whenEmpty = undefined;
		return dropped;
	}

	async #deliver(client: ClientConnection, first: Promise<void> | undefined): Promise<void> {
		if (first) await this.#settled(first);
		for (;;) {
			for (let room = this.#room(client); room; room = this.#room(client)) await room;
			const next = this.#next(client);
			if (!next) break;
			const { message, bytes } = next;
			this.#count(-1, -bytes);
			this.#goIfRoom();
			const wait = handOver(client, message, this.#listener);
			if (wait) await this.#settled(wait);
		}
		if (this.length > 0) return;
		const task = this.#whenEmpty;
		this.#whenEmpty = undefined;
		this.#listener.idle();
		task?.();
	}

	#count(messages: number, bytes: number): void {
		this.#bytes += bytes;
		this.#terms.changed(messages, bytes);
	}

	/** What the next message has to wait for. */
	#room({ isDraining }: ClientConnection): Promise<void> | undefined {
		const { first } = this.#waiting;
		return first && !isDraining && isCall(first.message) ? this.#terms.room() : undefined;
	}

	/** A draining client starts nothing more: a call that waits stays here, to be reported. */
	#next({ isDraining }: ClientConnection): Waiting | undefined {
		const { first } = this.#waiting;
		return first && isDraining && isCall(first.message) ? undefined : this.#waiting.shift();
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

/** Hands a message to a client's connection. A returned promise asks to wait with the next one. */
export function handOver(
	client: ClientConnection,
	message: HubMessage,
	listener: Pick<InboxListener, "failed">,
): Promise<void> | undefined {
	try {
		return client.receive(message);
	} catch (cause) {
		listener.failed(cause);
		return undefined;
	}
}

function overfull(most: number): TrunklineError {
	const text = `More of a client waits than a session's window holds (${most} bytes, windowBytes), though its proxy was asked to hold it.`;
	return new TrunklineError("ERR_LIMIT", text);
}
