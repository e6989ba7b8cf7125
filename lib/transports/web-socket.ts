import type { Duplex } from "node:stream";
import { type RawData, WebSocket } from "ws";
import { type Clock, Fifo, type Log, type Timer } from "../base/index.js";
import { messageOf, TrunklineError } from "../errors/index.js";
import type { Connection, ConnectionListener, ConnectionRequest, PayloadFormat, User } from "./connection.js";
import { type Flushable, flushAtEndOfTurn } from "./turn.js";

/** What a {@link WebSocketConnection} is made of. */
export interface WebSocketConnectionParts {
	readonly connectionId: string;
	readonly request: ConnectionRequest;
	readonly user: User | undefined;
	readonly webSocket: WebSocket;
	/** The socket under `webSocket`: frames are written to it directly, header and payload at once. */
	readonly socket: Duplex;
	readonly settings: WebSocketSettings;
	/** Called once, before the owner hears `closed`. */
	onClosed(): void;
}

/** The part of the endpoint's settings that its connections share. */
export interface WebSocketSettings {
	readonly maxBufferedBytes: number;
	readonly closeTimeoutMs: number;
	readonly clock: Clock;
	readonly log: Log;
}

const FORMATS: readonly PayloadFormat[] = ["Text", "Binary"];
const FINAL_TEXT = 0x81;
const FINAL_BINARY = 0x82;
const NORMAL_CLOSURE = 1000;
/** Frames up to this size are copied into one buffer; above it the copy costs more than a second element in writev. */
const JOIN_BYTES = 16 * 1024;
/** What one turn may gather before it is written early, so that a burst does not double in memory. */
const GATHER_BYTES = 64 * 1024;
/** What may wait before senders who can wait are asked to. */
const FULL_BYTES = 64 * 1024;

/** The header of an unmasked, final frame (RFC 6455 §5.2) in front of `spare` free bytes. */
function frameHeader(format: PayloadFormat, length: number, spare: number): { frame: Buffer; size: number } {
	const size = length < 126 ? 2 : length < 65_536 ? 4 : 10;
	const frame = Buffer.allocUnsafe(size + spare);
	frame[0] = format === "Text" ? FINAL_TEXT : FINAL_BINARY;
	frame[1] = size === 2 ? length : size === 4 ? 126 : 127;
	if (size === 4) frame.writeUInt16BE(length, 2);
	if (size === 10) frame.writeBigUInt64BE(BigInt(length), 2);
	return { frame, size };
}

/** Bytes of one format on their way out, in order. */
interface Run {
	readonly format: PayloadFormat;
	readonly chunks: Buffer[];
	bytes: number;
}

/** Writes `run` as one WebSocket frame. */
function writeFrame(socket: Duplex, run: Run): void {
	const isJoined = run.bytes <= JOIN_BYTES;
	const { frame, size } = frameHeader(run.format, run.bytes, isJoined ? run.bytes : 0);
	if (!isJoined) {
		socket.write(frame);
		for (const chunk of run.chunks) socket.write(chunk);
		return;
	}
	let at = size;
	for (const chunk of run.chunks) at += chunk.copy(frame, at);
	socket.write(frame);
}

/** A {@link Connection} over one WebSocket. */
export class WebSocketConnection implements Connection, Flushable {
	readonly connectionId: string;
	readonly transport = "WebSockets";
	readonly formats: readonly PayloadFormat[] = FORMATS;
	readonly hasInherentKeepAlive = false;
	readonly isReconnectable = false;
	readonly request: ConnectionRequest;
	readonly user: User | undefined;
	maxBufferedBytes: number;
	readonly #webSocket: WebSocket;
	readonly #socket: Duplex;
	readonly #settings: WebSocketSettings;
	readonly #onClosed: () => void;
	#listener: ConnectionListener | undefined;
	/** What the client sent while the owner would not read; at most what one read of the socket held. */
	#held: Fifo<Buffer> | undefined;
	#runs: Run[] = [];
	#gathered = 0;
	#isFlushDue = false;
	#isPaused = false;
	#isDelivering = false;
	/** The owner ended it: nothing of the client's reaches it any more but `closed`. */
	#isEnded = false;
	#isGone = false;
	#isClosed = false;
	#error: Error | undefined;
	#timer: Timer | undefined;

	constructor(parts: WebSocketConnectionParts) {
		this.connectionId = parts.connectionId;
		this.request = parts.request;
		this.user = parts.user;
		this.#webSocket = parts.webSocket;
		this.#socket = parts.socket;
		this.#settings = parts.settings;
		this.maxBufferedBytes = parts.settings.maxBufferedBytes;
		this.#onClosed = () => parts.onClosed();
		this.#webSocket.on("message", (data) => this.#received(data));
		this.#webSocket.on("error", (error) => this.#failed(error));
		this.#webSocket.on("close", () => this.#gone());
	}

	/** True once `listen` was called. */
	get isOwned(): boolean {
		return this.#listener !== undefined;
	}

	get bufferedBytes(): number {
		return this.#gathered + this.#socket.writableLength;
	}

	get isFull(): boolean {
		return this.bufferedBytes >= FULL_BYTES;
	}

	listen(listener: ConnectionListener): void {
		if (this.#listener) {
			throw new TrunklineError(
				"ERR_TRANSPORT",
				`Connection ${this.connectionId} has a listener already; listen once.`,
			);
		}
		this.#listener = listener;
	}

