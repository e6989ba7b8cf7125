import type { Duplex } from "node:stream";
import { type RawData, WebSocket } from "ws";
import { TrunklineError } from "../../errors/index.js";
import type { ConnectionRequest, PayloadFormat } from "../connection.js";
import { CarrierConnection, type CarrierParts } from "./carrier-connection.js";
import { type Flushable, flushAtEndOfTurn } from "./turn.js";

/** A WebSocket, and the socket under it: frames are written to that directly, header and payload at once. */
export interface OpenedWebSocket {
	readonly webSocket: WebSocket;
	readonly socket: Duplex;
}

/** What a {@link WebSocketConnection} is made of. */
export interface WebSocketConnectionParts extends CarrierParts, OpenedWebSocket {
	/** Stateful reconnect was negotiated. */
	readonly isReconnectable: boolean;
}

const FORMATS: readonly PayloadFormat[] = ["Text", "Binary"];
const FINAL_TEXT = 0x81;
const FINAL_BINARY = 0x82;
const NORMAL_CLOSURE = 1000;
/** What ws reports where the peer went without a closing handshake. */
const ABNORMAL_CLOSURE = 1006;
/** Frames up to this size are copied into one buffer; above it the copy costs more than a second element in writev. */
const JOIN_BYTES = 16 * 1024;
/** What one turn may gather before it is written early, so that a burst does not double in memory. */
const GATHER_BYTES = 64 * 1024;

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

/** Writes `chunks`, `length` bytes in all, as one WebSocket frame. */
function writeFrame(socket: Duplex, format: PayloadFormat, { chunks, length }: Gathered): void {
	const isJoined = length <= JOIN_BYTES;
	const { frame, size } = frameHeader(format, length, isJoined ? length : 0);
	if (isJoined) {
		let at = size;
		for (const chunk of chunks) at += chunk.copy(frame, at);
		socket.write(frame);
		return;
	}
	socket.cork();
	socket.write(frame);
	for (const chunk of chunks) socket.write(chunk);
	socket.uncork();
}

/**
 * Frames after which the event loop gets its turn. Node reads from one socket as often as 32 times before it looks at
 * another, and two megabytes can be hundreds of thousands of frames.
 */
const TURN_FRAMES = 512;

/**
 * Pongs of one turn that are taken; ws takes as many pings. We send no pings, so that none are expected, and between the
 * fragments of a message they would keep alive what each fragment was read in: 64 KB for a byte.
 */
const TURN_PONGS = 64;

/** Bytes on their way out, in order. */
interface Gathered {
	readonly chunks: readonly Buffer[];
	readonly length: number;
}

/**
 * A connection over one WebSocket: or, where stateful reconnect is enabled, over one after another.
 * up → (interrupted → up)* → closed.
 */
export class WebSocketConnection extends CarrierConnection implements Flushable {
	readonly transport = "WebSockets";
	readonly formats: readonly PayloadFormat[] = FORMATS;
	readonly hasInherentKeepAlive = false;
	readonly isReconnectable: boolean;
	#webSocket: WebSocket;
	#socket: Duplex;
	/** What waits for the end of the turn, and its one format. */
	#chunks: Buffer[] = [];
	#format: PayloadFormat = "Text";
	#gathered = 0;
	#isFlushDue = false;
	/** Frames that came since the reading was interrupted last. */
	#frames = 0;
	/** Pongs of the present turn. */
	#pongs = 0;
	#isReconnectEnabled = false;
	#isInterrupted = false;

	constructor(parts: WebSocketConnectionParts) {
		super(parts);
		this.isReconnectable = parts.isReconnectable;
		this.#webSocket = parts.webSocket;
		this.#socket = parts.socket;
		this.#attach(parts);
	}

	get bufferedBytes(): number {
		return this.#gathered + this.#socket.writableLength;
	}

	/** Whether another socket may take the place of the present one, lost or not. */
	get canReopen(): boolean {
		return this.#isReconnectEnabled && !this.isEnded && !this.isClosed;
	}

	override enableReconnect(): void {
		this.#isReconnectEnabled = this.isReconnectable;
	}

