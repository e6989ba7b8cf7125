import { isUtf8 } from "node:buffer";
import { MAX_NAME_BYTES, violation } from "./limits.js";

const EMPTY: Buffer = Buffer.alloc(0);
/** Bytes of the largest number, 2^53 - 1. */
const MAX_VARINT_BYTES = 8;
/** Texts up to this length are made character by character, which is faster than a call into the runtime. */
const SHORT_TEXT = 12;
const REPLACEMENT = "\ufffd";

/**
 * Reads numbers, texts and bytes one after the other out of a buffer, and nothing beyond its end. Bytes come out as
 * views, not copies. Every method throws TrunklineError ERR_LINK_PROTOCOL where the bytes cannot be read.
 */
export class ByteReader {
	#bytes: Buffer;
	#at = 0;
	#end: number;

	constructor(bytes: Buffer = EMPTY) {
		this.#bytes = bytes;
		this.#end = bytes.length;
	}

	/** Goes on with other bytes, from their beginning. */
	reset(bytes: Buffer): void {
		this.#bytes = bytes;
		this.#at = 0;
		this.#end = bytes.length;
	}

	get isAtEnd(): boolean {
		return this.#at === this.#end;
	}

	byte(): number {
		if (this.#at >= this.#end) throw endsTooEarly();
		return this.#bytes[this.#at++] ?? 0;
	}

	/** A number of at most 2^53 - 1 in its shortest form. */
	varint(): number {
		if (this.#at < this.#end) {
			const first = this.#bytes[this.#at] ?? 0;
			if (first < 0x80) {
				this.#at++;
				return first;
			}
		}
		return this.#longVarint();
	}

	#longVarint(): number {
		let value = 0;
		let scale = 1;
		for (let read = 0; read < MAX_VARINT_BYTES; read++) {
			const byte = this.byte();
			value += (byte & 0x7f) * scale;
			if (byte < 0x80) {
				if (byte === 0 && read > 0) throw violation("a number is longer than it need be");
				return checked(value);
			}
			scale *= 0x80;
		}
		throw violation("a number is larger than 2^53 - 1");
	}

	/** A number of at least `least` and at most `most`; `name` is for the error. */
	numberWithin(least: number, most: number, name: string): number {
		const value = this.varint();
		if (value >= least && value <= most) return value;
		throw violation(`${name} is ${value}, not within ${least} and ${most}`);
	}

	/**
	 * How many things follow, of which each takes at least `leastBytes`: a count that the bytes left cannot hold is refused
	 * before anything is made for it.
	 */
	count(leastBytes: number): number {
		const count = this.varint();
		if (count * leastBytes > this.#end - this.#at) throw endsTooEarly();
		return count;
	}

	/** The next `length` bytes. */
	take(length: number): Buffer {
		return this.#bytes.subarray(this.#at, this.#skip(length));
	}

	/** Bytes with their length before them. */
	blob(): Buffer {
		return this.take(this.varint());
	}

	/** All bytes that are left. */
	rest(): Buffer {
		return this.take(this.#end - this.#at);
	}

	/** UTF-8 with its length in bytes before it. */
	text(): string {
		return this.#text(this.varint());
	}

	/** The text of a target, a key or the name of a group; `what` names it in the error. */
	name(what: string): string {
		const length = this.varint();
		if (length > MAX_NAME_BYTES) throw violation(`${what} has more than ${MAX_NAME_BYTES} bytes`);
		return this.#text(length);
	}

	/** Confines reading to the next `length` bytes; returns what {@link leave} takes. */
	enter(length: number): number {
		const outer = this.#end;
		if (length > outer - this.#at) throw endsTooEarly();
		this.#end = this.#at + length;
		return outer;
	}

	/** Ends what {@link enter} began; all of it must have been read. */
	leave(outer: number): void {
		this.finish();
		this.#end = outer;
	}

	/** Refuses bytes that are left over. */
	finish(): void {
		if (this.#at < this.#end) throw violation(`${this.#end - this.#at} bytes too many follow`);
	}

	#text(length: number): string {
		const from = this.#at;
		const end = this.#skip(length);
		const short = length <= SHORT_TEXT ? asciiText(this.#bytes, from, end) : undefined;
		if (short !== undefined) return short;
		const text = this.#bytes.toString("utf8", from, end);
		// The decoder puts this character wherever bytes are no UTF-8; it can also have been sent.
		if (text.includes(REPLACEMENT) && !isUtf8(this.#bytes.subarray(from, end)))
			throw violation("a text is not UTF-8");
		return text;
	}

	#skip(length: number): number {
		if (length > this.#end - this.#at) throw endsTooEarly();
		this.#at += length;
		return this.#at;
	}
}

function asciiText(bytes: Buffer, from: number, end: number): string | undefined {
	let text = "";
	for (let at = from; at < end; at++) {
		const byte = bytes[at] ?? 0;
		if (byte > 0x7f) return undefined;
		text += String.fromCharCode(byte);
	}
	return text;
}

function checked(value: number): number {
	if (value > Number.MAX_SAFE_INTEGER) throw violation("a number is larger than 2^53 - 1");
	return value;
}

function endsTooEarly(): Error {
	return violation("the bytes end too early");
}
