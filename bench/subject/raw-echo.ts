// The app side of relays that know nothing of hubs: as cheap as an echo can be here, since it shares a core with the load.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const FINAL = 0x80;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const MASK_BYTES = 4;

/** Turns a client's frames into a server's with the same payloads; frames come in pieces of any size. */
export class FrameTurner {
	#rest: Buffer | undefined;
	/** Set when the client said goodbye. */
	isClosed = false;

	/** The answers to all frames that end in this piece of the stream. @throws RangeError for a frame of 64 KiB and more. */
	turn(piece: Buffer): Buffer {
		const bytes = this.#rest ? Buffer.concat([this.#rest, piece]) : piece;
		// An answer is shorter than its frame by the mask.
		const answers = Buffer.allocUnsafe(bytes.length);
		let [from, to] = [0, 0];
		for (let end = endOfFrame(bytes, from); end > 0; end = endOfFrame(bytes, from)) {
			to = this.#turnFrame(bytes.subarray(from, end), answers, to);
			from = end;
		}
		this.#rest = from < bytes.length ? Buffer.from(bytes.subarray(from)) : undefined;
		return answers.subarray(0, to);
	}

	#turnFrame(frame: Buffer, answers: Buffer, at: number): number {
		const size = headerSize(frame, 0);
		const opcode = (frame[0] ?? 0) & 0x0f;
		if (opcode === CLOSE) this.isClosed = true;
		answers[at] = opcode === PING ? FINAL | PONG : (frame[0] ?? 0);
		answers[at + 1] = (frame[1] ?? 0) & 0x7f;
		for (let k = 2; k < size; k++) answers[at + k] = frame[k] ?? 0;
		const body = size + MASK_BYTES;
		for (let k = body, to = at + size; k < frame.length; k++, to++)
			answers[to] = (frame[k] ?? 0) ^ (frame[size + ((k - body) & 3)] ?? 0);
		return at + frame.length - MASK_BYTES;
	}
}

function headerSize(bytes: Buffer, at: number): number {
	return ((bytes[at + 1] ?? 0) & 0x7f) === 126 ? 4 : 2;
}

/** Where the frame at `from` ends; 0 where that is not there yet. */
function endOfFrame(bytes: Buffer, from: number): number {
	if (bytes.length < from + 2) return 0;
	const short = (bytes[from + 1] ?? 0) & 0x7f;
	if (short === 127) throw new RangeError("A frame of the load has 65,535 bytes at most.");
	const size = headerSize(bytes, from);
	if (bytes.length < from + size) return 0;
	const end = from + size + MASK_BYTES + (size === 2 ? short : bytes.readUInt16BE(from + 2));
	return end <= bytes.length ? end : 0;
}

function echo(socket: Duplex): void {
	const turner = new FrameTurner();
	socket.on("error", () => socket.destroy());
	// Sockets of an HTTP server stay half-open else, and a relay keeps both of its own for as long.
	socket.on("end", () => socket.end());
	socket.on("data", (piece: Buffer) => {
		const answers = turner.turn(piece);
		if (answers.length > 0) socket.write(answers);
		if (turner.isClosed) socket.end();
	});
}

/** An echo that listens. */
export interface RawEcho {
	readonly port: number;
	/** Takes no more clients. */
	close(): void;
}

/** Starts an echo of WebSocket frames on a free port. */
export function startRawEcho(host: string, backlog: number): Promise<RawEcho> {
	const server = createServer();
	server.on("upgrade", (request, socket) => {
		const key = `${request.headers["sec-websocket-key"]}${ACCEPT_SUFFIX}`;
		const accept = createHash("sha1").update(key).digest("base64");
		const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
		socket.write(`${head.join("\r\n")}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
		echo(socket);
	});
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen({ host, port: 0, backlog }, () => {
			const { port } = server.address() as AddressInfo;
			resolve({ port, close: () => void server.close() });
		});
	});
}
