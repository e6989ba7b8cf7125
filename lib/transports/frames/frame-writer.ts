import type { Duplex } from "node:stream";
import type { PayloadFormat } from "../connection.js";
import { BINARY, CLOSE, FINAL, type PONG, TEXT } from "./frame.js";

/** Frames up to this size are copied into one buffer; above it the copy costs more than a second element in writev. */
const JOIN_BYTES = 16 * 1024;

/** Bytes on their way out, in order, all of one format. */
export interface Outgoing {
	readonly chunks: readonly Buffer[];
	readonly format: PayloadFormat;
	readonly length: number;
}

/** What the last frame begins with: in a turn, many clients are sent the same. */
let begun: Buffer | undefined;
/** A frame that was made a second time, and what of. */
let made: { readonly frame: Buffer; readonly outgoing: Outgoing } | undefined;

/** Writes one WebSocket frame (RFC 6455 §5.2). Its chunks must not change afterwards. `taken` hears that some of it is. */
export function writeFrame(socket: Duplex, outgoing: Outgoing, taken?: () => void): void {
	if (outgoing.length <= JOIN_BYTES) {
		// What has to wait must not hold the pool's slab, and with it the frames of others, for as long.
		socket.write(joinedFrame(outgoing, socket.writableLength > 0), taken);
		return;
	}
	socket.cork();
	socket.write(frameHeader(outgoing, 0).frame);
	for (const chunk of outgoing.chunks) socket.write(chunk, taken);
	socket.uncork();
}

/** Lets go of the frame that others could have been sent as well: the turn is over. */
export function forgetFrame(): void {
	begun = undefined;
	made = undefined;
}

/** A control frame: `payload` is of 125 bytes at most. */
export function controlFrame(opcode: typeof CLOSE | typeof PONG, payload: Buffer): Buffer {
	const frame = Buffer.allocUnsafe(2 + payload.length);
	frame[0] = FINAL | opcode;
	frame[1] = payload.length;
	payload.copy(frame, 2);
	return frame;
}

/** A Close frame without a reason. */
export function closeFrame(status: number): Buffer {
	return controlFrame(CLOSE, Buffer.of(status >> 8, status & 0xff));
}

function joinedFrame(outgoing: Outgoing, isWaiting: boolean): Buffer {
	const [first] = outgoing.chunks;
	// What one client alone is sent, and that is most, is not worth the remembering.
	if (begun !== first) {
		begun = first;
		return makeFrame(outgoing, isWaiting);
	}
	if (made && isSame(made.outgoing, outgoing)) return made.frame;
	// One of many may be slow.
	made = { frame: makeFrame(outgoing, true), outgoing };
	return made.frame;
}

function makeFrame(outgoing: Outgoing, isOwn: boolean): Buffer {
	const { frame, size } = frameHeader(outgoing, outgoing.length, isOwn);
	let at = size;
	for (const chunk of outgoing.chunks) at += chunk.copy(frame, at);
	return frame;
}

function isSame(one: Outgoing, other: Outgoing): boolean {
	return (
		one.length === other.length &&
		one.format === other.format &&
		one.chunks.length === other.chunks.length &&
		one.chunks.every((chunk, at) => chunk === other.chunks[at])
	);
}

/** The header of an unmasked, final frame in front of `spare` free bytes; `isOwn`: in memory that nothing else is in. */
function frameHeader(
	{ format, length }: Outgoing,
	spare: number,
	isOwn = false,
): { frame: Buffer; size: number } {
	const size = length < 126 ? 2 : length < 65_536 ? 4 : 10;
	const frame = isOwn ? Buffer.allocUnsafeSlow(size + spare) : Buffer.allocUnsafe(size + spare);
	frame[0] = FINAL | (format === "Text" ? TEXT : BINARY);
	frame[1] = size === 2 ? length : size === 4 ? 126 : 127;
	if (size === 4) frame.writeUInt16BE(length, 2);
	if (size === 10) frame.writeBigUInt64BE(BigInt(length), 2);
	return { frame, size };
}
