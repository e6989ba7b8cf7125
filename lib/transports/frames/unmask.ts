import { endianness } from "node:os";

/** Bytes of a masking key (RFC 6455 §5.3); it stands right before the payload. */
export const KEY_BYTES = 4;

/** From this size on, four bytes at a time make up for what a view of the words costs (measured). */
const WORDS_FROM: number = endianness() === "LE" ? 128 : Number.POSITIVE_INFINITY;

/** A masked payload within a buffer. */
export interface Masked {
	readonly from: number;
	readonly length: number;
}

/**
 * Takes the mask off the payload, in `bytes` itself, and moves it to `to`: where it stands, or further to the front.
 * Returns all its bytes or'ed: where bit 0x80 of that is clear, the payload is ASCII.
 */
export function unmask(bytes: Buffer, masked: Masked, to: number): number {
	const { from, length } = masked;
	const key = readKey(bytes, from - KEY_BYTES);
	return to === from && length >= WORDS_FROM
		? unmaskWords(bytes, masked, key)
		: unmaskBytes(bytes, { from, to, end: from + length, key });
}

function readKey(bytes: Buffer, at: number): number {
	return (
		(bytes[at] ?? 0) |
		((bytes[at + 1] ?? 0) << 8) |
		((bytes[at + 2] ?? 0) << 16) |
		((bytes[at + 3] ?? 0) << 24)
	);
}

interface Stretch {
	readonly from: number;
	readonly end: number;
	readonly to: number;
	/** Its lowest byte is for the first. */
	readonly key: number;
}

function unmaskBytes(bytes: Buffer, { from, end, to, key }: Stretch): number {
	const shift = to - from;
	let bits = 0;
	let at = from;
	for (const last = end - 3; at < last; at += 4) {
		const byte0 = (bytes[at] ?? 0) ^ key;
		const byte1 = (bytes[at + 1] ?? 0) ^ (key >>> 8);
		const byte2 = (bytes[at + 2] ?? 0) ^ (key >>> 16);
		const byte3 = (bytes[at + 3] ?? 0) ^ (key >>> 24);
		bytes[at + shift] = byte0;
		bytes[at + shift + 1] = byte1;
		bytes[at + shift + 2] = byte2;
		bytes[at + shift + 3] = byte3;
		bits |= byte0 | byte1 | byte2 | byte3;
	}
	for (let turned = key; at < end; at++, turned >>>= 8) {
		const byte = (bytes[at] ?? 0) ^ turned;
		bytes[at + shift] = byte;
		bits |= byte;
	}
	return bits & 0xff;
}

/** The same where the payload stays, four bytes at a time. */
function unmaskWords(bytes: Buffer, { from, length }: Masked, key: number): number {
	const head = -(bytes.byteOffset + from) & 3;
	const count = (length - head) >> 2;
	const words = new Int32Array(bytes.buffer, bytes.byteOffset + from + head, count);
	// A shift by 32 is one by 0.
	const turned = (key >>> (8 * head)) | (key << (32 - 8 * head));
	let union = 0;
	for (let at = 0; at < count; at++) {
		const word = (words[at] ?? 0) ^ turned;
		words[at] = word;
		union |= word;
	}
	const start = from + head;
	const rest = start + count * 4;
	return (
		((union | (union >>> 8) | (union >>> 16) | (union >>> 24)) & 0xff) |
		unmaskBytes(bytes, { from, end: start, to: from, key }) |
		unmaskBytes(bytes, { from: rest, end: from + length, to: rest, key: turned })
	);
}
