import { connect, type Socket } from "node:net";
import type { SentFrame, Supply, Target, Worker } from "../report.js";
import type { TokenStock } from "./token-stock.js";

const HEAD_END = "\r\n\r\n";
const BATCH = 16;
/** Frames of one connection, so that each starts anew now and then. */
const MOST_FRAMES = 1_024;
/** Of each socket of a connection that outlives them: few, since one frame of some ends the connection. */
const MOST_STATEFUL_FRAMES = 4;
/** After so long without an answer a connection is given up: a client may hold up itself, and only itself. */
const PATIENCE_MS = 400;
const PING = 0x89;
const PONG = 0x0a;
const CLOSE = 0x08;
const MASKED = 0x80;
/** A key of zeros is a valid one, and leaves the payload as it is (RFC 6455 §5.3). */
const KEY_BYTES = 4;

/** A client's frame around `payload`. */
export function clientFrame(payload: Buffer, first: number): Buffer {
	const { length } = payload;
	const size = length < 126 ? 2 : length < 65_536 ? 4 : 10;
	const frame = Buffer.alloc(size + KEY_BYTES + length);
	frame[0] = first;
	frame[1] = MASKED | (size === 2 ? length : size === 4 ? 126 : 127);
	if (size === 4) frame.writeUInt16BE(length, 2);
	if (size === 10) frame.writeBigUInt64BE(BigInt(length), 2);
	payload.copy(frame, size + KEY_BYTES);
	return frame;
}

const BARRIER = clientFrame(Buffer.alloc(0), PING);

/** How a door speaks over WebSockets. */
export interface WebSocketDoor {
	/** Sent right behind the upgrade; nothing where the frames are the handshake. */
	readonly handshake: Buffer | undefined | (() => Buffer);
	/** Frames of one connection, and of one write. */
	readonly batch?: number;
	/** Where the connection is to outlive its sockets: tokens, and what is sent first on a socket that is not its first. */
	readonly stateful?: { readonly tokens: TokenStock; readonly resumption: Buffer };
	/** A frame as it goes to the socket. */
	wrap(bytes: Buffer): Buffer;
}

/**
 * Sends frames, each followed by a WebSocket ping: its pong says that the frame was looked at. What comes after the
 * frame that ended a connection goes to the next one.
 */
export class WebSocketWorker implements Worker {
	readonly #target: Target;
	readonly #door: WebSocketDoor;
	readonly #supply: Supply;
	#socket: Socket | undefined;
	#head = "";
	#isUpgraded = false;
	#skip = 0;
	#pendingHeader: Buffer = Buffer.alloc(0);
	#unanswered: SentFrame[] = [];
	#sentOnSocket = 0;
	#progressAt = 0;
	#isStopped = false;
	/** Of the connection that is to be taken up again. */
	#token: string | undefined;
	connections = 0;
	held = 0;

	constructor(target: Target, door: WebSocketDoor, supply: Supply) {
		this.#target = target;
		this.#door = door;
		this.#supply = supply;
	}

	start(): void {
		this.#open();
	}

	stop(): void {
		this.#isStopped = true;
		this.#socket?.destroy();
		this.#door.stateful?.tokens.close();
	}

