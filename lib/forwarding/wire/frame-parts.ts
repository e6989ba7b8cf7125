import { MORE_FOLLOWS } from "./frame.js";
import { MAX_BATCH_BYTES, MAX_FRAME_BYTES, violation } from "./limits.js";

const EMPTY: Buffer = Buffer.alloc(0);

/** Where {@link FrameParts} stood. */
export interface PartsMark {
	readonly type: number | undefined;
	readonly bytes: Buffer;
	readonly length: number;
}

/** Whether a segment is a part of a frame that goes on in the next one: such a part has its segment for itself. */
export function isPart(frames: Buffer): boolean {
	return ((frames[0] ?? 0) & MORE_FOLLOWS) !== 0;
}

/**
 * Puts the parts of a large frame together. They are copied to one buffer that doubles: views of many small parts would
 * cost more memory than the limit says.
 */
export class FrameParts {
	/** The frame of which parts came; undefined where none is unfinished. */
	#type: number | undefined;
	#bytes = EMPTY;
	#length = 0;

	/** Whether the last part is still to come. */
	get isUnfinished(): boolean {
		return this.#type !== undefined;
	}

	/** Where it stands, for {@link restore}. */
	mark(): PartsMark {
		return { type: this.#type, bytes: this.#bytes, length: this.#length };
	}

	/** Goes back to where it stood: what was added since is forgotten. */
	restore({ type, bytes, length }: PartsMark): void {
		this.#type = type;
		this.#bytes = bytes;
		this.#length = length;
	}

	/**
	 * Adds a part of a frame of this type. Of a type that is not known nothing is kept.
	 * @throws TrunklineError ERR_LINK_PROTOCOL for a part of another frame than the one at hand, an empty one, and
	 * above 16 MiB.
	 */
	add(type: number, part: Buffer, isKnown: boolean): void {
		this.#check(type);
		if (part.length === 0) throw violation("a part of a frame is empty");
		this.#type = type;
		if (isKnown) this.#append(part);
	}

	/** Adds the last part and takes the whole body out; see {@link add}. */
	finish(type: number, part: Buffer, isKnown: boolean): Buffer {
		this.#check(type);
		if (isKnown) this.#append(part);
		const body = this.#bytes.subarray(0, this.#length);
		this.restore({ type: undefined, bytes: EMPTY, length: 0 });
		return body;
	}

	#check(type: number): void {
		if (this.#type !== undefined && this.#type !== type)
			throw violation("a frame stands between the parts of another");
	}

	#append(part: Buffer): void {
		const needed = this.#length + part.length;
		if (needed > MAX_FRAME_BYTES) throw violation(`a frame has more than ${MAX_FRAME_BYTES} bytes`);
		if (needed > this.#bytes.length) {
			const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2, MAX_BATCH_BYTES));
			this.#bytes.copy(larger, 0, 0, this.#length);
			this.#bytes = larger;
		}
		part.copy(this.#bytes, this.#length);
		this.#length = needed;
	}
}
