import { type Clock, Fifo, type Timer } from "../../base/index.js";
import type { ForwardedClient, UpMessage } from "./forwarded-client.js";

/** A message with its client. */
export interface QueuedMessage {
	readonly client: ForwardedClient;
	readonly up: UpMessage;
}

/** Bounds of a {@link CallQueue}. */
export interface CallQueueLimits {
	readonly maxQueued: number;
	readonly maxQueuedBytes: number;
	readonly maxQueuedPerClient: number;
	readonly maxWaitMs: number;
}

/** What clients have sent while there is no app server to take it: in order, bounded, and not for ever. */
export class CallQueue {
	readonly #limits: CallQueueLimits;
	readonly #clock: Clock;
	readonly #expired: (queued: QueuedMessage) => void;
	readonly #queue = new Fifo<QueuedMessage>();
	#bytes = 0;
	#timer: Timer | undefined;

	/** `expired` gets what has waited for `maxWaitMs`. */
	constructor(limits: CallQueueLimits, clock: Clock, expired: (queued: QueuedMessage) => void) {
		this.#limits = limits;
		this.#clock = clock;
		this.#expired = expired;
	}

	get length(): number {
		return this.#queue.length;
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** Says why a message may not wait; undefined where it may. */
	refusalOf({ client, up }: QueuedMessage): string | undefined {
		const { maxQueued, maxQueuedBytes, maxQueuedPerClient } = this.#limits;
		if (client.waiting >= maxQueuedPerClient)
			return `${client.waiting} messages of this client wait already (maxQueuedPerClient)`;
		if (this.length >= maxQueued) return `${this.length} messages wait already (maxQueued)`;
		if (this.#bytes + up.bytes <= maxQueuedBytes) return undefined;
		return `${this.#bytes} bytes wait already (maxQueuedBytes)`;
	}

	push(queued: QueuedMessage): void {
		queued.up.waitsSince ??= this.#clock.elapsed();
		this.#queue.push(queued);
		this.#count(queued, 1);
		this.#plan();
	}

	/** Puts messages that were never sent before all others. Their wait goes on. */
	putBack(queued: readonly QueuedMessage[]): void {
		for (const each of queued) this.#count(each, 1);
		this.#queue.unshift(queued);
		// The first may be due before the one that was first.
		this.#rest();
		this.#plan();
	}

	shift(): QueuedMessage | undefined {
		const queued = this.#queue.shift();
		if (queued) this.#count(queued, -1);
		if (this.length === 0) this.#rest();
		return queued;
	}

	/** Takes out everything. */
	clear(): QueuedMessage[] {
		const all = [...this.#queue];
		this.#queue.clear();
		for (const each of all) this.#count(each, -1);
		this.#rest();
		return all;
	}

	#count({ client, up }: QueuedMessage, by: 1 | -1): void {
		client.waiting += by;
		this.#bytes += by * up.bytes;
	}

	#rest(): void {
		this.#timer?.cancel();
		this.#timer = undefined;
	}

	#plan(): void {
		const oldest = this.#queue.first;
		if (this.#timer || !oldest) return;
		const dueIn = since(oldest) + this.#limits.maxWaitMs - this.#clock.elapsed();
		this.#timer = this.#clock.schedule(Math.max(1, dueIn), () => {
			this.#timer = undefined;
			this.#expire(this.#clock.elapsed() - this.#limits.maxWaitMs);
			this.#plan();
		});
	}

	/** The queue is in the order of taking: the first that may stay ends the search. */
	#expire(before: number): void {
		for (let first = this.#queue.first; first && since(first) <= before; first = this.#queue.first) {
			this.#queue.shift();
			this.#count(first, -1);
			this.#expired(first);
		}
	}
}

/** All that is in a queue waits. */
function since({ up }: QueuedMessage): number {
	return up.waitsSince ?? 0;
}