	tick(now: number): void {
		if (!this.#socket || now - this.#progressAt < PATIENCE_MS) return;
		this.held++;
		this.#ended();
	}

	#open(): void {
		this.#fill();
		if (this.#isStopped || this.#unanswered.length === 0) return;
		const { stateful, handshake: made } = this.#door;
		const handshake = typeof made === "function" ? made() : made;
		if (!stateful) this.#connect(this.#target.path, handshake);
		else if (this.#token !== undefined) this.#connect(this.#pathOf(this.#token), stateful.resumption);
		else
			stateful.tokens.take((token) => {
				this.#token = token;
				if (!this.#isStopped) this.#connect(this.#pathOf(token), handshake);
			});
	}

	#pathOf(token: string): string {
		return `${this.#target.path}?id=${token}`;
	}

	#connect(path: string, first: Buffer | undefined): void {
		this.connections++;
		this.#head = "";
		this.#isUpgraded = false;
		this.#skip = 0;
		this.#pendingHeader = Buffer.alloc(0);
		this.#sentOnSocket = 0;
		this.#progressAt = performance.now();
		const socket = connect({ host: "127.0.0.1", port: this.#target.port, noDelay: true });
		this.#socket = socket;
		socket.on("data", (bytes) => this.#socket === socket && this.#read(bytes));
		socket.on("error", () => undefined);
		socket.on("close", () => this.#socket === socket && this.#ended());
		socket.write(this.#upgrade(path));
		if (first) socket.write(first);
		this.#sendAll(this.#unanswered);
	}

	#upgrade(path: string): string {
		return (
			`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
			`Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==${HEAD_END}`
		);
	}

	/** Takes new frames; returns those. */
	#fill(): SentFrame[] {
		const fresh: SentFrame[] = [];
		const most = this.#door.stateful ? MOST_STATEFUL_FRAMES : (this.#door.batch ?? BATCH);
		while (this.#unanswered.length < most) {
			const frame = this.#supply.take();
			if (!frame) break;
			this.#unanswered.push(frame);
			fresh.push(frame);
		}
		return fresh;
	}

	#sendAll(frames: readonly SentFrame[]): void {
		this.#sentOnSocket += frames.length;
		this.#socket?.write(Buffer.concat(frames.flatMap(({ bytes }) => [this.#door.wrap(bytes), BARRIER])));
	}

	/** The frame that was not answered ended the connection, or was refused with it. */
	#ended(): void {
		const socket = this.#socket;
		this.#socket = undefined;
		socket?.destroy();
		if (this.#isStopped) return;
		this.#token = undefined;
		if (this.#unanswered.shift()) this.#supply.done(1);
		this.#open();
	}

	#read(bytes: Buffer): void {
		if (this.#isUpgraded) {
			this.#walk(bytes);
			return;
		}
		this.#head += bytes.toString("latin1");
		const end = this.#head.indexOf(HEAD_END);
		if (end < 0) return;
		if (!this.#head.startsWith("HTTP/1.1 101")) {
			this.#ended();
			return;
		}
		this.#isUpgraded = true;
		this.#walk(Buffer.from(this.#head.slice(end + HEAD_END.length), "latin1"));
	}

	/** Over the server's frames; only pongs and the end are of interest. */
	#walk(bytes: Buffer): void {
		let rest = this.#pendingHeader.length > 0 ? Buffer.concat([this.#pendingHeader, bytes]) : bytes;
		let pongs = 0;
		for (;;) {
			const skipped = Math.min(this.#skip, rest.length);
			this.#skip -= skipped;
			rest = rest.subarray(skipped);
			const frame = headerOf(rest);
			if (!frame) break;
			if (frame.opcode === CLOSE) {
				this.#answered(pongs);
				this.#ended();
				return;
			}
			if (frame.opcode === PONG) pongs++;
			this.#skip = frame.length;
			rest = rest.subarray(frame.size);
		}
		this.#pendingHeader = Buffer.from(rest);
		if (pongs > 0) this.#answered(pongs);
		if (pongs > 0 && this.#unanswered.length === 0) this.#goOn();
	}

	#answered(frames: number): void {
		this.#progressAt = performance.now();
		const { length } = this.#unanswered.splice(0, frames);
		this.#supply.done(length);
	}

	#goOn(): void {
		const most = this.#door.stateful ? MOST_STATEFUL_FRAMES : MOST_FRAMES;
		if (this.#sentOnSocket < most && this.#door.batch === undefined) {
			const fresh = this.#fill();
			if (fresh.length > 0) this.#sendAll(fresh);
			else this.#leave();
			return;
		}
		this.#leave();
		this.#open();
	}

	#leave(): void {
		const socket = this.#socket;
		this.#socket = undefined;
		socket?.destroy();
	}
}

interface Header {
	readonly opcode: number;
	readonly size: number;
	readonly length: number;
}

/** The header at the start of `bytes`, or nothing where it is not whole. */
function headerOf(bytes: Buffer): Header | undefined {
	if (bytes.length < 2) return undefined;
	const opcode = (bytes[0] ?? 0) & 0x0f;
	const short = (bytes[1] ?? 0) & 0x7f;
	const size = short === 126 ? 4 : short === 127 ? 10 : 2;
	if (bytes.length < size) return undefined;
	const length = size === 2 ? short : size === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
	return { opcode, size, length };
}