	send(bytes: Buffer, format: PayloadFormat): void {
		if (this.#isEnded || this.#webSocket.readyState !== WebSocket.OPEN || bytes.length === 0) return;
		if (this.bufferedBytes > this.maxBufferedBytes) {
			this.#dropSlowClient();
			return;
		}
		const last = this.#runs.at(-1);
		if (last?.format === format) {
			last.chunks.push(bytes);
			last.bytes += bytes.length;
		} else {
			this.#runs.push({ format, chunks: [bytes], bytes: bytes.length });
		}
		this.#gathered += bytes.length;
		if (this.#gathered >= GATHER_BYTES) this.#write();
		else this.#askForFlush();
	}

	#askForFlush(): void {
		if (this.#isFlushDue) return;
		this.#isFlushDue = true;
		flushAtEndOfTurn(this);
	}

	#dropSlowClient(): void {
		this.#error = new TrunklineError(
			"ERR_SLOW_CLIENT",
			`Connection ${this.connectionId} was ended: ${this.bufferedBytes} bytes wait for a client that does not read them ` +
				`(maxBufferedBytes is ${this.maxBufferedBytes}).`,
		);
		this.abort();
	}

	/** The end of the turn has come. */
	flush(): void {
		this.#isFlushDue = false;
		this.#write();
	}

	/** Writes what the turn gathered so far, one frame per run of one format. */
	#write(): void {
		const runs = this.#runs;
		if (runs.length === 0) return;
		this.#runs = [];
		this.#gathered = 0;
		if (this.#webSocket.readyState !== WebSocket.OPEN) return;
		this.#socket.cork();
		for (const run of runs) writeFrame(this.#socket, run);
		this.#socket.uncork();
	}

	enableReconnect(): void {}

	pause(): void {
		if (this.#isPaused || this.#isEnded) return;
		this.#isPaused = true;
		this.#webSocket.pause();
	}

	resume(): void {
		if (!this.#isPaused || this.#isEnded) return;
		this.#isPaused = false;
		// Inside a `data` call the loop that made it goes on by itself: calls must not overlap.
		if (!this.#isDelivering) this.#deliverHeld();
		if (!this.#isPaused) this.#webSocket.resume();
	}

	close(): void {
		if (this.#isEnded) return;
		this.#write();
		this.#end();
		// A paused socket would never show the client's half of the closing handshake.
		this.#webSocket.resume();
		this.#webSocket.close(NORMAL_CLOSURE);
		this.#terminateLater();
		this.#reportIfGone();
	}

	abort(): void {
		this.#end();
		this.#webSocket.terminate();
		this.#reportIfGone();
	}

	/** The socket went while held bytes kept `closed` back. Never from inside the owner's own call: calls do not overlap. */
	#reportIfGone(): void {
		if (this.#isGone) queueMicrotask(() => this.#reportClosed());
	}

	#end(): void {
		this.#isEnded = true;
		this.#runs = [];
		this.#gathered = 0;
		this.#held = undefined;
	}

	#terminateLater(): void {
		this.#timer?.cancel();
		if (this.#isClosed) return;
		this.#timer = this.#settings.clock.schedule(this.#settings.closeTimeoutMs, () => this.abort());
	}

	#received(data: RawData): void {
		if (this.#isEnded) return;
		const chunk = Buffer.isBuffer(data)
			? data
			: Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]);
		if (chunk.length === 0) return;
		if (!this.#isPaused && !this.#isDelivering && !this.#held) {
			this.#deliver(chunk);
			if (!this.#isPaused) this.#deliverHeld();
			return;
		}
		this.#held ??= new Fifo();
		this.#held.push(chunk);
	}

	#deliver(chunk: Buffer): void {
		this.#isDelivering = true;
		try {
			this.#listener?.data(chunk);
		} catch (error) {
			this.#listenerFailed("data", error);
		} finally {
			this.#isDelivering = false;
		}
	}

	#deliverHeld(): void {
		while (this.#held && !this.#isPaused && !this.#isEnded) {
			const chunk = this.#held.shift();
			if (chunk) this.#deliver(chunk);
			else this.#held = undefined;
		}
		if (this.#isGone && !this.#held) this.#reportClosed();
	}

	#listenerFailed(call: string, error: unknown): void {
		const { connectionId } = this;
		this.#settings.log.error(
			{ connectionId, call, error: messageOf(error) },
			"The listener of a connection threw.",
		);
		this.#error ??= new TrunklineError("ERR_TRANSPORT", `The listener's ${call} threw.`, { cause: error });
		if (!this.#isClosed) this.abort();
	}

	/** The client broke RFC 6455 or a limit; ws has sent the close code and waits for the client's answer. */
	#failed(error: Error): void {
		this.#error ??= new TrunklineError("ERR_TRANSPORT", `The WebSocket failed: ${error.message}.`, {
			cause: error,
		});
		this.#end();
		this.#terminateLater();
	}

	#gone(): void {
		this.#isGone = true;
		if (this.#held && !this.#isEnded) {
			// What came before the end is still the owner's to read, for as long as an end may take.
			this.#terminateLater();
			return;
		}
		this.#reportClosed();
	}

	#reportClosed(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#end();
		this.#timer?.cancel();
		this.#timer = undefined;
		this.#onClosed();
		try {
			this.#listener?.closed(this.#error);
		} catch (error) {
			this.#listenerFailed("closed", error);
		}
	}
}
