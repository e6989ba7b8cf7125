import type { Random } from "./random.js";

/** Bytes that parsers look at: separators, signs of a length, invalid UTF-8, what opens and what closes. */
const TELLING = [
	0x00, 0x1e, 0x0a, 0x22, 0x5b, 0x5d, 0x7b, 0x7d, 0x7f, 0x80, 0xc0, 0xc1, 0xff, 0xfe, 0x91, 0xdc,
] as const;
const PIECES: readonly [Buffer, ...Buffer[]] = [
	// A surrogate, a form that is too long, a character cut off, and one beyond Unicode.
	Buffer.from([0xed, 0xa0, 0x80]),
	Buffer.from([0xc0, 0xaf]),
	Buffer.from([0xe2, 0x82]),
	Buffer.from([0xf4, 0x90, 0x80, 0x80]),
	Buffer.from("\\u0000"),
	Buffer.from("\\ud800"),
	Buffer.from("1e999"),
	Buffer.from("-9223372036854775809"),
	Buffer.from('"__proto__":{"polluted":true},'),
	Buffer.from('"constructor":{"prototype":{"polluted":true}},'),
	Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]),
	Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]),
	Buffer.from([0xdb, 0x7f, 0xff, 0xff, 0xff]),
	Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xf0]),
	Buffer.from([0xc9, 0x00, 0x00, 0x00, 0x10, 0x72]),
	Buffer.from([0xd4, 0x72, 0x40]),
	Buffer.from([0xd4, 0x69, 0x00]),
	Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07]),
	Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80]),
];

type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

function spliced(bytes: Buffer, at: number, removed: number, piece: Buffer): Buffer {
	return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + removed)]);
}

const MUTATIONS: readonly [Mutation, ...Mutation[]] = [
	function flipBits(bytes, random) {
		const copy = Buffer.from(bytes);
		for (let k = random.below(4); k >= 0; k--) {
			const at = random.below(copy.length);
			copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
		}
		return copy;
	},
	function overwrite(bytes, random) {
		const copy = Buffer.from(bytes);
		copy[random.below(copy.length)] = random.pick(TELLING);
		return copy;
	},
	function truncate(bytes, random) {
		return bytes.subarray(0, random.below(bytes.length));
	},
	function cutOut(bytes, random) {
		return spliced(bytes, random.below(bytes.length), random.below(8) + 1, Buffer.alloc(0));
	},
	function insert(bytes, random) {
		return spliced(bytes, random.below(bytes.length + 1), 0, random.pick(PIECES));
	},
	function repeat(bytes, random) {
		const at = random.below(bytes.length);
		const piece = bytes.subarray(at, at + random.below(64) + 1);
		const copies = new Array<Buffer>(random.below(8) + 1).fill(piece);
		return spliced(bytes, at, 0, Buffer.concat(copies));
	},
	function splice(bytes, random, other) {
		return Buffer.concat([
			bytes.subarray(0, random.below(bytes.length)),
			other.subarray(random.below(other.length)),
		]);
	},
	function nest(bytes, random) {
		// An array of one in an array of one…, in JSON or in MessagePack.
		const opening = random.pick([0x5b, 0x91]);
		return spliced(bytes, random.below(bytes.length), 0, Buffer.alloc(random.below(6_000), opening));
	},
	function noise(bytes, random) {
		const piece = Buffer.from(Array.from({ length: random.below(32) + 1 }, () => random.below(256)));
		return spliced(bytes, random.below(bytes.length + 1), 0, piece);
	},
];

/** Other bytes, made of `bytes` and of `other` ones like them. */
export function mutatedBytes(bytes: Buffer, other: Buffer, random: Random): Buffer {
	let result = bytes;
	for (let left = random.pick([1, 1, 1, 2, 3]); left > 0; left--) {
		if (result.length === 0) break;
		result = random.pick(MUTATIONS)(result, random, other);
	}
	return result;
}
