import { Fifo } from "../../base/index.js";

/** What small messages are gathered in, in bytes. */
const BLOCK_BYTES = 16 * 1024;
const LEAST_BLOCK_BYTES = 512;
/** Messages below this are copied; Node makes them as slices of pools, and a few bytes would keep a pool alive whole. */
const COPIED_BYTES = 4 * 1024;

/** Some messages, one after another. */
interface Block {
	readonly bytes: Buffer;
	start: number;
	end: number;
}

/**
 * A queue of messages that were sent, as bytes. Hundreds of thousands of small ones take little more memory than their
 * bytes, and come out in pieces that hold many of them.
 */
export class KeptMessages {
	readonly #blocks = new Fifo<Block>();
	readonly #lengths = new Fifo<number>();
	#last: Block | undefined;
	#size = 0;

	/** Messages. */
	get length(): number {
		return this.#lengths.length;
	}

	/** Their bytes. */
	get size(): number {
		return this.#size;
	}

	/** All that is kept, in order; a piece may hold several messages. */
	*pieces(): Iterable<Buffer> {
		for (const { bytes, start, end } of this.#blocks) yield bytes.subarray(start, end);
	}

	push(message: Buffer): void {
		this.#lengths.push(message.length);
		this.#size += message.length;
		if (message.length >= COPIED_BYTES) {
			this.#add({ bytes: message, start: 0, end: message.length });
			return;
		}
		const block = this.#roomFor(message.length);
		block.end += message.copy(block.bytes, block.end);
	}

	/** Drops the oldest message. */
	shift(): void {
		const length = this.#lengths.shift();
		const block = this.#blocks.first;
		if (length === undefined || !block) return;
		this.#size -= length;
		block.start += length;
		if (block.start < block.end) return;
		this.#blocks.shift();
		if (block === this.#last) this.#last = undefined;
	}

	#roomFor(length: number): Block {
		const last = this.#last;
		if (last && last.bytes.length - last.end >= length) return last;
		const bytes = Math.max(length, LEAST_BLOCK_BYTES, Math.min(BLOCK_BYTES, this.#size));
		return this.#add({ bytes: Buffer.allocUnsafeSlow(bytes), start: 0, end: 0 });
	}

	#add(block: Block): Block {
		this.#blocks.push(block);
		this.#last = block;
		return block;
	}
}