	/** Goes on over another socket. The present one is cut: it may be half-open, and the client has left it. */
	reopen(opened: OpenedWebSocket, request: ConnectionRequest): void {
		const former = this.#webSocket;
		this.timer?.cancel();
		this.timer = undefined;
		this.#webSocket = opened.webSocket;
		this.#socket = opened.socket;
		this.requested = request;
		this.drop();
		this.forgetHeld();
		former.terminate();
		if (!this.#isInterrupted) this.interrupted();
		this.#isInterrupted = false;
		this.#attach(opened);
		if (this.isPaused) opened.webSocket.pause();
		this.resumed();
	}

	send(bytes: Buffer, format: PayloadFormat): void {
		if (this.isEnded || this.#webSocket.readyState !== WebSocket.OPEN || bytes.length === 0) return;
		if (this.bufferedBytes > this.maxBufferedBytes) {
			this.dropSlowClient();
			return;
		}
		if (format !== this.#format) {
			this.#write();
			this.#format = format;
		}
		this.#chunks.push(bytes);
		this.#gathered += bytes.length;
		if (this.#gathered >= GATHER_BYTES) this.#write();
		else this.#askForFlush();
	}

	/** The end of the turn has come. */
	flush(): void {
		this.#isFlushDue = false;
		this.#write();
	}

	close(): void {
		if (this.isEnded) return;
		this.#write();
		this.end();
		if (this.#isInterrupted) {
			this.abort();
			return;
		}
		// A paused socket would never show the client's half of the closing handshake.
		this.#webSocket.resume();
		this.#webSocket.close(NORMAL_CLOSURE);
		this.cutLater();
		this.reportIfGone();
	}

	protected override suspend(): void {
		this.#webSocket.pause();
	}

	protected override proceed(): void {
		this.#webSocket.resume();
	}

	protected cut(): void {
		this.#webSocket.terminate();
		// There is no socket whose end would be heard.
		if (this.#isInterrupted) queueMicrotask(() => this.reportClosed());
	}

	protected drop(): void {
		this.#chunks = [];
		this.#gathered = 0;
	}

	#attach({ webSocket, socket }: OpenedWebSocket): void {
		webSocket.on("message", (data) => this.#message(webSocket, data));
		webSocket.on("pong", () => this.#pong(webSocket));
		webSocket.on("error", (error) => this.#failed(webSocket, error));
		webSocket.on("close", (code) => this.#closed(webSocket, code));
		socket.on("drain", () => this.drained());
	}

	#askForFlush(): void {
		if (this.#isFlushDue) return;
		this.#isFlushDue = true;
		flushAtEndOfTurn(this);
	}

	/** Writes what the turn gathered so far, as one frame. */
	#write(): void {
		if (this.#gathered === 0) return;
		const gathered = { chunks: this.#chunks, length: this.#gathered };
		this.#chunks = [];
		this.#gathered = 0;
		if (this.#webSocket.readyState !== WebSocket.OPEN) return;
		writeFrame(this.#socket, this.#format, gathered);
		this.drained();
	}

	#message(webSocket: WebSocket, data: RawData): void {
		if (webSocket !== this.#webSocket) return;
		this.#countFrame(webSocket);
		this.received(
			Buffer.isBuffer(data) ? data : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]),
		);
	}

	/** What has been read of the socket is still handed on; more is read in another turn. */
	#countFrame(webSocket: WebSocket): void {
		if (++this.#frames !== TURN_FRAMES) return;
		webSocket.pause();
		setImmediate(() => {
			this.#frames = 0;
			if (!this.isPaused || this.isEnded) webSocket.resume();
		});
	}

	#pong(webSocket: WebSocket): void {
		if (this.#pongs === 0) {
			setImmediate(() => {
				this.#pongs = 0;
			});
		}
		if (++this.#pongs > TURN_PONGS) webSocket.terminate();
	}

	/** The client broke RFC 6455 or a limit; ws has sent the close code and waits for the client's answer. */
	#failed(webSocket: WebSocket, error: Error): void {
		if (webSocket !== this.#webSocket) return;
		this.fail(
			new TrunklineError("ERR_TRANSPORT", `The WebSocket failed: ${error.message}.`, { cause: error }),
		);
		this.end();
		this.cutLater();
	}

	#closed(webSocket: WebSocket, code: number): void {
		if (webSocket !== this.#webSocket) return;
		if (code === ABNORMAL_CLOSURE && this.canReopen) this.#interrupt();
		else this.gone();
	}

	/** The socket is lost; the client may come back within `disconnectTimeoutMs`. */
	#interrupt(): void {
		this.#isInterrupted = true;
		this.drop();
		this.forgetHeld();
		this.timer?.cancel();
		this.timer = this.settings.clock.schedule(this.settings.disconnectTimeoutMs, () => this.gone());
		this.interrupted();
	}
}
