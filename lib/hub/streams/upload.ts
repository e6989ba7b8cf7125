import { type Deferred, deferred, Fifo } from "../../base/index.js";

/**
 * A stream that a client sends to a method: what the method's parameter is. Life: open → completed | failed (the
 * method's loop throws) | left (the method has ended, or left its loop: later items are dropped).
 *
 * Items wait up to `capacity`; the one that does not fit any more holds back the reading of its client.
 */
export class Upload implements AsyncIterableIterator<unknown> {
	readonly #capacity: number;
	readonly #items = new Fifo<unknown>();
	/** Those who wait for an item: one, unless a method calls `next` without waiting for the last one. */
	readonly #takers = new Fifo<Deferred<IteratorResult<unknown>>>();
	#room: Deferred<void> | undefined;
	#end: { readonly error?: unknown } | undefined;

	constructor(capacity: number) {
		this.#capacity = capacity;
	}

	/** Whether no item is taken any more. */
	get isOver(): boolean {
		return this.#end !== undefined;
	}

	/** Takes an item; a returned promise asks that no more be sent before it resolves. */
	push(item: unknown): Promise<void> | undefined {
		if (this.#end) return undefined;
		const taker = this.#takers.shift();
		if (taker) {
			taker.resolve({ done: false, value: item });
			return undefined;
		}
		this.#items.push(item);
		if (this.#items.length <= this.#capacity) return undefined;
		this.#room ??= deferred();
		return this.#room.promise;
	}

	/** The client has sent all of it. What waits is still read. */
	complete(): void {
		this.#finish({});
	}

	/** The client gave up, or is gone: thrown into the method's loop, behind the items that came before. */
	fail(error: unknown): void {
		this.#finish({ error });
	}

	/** The method wants no more: what waits is dropped. */
	leave(): void {
		this.#items.clear();
		this.#finish({});
		this.#end = {};
		this.#freeRoom();
	}

	async next(): Promise<IteratorResult<unknown>> {
		if (this.#items.length > 0) {
			const value = this.#items.shift();
			if (this.#items.length <= this.#capacity) this.#freeRoom();
			return { done: false, value };
		}
		const end = this.#end;
		if (!end) {
			const taker = deferred<IteratorResult<unknown>>();
			this.#takers.push(taker);
			return taker.promise;
		}
		this.#end = {};
		if ("error" in end) throw end.error;
		return { done: true, value: undefined };
	}

	async return(): Promise<IteratorResult<unknown>> {
		this.leave();
		return { done: true, value: undefined };
	}

	[Symbol.asyncIterator](): this {
		return this;
	}

	#finish(end: { readonly error?: unknown }): void {
		if (this.#end) return;
		this.#end = end;
		this.#freeRoom();
		const first = this.#takers.shift();
		if (!first) return;
		// Nobody waits while there are items: these takers are at the end of the stream.
		if ("error" in end) first.reject(end.error);
		else first.resolve({ done: true, value: undefined });
		this.#end = {};
		for (let next = this.#takers.shift(); next; next = this.#takers.shift())
			next.resolve({ done: true, value: undefined });
	}

	#freeRoom(): void {
		this.#room?.resolve();
		this.#room = undefined;
	}
}
