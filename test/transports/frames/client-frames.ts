/** A client's frame as a test wants it, rules kept or not. */
export interface ClientFrame {
	readonly opcode: number;
	readonly payload: Buffer;
	/** @defaultValue true */
	readonly isFinal?: boolean;
	/** Bits 0x40, 0x20 and 0x10 of the first byte. @defaultValue none */
	readonly reserved?: number;
	/** `undefined`: not masked. @defaultValue four bytes that are not zero */
	readonly key?: Buffer | undefined;
	/** Bytes that the length takes, 0 for the 7 bits in the second byte. @defaultValue the shortest form */
	readonly lengthBytes?: 0 | 2 | 8;
	/** What the header says. @defaultValue the payload's length */
	readonly length?: bigint;
}

export const KEY: Buffer = Buffer.of(0x37, 0xfa, 0x21, 0x3d);

/** The bytes of a frame, masked as a client's (RFC 6455 §5.2). */
export function frameOf(frame: ClientFrame): Buffer {
	const { opcode, payload, isFinal = true, reserved = 0 } = frame;
	const key = "key" in frame ? frame.key : KEY;
	const masked = Buffer.from(payload);
	for (let at = 0; key && at < masked.length; at++) masked[at] = (masked[at] ?? 0) ^ (key[at % 4] ?? 0);
	const first = Buffer.of((isFinal ? 0x80 : 0) | reserved | opcode);
	return Buffer.concat([first, lengthOf(frame, key ? 0x80 : 0), key ?? Buffer.alloc(0), masked]);
}

function lengthOf(
	{ payload, length = BigInt(payload.length), lengthBytes }: ClientFrame,
	mask: number,
): Buffer {
	const size = lengthBytes ?? (length < 126n ? 0 : length < 65_536n ? 2 : 8);
	if (size === 0) return Buffer.of(mask | Number(length));
	const bytes = Buffer.alloc(1 + size);
	bytes[0] = mask | (size === 2 ? 126 : 127);
	if (size === 2) bytes.writeUInt16BE(Number(length), 1);
	else bytes.writeBigUInt64BE(length, 1);
	return bytes;
}

/** `bytes` in pieces that end at `cuts`, wherever those are. */
export function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
	const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
	const pieces: Buffer[] = [];
	let from = 0;
	for (const end of [...ends, bytes.length]) {
		if (end > from) pieces.push(Buffer.from(bytes.subarray(from, end)));
		from = end;
	}
	return pieces;
}
