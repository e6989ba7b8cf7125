/** What is gathered takes at least so much, in bytes. */
const LEAST_CAPACITY = 256;

const NOTHING: Buffer = Buffer.alloc(0);

/** Bytes that are gathered piece by piece, in a buffer that doubles: no piece is held, and any number costs linear time. */
export class Gathered {
	#bytes = NOTHING;
	#length = 0;

	get length(): number {
		return this.#length;
	}

	/** What was gathered; a view. */
	get bytes(): Buffer {
		return this.#bytes.subarray(0, this.#length);
	}

	/** Adds a copy of `piece`; all in all it will be `expected` bytes, as far as is known. */
	add(piece: Buffer, expected: number): void {
		const length = this.#length + piece.length;
		if (length > this.#bytes.length) this.#grow(length, expected);
		this.#length += piece.copy(this.#bytes, this.#length);
	}

	/** No more than twice of what is there: a frame can announce any size. */
	#grow(length: number, expected: number): void {
		const capacity = Math.min(Math.max(2 * length, LEAST_CAPACITY), Math.max(length, expected));
		const larger = Buffer.allocUnsafeSlow(capacity);
		this.#bytes.copy(larger, 0, 0, this.#length);
		this.#bytes = larger;
	}
}

/** A frame whose end has not come yet. */
export interface UnfinishedFrame {
	/** Its bytes so far, from its first on, as they came. */
	readonly gathered: Gathered;
	/** How many it must have before more can be said of it. */
	needed: number;
	/** In how many pieces they came. */
	pieces: number;
}

/** A message whose last fragment has not come yet (RFC 6455 §5.4). */
export interface UnfinishedMessage {
	readonly opcode: number;
	readonly gathered: Gathered;
	fragments: number;
	/** All its bytes or'ed. */
	bits: number;
}

/** What of a client's stream waits for the rest of it. Few connections have any at a given time. */
export interface Unfinished {
	frame: UnfinishedFrame | undefined;
	message: UnfinishedMessage | undefined;
}
