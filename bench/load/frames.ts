import { randomBytes } from "node:crypto";

const MASK_BYTES = 4;
const MASKED = 0x80;
/** Ends a message of the JSON hub protocol. */
export const RECORD_SEPARATOR = 0x1e;
/** Ends an event of Socket.IO: a JSON array, in a payload that has no other one. */
export const CLOSING_BRACKET = 0x5d;
const LONGEST_HEADER = 10;

/** A client's final frame (RFC 6455 §5.2), masked once and for all. */
export function maskedFrame(payload: Buffer, isBinary: boolean): Buffer {
	const size = payload.length < 126 ? 2 : 4;
	if (payload.length > 0xffff) throw new RangeError("A frame of the load has 65,535 bytes at most.");
	const frame = Buffer.allocUnsafe(size + MASK_BYTES + payload.length);
	frame[0] = isBinary ? 0x82 : 0x81;
	frame[1] = MASKED | (size === 2 ? payload.length : 126);
	if (size === 4) frame.writeUInt16BE(payload.length, 2);
	const mask = randomBytes(MASK_BYTES);
	mask.copy(frame, size);
	const body = frame.subarray(size + MASK_BYTES);
	for (let i = 0; i < payload.length; i++) body[i] = (payload[i] ?? 0) ^ (mask[i % MASK_BYTES] ?? 0);
	return frame;
}

/** Counts the messages in the payload bytes of a connection, which come in pieces of any size. */
export interface PieceCounter {
	/** How many messages end in `bytes[from, to)`. */
	count(bytes: Buffer, from: number, to: number): number;
}

/** Messages that end with a byte that stands nowhere else in them. */
export class SeparatorCounter implements PieceCounter {
	readonly #separator: number;

	constructor(separator: number = RECORD_SEPARATOR) {
		this.#separator = separator;
	}

	count(bytes: Buffer, from: number, to: number): number {
		let messages = 0;
		for (let at = from; at < to; at++) {
			at = bytes.indexOf(this.#separator, at);
			if (at < 0 || at >= to) break;
			messages++;
		}
		return messages;
	}
}

/** Messages behind their length (seven bits a byte, low ones first), as in the MessagePack hub protocol. */
export class LengthCounter implements PieceCounter {
	#left = 0;
	#length = 0;
	#shift = 0;

	count(bytes: Buffer, from: number, to: number): number {
		let messages = 0;
		for (let at = from; at < to; ) {
			if (this.#left === 0) this.#readLength(bytes[at++] ?? 0);
			const step = Math.min(this.#left, to - at);
			if (step === 0) continue;
			at += step;
			this.#left -= step;
			if (this.#left === 0) messages++;
		}
		return messages;
	}

	#readLength(byte: number): void {
		this.#length |= (byte & 0x7f) << this.#shift;
		this.#shift += 7;
		if (byte & 0x80) return;
		this.#left = this.#length;
		this.#length = 0;
		this.#shift = 0;
	}
}

/** Walks over the frames that a server sends and counts the messages in them; payloads are not parsed. */
export class FrameCounter {
	readonly #counter: PieceCounter;
	readonly #header = Buffer.alloc(LONGEST_HEADER);
	#headerBytes = 0;
	#payloadLeft = 0;
	/** Set when the server ended the connection. */
	isClosed = false;

	constructor(counter: PieceCounter) {
		this.#counter = counter;
	}

	/** How many messages end in the next piece of the stream. */
	count(bytes: Buffer): number {
		let messages = 0;
		for (let at = 0; at < bytes.length; ) {
			if (this.#payloadLeft === 0) {
				this.#readHeader(bytes[at++] ?? 0);
				continue;
			}
			const to = Math.min(at + this.#payloadLeft, bytes.length);
			messages += this.#counter.count(bytes, at, to);
			this.#payloadLeft -= to - at;
			at = to;
		}
		return messages;
	}

	#readHeader(byte: number): void {
		const header = this.#header;
		header[this.#headerBytes++] = byte;
		if (this.#headerBytes < 2) return;
		const short = (header[1] ?? 0) & 0x7f;
		const size = short === 126 ? 4 : short === 127 ? LONGEST_HEADER : 2;
		if (this.#headerBytes < size) return;
		this.#headerBytes = 0;
		if (((header[0] ?? 0) & 0x0f) === 8) this.isClosed = true;
		this.#payloadLeft =
			size === 2 ? short : size === 4 ? header.readUInt16BE(2) : Number(header.readBigUInt64BE(2));
	}
}
