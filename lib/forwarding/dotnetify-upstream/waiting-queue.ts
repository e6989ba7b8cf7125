import { type Clock, Fifo, type Timer } from "../../base/index.js";
import type { ResolvedForwardingOptions } from "../proxy-end/options.js";
import type { ForwardedMessage } from "./forwarded-message.js";
import type { Outbox } from "./outbox.js";

/** A message with its client's account. */
export interface Queued {
	readonly message: ForwardedMessage;
	readonly outbox: Outbox;
}

/** What a queue needs beside its limits. */
export interface WaitingQueueListener {
	readonly clock: Clock;
	/** These have waited for `maxWaitMs` and are in the queue no more. */
	expired(queued: readonly Queued[]): void;
}

type Limits = Pick<
	ResolvedForwardingOptions,
	"maxQueued" | "maxQueuedBytes" | "maxQueuedPerClient" | "maxWaitMs"
>;

/** Messages that wait for a link to an app server: in order, bounded, and not for ever. */
export class WaitingQueue {
	readonly #limits: Limits;
	readonly #listener: WaitingQueueListener;
	readonly #items = new Fifo<Queued>();
	#bytes = 0;
	#expiry: Timer | undefined;

	constructor(limits: Limits, listener: WaitingQueueListener) {
		this.#limits = limits;
		this.#listener = listener;
	}

	get length(): number {
		return this.#items.length;
	}

	/** The oldest, left in place. */
	get first(): Queued | undefined {
		return this.#items.first;
	}

	/** Says why a message may not wait; undefined where it may. */
	refusalOf({ message, outbox }: Queued): string | undefined {
		const { maxQueued, maxQueuedBytes, maxQueuedPerClient } = this.#limits;
		// The end of a client frees what it holds over there: it is not to be lost to a full queue.
		if (message.kind === "disconnect") return undefined;
		if (outbox.waiting >= maxQueuedPerClient) {
			return `${outbox.waiting} messages of this client wait already (maxQueuedPerClient)`;
		}
		if (this.length >= maxQueued) return `${this.length} messages wait already (maxQueued)`;
		if (this.#bytes + message.bytes > maxQueuedBytes)
			return `${this.#bytes} bytes wait already (maxQueuedBytes)`;
		return undefined;
	}

	push(queued: Queued): void {
		this.#items.push(queued);
		this.#count(queued, 1);
		this.#plan();
	}

	shift(): Queued | undefined {
		const queued = this.#items.shift();
		if (queued) this.#count(queued, -1);
		if (this.length === 0) this.#rest();
		return queued;
	}

	/** Puts messages that were sent in vain before all others; their wait begins anew. */
	putBack(sent: readonly Queued[]): void {
		if (sent.length === 0) return;
		const queuedAt = this.#listener.clock.elapsed();
		const queued = sent.map(({ message, outbox }) => ({ message: { ...message, queuedAt }, outbox }));
		for (const each of queued) this.#count(each, 1);
		this.#items.unshift(queued);
		this.#plan();
	}

	/** Takes out everything. */
	clear(): Queued[] {
		this.#rest();
		return this.#extract(() => true);
	}

	#count({ message, outbox }: Queued, by: 1 | -1): void {
		outbox.waiting += by;
		this.#bytes += by * message.bytes;
	}

	#extract(test: (queued: Queued) => boolean): Queued[] {
		const taken = this.#items.extract(test);
		for (const queued of taken) this.#count(queued, -1);
		return taken;
	}

	#rest(): void {
		this.#expiry?.cancel();
		this.#expiry = undefined;
	}

	#plan(): void {
		if (this.#expiry) return;
		let oldest = Number.POSITIVE_INFINITY;
		for (const { message } of this.#items)
			if (canExpire(message)) oldest = Math.min(oldest, message.queuedAt);
		if (oldest === Number.POSITIVE_INFINITY) return;
		const { clock } = this.#listener;
		const dueIn = Math.max(1, oldest + this.#limits.maxWaitMs - clock.elapsed());
		this.#expiry = clock.schedule(dueIn, () => {
			this.#expiry = undefined;
			this.#expire(clock.elapsed() - this.#limits.maxWaitMs);
		});
	}

	#expire(before: number): void {
		const due = this.#extract(({ message }) => canExpire(message) && message.queuedAt <= before);
		// Whose every message has expired was never known over there: there is nothing to end.
		const ends = this.#extract(({ outbox }) => outbox.hasEnded && !outbox.wasSent && outbox.waiting === 1);
		this.#plan();
		if (due.length + ends.length > 0) this.#listener.expired([...due, ...ends]);
	}
}

/** A disconnect stays: without it the app server would keep what the client had for ever. */
function canExpire(message: ForwardedMessage): boolean {
	return message.kind !== "disconnect";
}
