import { type Deferred, deferred, Fifo } from "../../base/index.js";
import type { CompletionMessage, StreamItemMessage } from "../../protocols/index.js";
import { ClientFailure } from "./client-failure.js";

/** Takes what a client sends beside the arguments of a call: its uploads. See `ctx.relayUploads`. */
export interface UploadRelay {
	/** An item; a returned promise asks that no more of its stream comes before it resolves, and holds the client's reading. */
	item(message: StreamItemMessage): Promise<void> | undefined;
	/** The end of one stream, behind its items: completed, or failed where it carries an error. */
	completed(message: CompletionMessage): void;
}

/** Uploads of one client whose items may all wait up to their capacity, before it is not read any more. */
const FULL_UPLOADS = 10;

/** Counts the items that wait in all uploads of one client: a hundred full ones could hold hundreds of megabytes. */
export class UploadRoom {
	readonly #most: number;
	#waiting = 0;
	#room: Deferred<void> | undefined;

	/** `capacity`: items that may wait in one upload. */
	constructor(capacity: number) {
		this.#most = FULL_UPLOADS * capacity;
	}

	/** An item waits; a returned promise asks that no more be sent before it resolves. */
	take(): Promise<void> | undefined {
		this.#waiting++;
		if (this.#waiting <= this.#most) return undefined;
		this.#room ??= deferred();
		return this.#room.promise;
	}

	/** Items do not wait any more. */
	free(items: number): void {
		this.#waiting -= items;
		if (this.#waiting <= this.#most) this.open();
	}

	/** Lets go whoever waits, room or not. */
	open(): void {
		this.#room?.resolve();
		this.#room = undefined;
	}
}

/**
 * A stream that a client sends to a method: what the method's parameter is. Life: open → completed | failed (the
 * method's loop throws) | left (the method has ended, or left its loop: later items are dropped).
 *
 * Items wait up to `capacity`; the one that does not fit any more holds back the reading of its client. A middleware may
 * take its place as the reader (relayed), by {@link relay}: a method then finds it empty.
 */
export class Upload implements AsyncIterableIterator<unknown> {
	readonly #capacity: number;
	readonly streamId: string;
	readonly #shared: UploadRoom;
	readonly #items = new Fifo<StreamItemMessage>();
	/** Those who wait for an item: one, unless a method calls `next` without waiting for the last one. */
	readonly #takers = new Fifo<Deferred<IteratorResult<unknown>>>();
	#room: Deferred<void> | undefined;
	#end: { readonly error?: unknown } | undefined;
	/** What the client said at its end. */
	#completion: CompletionMessage | undefined;
	#relay: UploadRelay | undefined;
	/** What came before the relay is still handed to it: what comes now waits behind. */
	#isCatchingUp = false;

	/** `shared` counts the items of all uploads of one client. */
	constructor(capacity: number, streamId = "", shared: UploadRoom = new UploadRoom(capacity)) {
		this.#capacity = capacity;
		this.streamId = streamId;
		this.#shared = shared;
	}

	/** Whether no item is taken any more. */
	get isOver(): boolean {
		return this.#end !== undefined;
	}

	/** Takes an item; a returned promise asks that no more be sent before it resolves. */
	push(message: StreamItemMessage): Promise<void> | undefined {
		if (this.#end) return undefined;
		if (this.#relay && !this.#isCatchingUp) return this.#waitFor(this.#relay.item(message));
		const taker = this.#takers.shift();
		if (taker) {
			taker.resolve({ done: false, value: message.item });
			return undefined;
		}
		this.#items.push(message);
		const crowd = this.#shared.take();
		if (this.#items.length <= this.#capacity) return crowd;
		this.#room ??= deferred();
		return this.#room.promise;
	}

	/** The client has sent all of it, or gave up: its error is thrown into the method's loop. What waits is still read. */
	complete(message: CompletionMessage): void {
		if (this.#end) return;
		this.#completion = message;
		this.#finish(message.error === undefined ? {} : { error: new ClientFailure(message.error) });
		if (!this.#isCatchingUp) this.#handOverEnd();
	}

	/** The client is gone: thrown into the method's loop, behind the items that came before; a relay hears no more. */
	fail(error: unknown): void {
		if (this.#relay) this.leave();
		else this.#finish({ error });
	}

	/** Hands what waits to `relay`, and from then on what comes. It must neither throw nor reject. */
	relay(relay: UploadRelay): void {
		if (this.#end && !this.#completion) return;
		this.#relay = relay;
		this.#isCatchingUp = true;
		void this.#catchUp(relay);
	}

	async #catchUp(relay: UploadRelay): Promise<void> {
		for (let next = this.#items.shift(); next; next = this.#items.shift()) {
			this.#shared.free(1);
			if (this.#items.length <= this.#capacity) this.#freeRoom();
			const wait = relay.item(next);
			if (wait) await wait;
		}
		this.#isCatchingUp = false;
		this.#handOverEnd();
	}

	/** Until the relay takes more, or the call has ended. */
	#waitFor(relayed: Promise<void> | undefined): Promise<void> | undefined {
		if (!relayed) return undefined;
		this.#room ??= deferred();
		void relayed.then(() => this.#freeRoom());
		return this.#room.promise;
	}

	#handOverEnd(): void {
		const completion = this.#completion;
		if (!this.#relay || !completion) return;
		this.#completion = undefined;
		this.#relay.completed(completion);
	}

	/** The method wants no more: what waits is dropped. */
	leave(): void {
		this.#shared.free(this.#items.length);
		this.#items.clear();
		this.#completion = undefined;
		this.#finish({});
		this.#end = {};
		this.#freeRoom();
	}

	async next(): Promise<IteratorResult<unknown>> {
		if (this.#relay) return { done: true, value: undefined };
		if (this.#items.length > 0) {
			const value = this.#items.shift()?.item;
			this.#shared.free(1);
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
