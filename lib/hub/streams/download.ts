import { setImmediate as nextTurn } from "node:timers/promises";
import { deferred } from "../../base/index.js";

/** Items that one stream sends before the event loop gets its turn: a generator that never waits would keep it. */
const TURN_ITEMS = 64;

/** How a stream to a client ended. */
export type DownloadEnd = "completed" | "failed" | "cancelled" | "lost";

/** Anything that a streaming method may answer with. */
export type StreamSource = AsyncIterable<unknown> | Iterable<unknown>;

/** What a stream sends, and to whom. */
export interface DownloadSink {
	/** Undefined where an item may be sent at once, else a promise to wait for. */
	writable(): Promise<void> | undefined;
	/** @throws where the item cannot be written */
	item(value: unknown): void;
}

/** Whether a value can be streamed. Text is a value, not a stream of letters. */
export function isStreamSource(value: unknown): value is StreamSource {
	return (
		typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
	);
}

/** Whether a value is a stream and nothing else: an array is a result as well. */
export function isAsyncSource(value: unknown): value is AsyncIterable<unknown> {
	return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/**
 * One stream of a method to a client, from its StreamInvocation on: requested → running → completed | failed | cancelled
 * | lost. However it ends, the generator's `return` is called, so that its `finally` runs.
 */
export class Download {
	readonly #ended = deferred<DownloadEnd>();
	#abort: AbortController | undefined;
	#iterator: Iterator<unknown> | AsyncIterator<unknown> | undefined;
	#end: DownloadEnd | undefined;
	#error: unknown;
	#items = 0;
	#isAnswered = false;
	/** Settled when the generator has nothing more to do: its loop, and the `finally` that `return` runs. */
	#loop: Promise<void> | undefined;
	#return: Promise<unknown> | undefined;

	/** Resolves with how it ended, at once when it is cancelled, whatever the generator is waiting for. */
	get ended(): Promise<DownloadEnd> {
		return this.#ended.promise;
	}

	get isOver(): boolean {
		return this.#end !== undefined;
	}

	/** Whether somebody else has told the client of its end. */
	get isAnswered(): boolean {
		return this.#isAnswered;
	}

	/** Resolves when it has ended and its generator has too, which may be long after it was cancelled. Never rejects. */
	async finished(): Promise<void> {
		await this.#ended.promise;
		await this.#loop;
		await this.#return;
	}

	/** Whether the method gave something to stream; what failed before is a failed invocation. */
	get hasStarted(): boolean {
		return this.#iterator !== undefined;
	}

	/** Items that were sent. */
	get items(): number {
		return this.#items;
	}

	/** What the generator threw, where it failed. */
	get error(): unknown {
		return this.#error;
	}

	/** Aborted when the stream is over, however it ended. */
	get signal(): AbortSignal {
		if (!this.#abort) {
			this.#abort = new AbortController();
			if (this.isOver) this.#abort.abort();
		}
		return this.#abort.signal;
	}

	/** Asks `source` for items and hands them to `sink`, one after another, until either side ends it. Never rejects. */
	run(source: StreamSource, sink: DownloadSink): Promise<void> {
		this.#loop = this.#run(source, sink);
		return this.#loop;
	}

	async #run(source: StreamSource, sink: DownloadSink): Promise<void> {
		try {
			this.#iterator = iteratorOf(source);
			if (this.isOver) this.#release();
			for (let items = 1; !this.isOver; items++) {
				const { done, value } = await this.#iterator.next();
				if (this.isOver) return;
				if (done) this.#finish("completed");
				else await this.#send(value, sink);
				if (items % TURN_ITEMS === 0) await nextTurn();
			}
		} catch (thrown) {
			this.fail(thrown);
		}
	}

	/** The method, or what it yielded, has failed. */
	fail(thrown: unknown): void {
		if (this.isOver) return;
		this.#error = thrown;
		this.#finish("failed");
		this.#release();
	}

	/** An item was sent for it by somebody else. */
	relayed(): void {
		this.#items++;
	}

	/** Its end is told by somebody else. */
	answered(end: DownloadEnd): void {
		this.#isAnswered = true;
		this.#stop(end);
	}

	/** The client wants no more, or is gone. */
	stop(end: "cancelled" | "lost"): void {
		this.#stop(end);
	}

	#stop(end: DownloadEnd): void {
		if (this.isOver) return;
		this.#finish(end);
		this.#release();
	}

	async #send(value: unknown, sink: DownloadSink): Promise<void> {
		const wait = sink.writable();
		if (wait) await wait;
		if (this.isOver) return;
		sink.item(value);
		this.#items++;
	}

	#finish(end: DownloadEnd): void {
		this.#end = end;
		this.#ended.resolve(end);
		this.#abort?.abort();
	}

	/** Lets the generator's `finally` run. One that is awaiting something gets to it when that is there. */
	#release(): void {
		const iterator = this.#iterator;
		if (!iterator?.return) return;
		this.#return = Promise.resolve()
			.then(() => iterator.return?.())
			.catch(() => {});
	}
}

function iteratorOf(source: StreamSource): Iterator<unknown> | AsyncIterator<unknown> {
	return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}
