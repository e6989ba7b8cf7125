import { Fifo } from "../../base/index.js";

const EMPTY: Buffer = Buffer.alloc(0);
const LEAST_CAPACITY = 256;

/**
 * The bytes of a stream that no record was made of yet. A record that lies within one chunk is handed out as a view
 * of it; the parts of a record that spans chunks are gathered in one buffer that doubles, so that any number of tiny
 * chunks costs linear time, and no chunk is held for the sake of a few bytes of it. Most streams are read as they come:
 * for what waits behind the first chunk there is a queue only while something does.
 */
export class ByteQueue {
	#head: Buffer | undefined;
	#others: Fifo<Buffer> | undefined;
	#at = 0;
	#gathered = EMPTY;
	#gatheredBytes = 0;
	#size = 0;

	/** Bytes held, gathered ones included. */
	get size(): number {
		return this.#size;
	}

	/** How many bytes of the current record were gathered. */
	get gatheredBytes(): number {
		return this.#gatheredBytes;
	}

	/** The chunk that is being read; read it from {@link at}. */
	get head(): Buffer | undefined {
		return this.#head;
	}

	/** Where in {@link head} the unread bytes begin. */
	get at(): number {
		return this.#at;
	}

	/** Adds a chunk; it must not be changed afterwards. */
	push(chunk: Buffer): void {
		if (chunk.length === 0) return;
		this.#size += chunk.length;
		if (!this.#head) {
			this.#head = chunk;
			return;
		}
		this.#others ??= new Fifo();
		this.#others.push(chunk);
	}

	/** Drops `count` bytes of {@link head}. */
	skip(count: number): void {
		this.#size -= count;
		this.#advance(count);
	}

	/** Copies `count` bytes of {@link head} to those gathered for the current record. */
	gather(count: number): void {
		const head = this.#head ?? EMPTY;
		this.#reserve(this.#gatheredBytes + count);
		head.copy(this.#gathered, this.#gatheredBytes, this.#at, this.#at + count);
		this.#gatheredBytes += count;
		this.#advance(count);
	}

	/** Ends the current record with `count` bytes of {@link head} and takes it out. */
	take(count: number): Buffer {
		if (this.#gatheredBytes === 0) {
			const record = this.#head?.subarray(this.#at, this.#at + count) ?? EMPTY;
			this.skip(count);
			return record;
		}
		this.gather(count);
		const record = this.#gathered.subarray(0, this.#gatheredBytes);
		this.#size -= record.length;
		this.#gathered = EMPTY;
		this.#gatheredBytes = 0;
		return record;
	}

	/** Takes out everything. */
	rest(): Buffer {
		const parts = [this.#gathered.subarray(0, this.#gatheredBytes)];
		if (this.#head) parts.push(this.#head.subarray(this.#at));
		if (this.#others) parts.push(...this.#others);
		this.#head = undefined;
		this.#others = undefined;
		this.#at = 0;
		this.#gathered = EMPTY;
		this.#gatheredBytes = 0;
		this.#size = 0;
		return Buffer.concat(parts);
	}

	#advance(count: number): void {
		this.#at += count;
		if (this.#at < (this.#head?.length ?? 0)) return;
		this.#head = this.#others?.shift();
		if (this.#others?.length === 0) this.#others = undefined;
		this.#at = 0;
	}

	#reserve(bytes: number): void {
		if (bytes <= this.#gathered.length) return;
		const larger = Buffer.allocUnsafeSlow(Math.max(bytes, this.#gathered.length * 2, LEAST_CAPACITY));
		this.#gathered.copy(larger, 0, 0, this.#gatheredBytes);
		this.#gathered = larger;
	}
}
