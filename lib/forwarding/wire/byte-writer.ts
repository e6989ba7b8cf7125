import { isWellFormed } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import { MAX_NAME_BYTES, tooLarge } from "./limits.js";

/** Texts up to this length are written character by character, which is faster than a call into the runtime. */
const SHORT_TEXT = 40;
/** UTF-8 takes at most three bytes for each unit of a text: a name up to this length needs no measuring. */
const SHORT_NAME: number = Math.floor(MAX_NAME_BYTES / 3);

/** How many bytes {@link ByteWriter.varint} takes for a number. */
export function varintSize(value: number): number {
	let size = 1;
	for (let left = value; left > 0x7f; left = Math.floor(left / 0x80)) size++;
	return size;
}

/** Writes numbers, texts and bytes one after the other into a buffer that doubles, and that is used again. */
export class ByteWriter {
	#bytes: Buffer;
	#length = 0;

	/** @param capacity - bytes to begin with, at least 1. */
	constructor(capacity: number) {
		this.#bytes = Buffer.allocUnsafeSlow(capacity);
	}

	/** Bytes written. */
	get length(): number {
		return this.#length;
	}

	/** Forgets all from `length` on. */
	truncate(length: number): void {
		this.#length = Math.min(length, this.#length);
	}

	/** Forgets everything, and gives memory back down to `capacity`. */
	shrink(capacity: number): void {
		this.#length = 0;
		if (this.#bytes.length > capacity) this.#bytes = Buffer.allocUnsafeSlow(capacity);
	}

	/** A copy of what stands from `from` to `end`. */
	copy(from = 0, end: number = this.#length): Buffer {
		const copied = Buffer.allocUnsafe(end - from);
		this.#bytes.copy(copied, 0, from, end);
		return copied;
	}

	/** What stands from `from` to `end`, not copied: valid until something else is written. */
	view(from: number, end: number): Buffer {
		return this.#bytes.subarray(from, end);
	}

	/** Copies everything into `target`, at `at`. */
	copyTo(target: Buffer, at: number): void {
		this.#bytes.copy(target, at, 0, this.#length);
	}

	/** Moves what stands from `from` to the end, there to begin at `to`; bytes in a gap are undefined. */
	move(from: number, to: number): void {
		const length = this.#length - from + to;
		if (to > from) this.#reserve(to - from);
		this.#bytes.copyWithin(to, from, this.#length);
		this.#length = length;
	}

	byte(value: number): void {
		this.#reserve(1);
		this.#bytes[this.#length++] = value;
	}

	/** Writes a byte over what stands at `at`. */
	byteAt(value: number, at: number): void {
		this.#bytes[at] = value;
	}

	/** A number of at most 2^53 - 1. */
	varint(value: number): void {
		this.#reserve(8);
		this.#length = this.#put(value, this.#length);
	}

	/** Writes a number over what stands at `at`. */
	varintAt(value: number, at: number): void {
		this.#put(value, at);
	}

	/** Leaves `count` bytes to be written later. */
	skip(count: number): void {
		this.#reserve(count);
		this.#length += count;
	}

	/** Bytes as they are. */
	bytes(bytes: Uint8Array): void {
		this.#reserve(bytes.length);
		this.#bytes.set(bytes, this.#length);
		this.#length += bytes.length;
	}

	/** Bytes with their length before them. */
	blob(bytes: Uint8Array): void {
		this.varint(bytes.length);
		this.bytes(bytes);
	}

	/**
	 * UTF-8 with its length in bytes before it.
	 * @throws TrunklineError ERR_SERIALIZATION for half a surrogate pair: another text would come out.
	 */
	text(text: string): void {
		if (text.length > SHORT_TEXT || !this.#ascii(text)) this.#utf8(text);
	}

	/**
	 * The text of a target, a key or the name of a group; `what` names it in the error.
	 * @throws TrunklineError ERR_FORWARD_TOO_LARGE above {@link MAX_NAME_BYTES}, and as {@link text} does
	 */
	name(name: string, what: string): void {
		if (name.length > SHORT_NAME && Buffer.byteLength(name) > MAX_NAME_BYTES)
			throw tooLarge(what, MAX_NAME_BYTES);
		this.text(name);
	}

	/** Writes a short text, if it is ASCII. */
	#ascii(text: string): boolean {
		this.#reserve(text.length + 1);
		const bytes = this.#bytes;
		let at = this.#length;
		bytes[at++] = text.length;
		for (let index = 0; index < text.length; index++) {
			const code = text.charCodeAt(index);
			if (code > 0x7f) return false;
			bytes[at++] = code;
		}
		this.#length = at;
		return true;
	}

	#utf8(text: string): void {
		const size = Buffer.byteLength(text);
		if (size !== text.length && !isWellFormed(text))
			throw new TrunklineError(
				"ERR_SERIALIZATION",
				"A text holds half a surrogate pair, which UTF-8 cannot carry.",
			);
		this.varint(size);
		this.#reserve(size);
		this.#bytes.write(text, this.#length, size, "utf8");
		this.#length += size;
	}

	#put(value: number, at: number): number {
		const bytes = this.#bytes;
		let left = value;
		let next = at;
		while (left > 0x7f) {
			// Above 2^31 the bit operations of JavaScript take another number.
			bytes[next++] = (left % 0x80) | 0x80;
			left = Math.floor(left / 0x80);
		}
		bytes[next++] = left;
		return next;
	}

	#reserve(count: number): void {
		const needed = this.#length + count;
		if (needed <= this.#bytes.length) return;
		const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
		this.#bytes.copy(larger, 0, 0, this.#length);
		this.#bytes = larger;
	}
}
