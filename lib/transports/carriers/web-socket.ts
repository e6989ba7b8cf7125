import type { Duplex } from "node:stream";
import { TrunklineError } from "../../errors/index.js";
import type { ConnectionRequest, PayloadFormat } from "../connection.js";
import { CLOSE, FrameViolation, NORMAL_CLOSURE } from "../frames/frame.js";
import type { FrameListener, FrameReader } from "../frames/frame-reader.js";
import { closeFrame, controlFrame, writeFrame } from "../frames/frame-writer.js";
import { Pongs } from "../frames/pongs.js";
import type { Unfinished } from "../frames/unfinished.js";
import { CarrierConnection, type CarrierParts } from "./carrier-connection.js";
import { type Flushable, flushAtEndOfTurn } from "./turn.js";

/** A socket on which frames are spoken from now on, and who reads them. */
export interface OpenedWebSocket {
	readonly socket: Duplex;
	readonly reader: FrameReader;
}

/** What a {@link WebSocketConnection} is made of. */
export interface WebSocketConnectionParts extends CarrierParts {
	/** Stateful reconnect was negotiated. */
	readonly isReconnectable: boolean;
}

const FORMATS: readonly PayloadFormat[] = ["Text", "Binary"];
/** What one turn may gather before it is written early, so that a burst does not double in memory. */
const GATHER_BYTES = 64 * 1024;
/**
 * Frames after which the event loop gets its turn. Node reads from one socket as often as 32 times before it looks at
 * another, and two megabytes can be hundreds of thousands of frames.
 */
const TURN_FRAMES = 512;

/** Where a socket knows its connection, so that the listeners are the same functions for all. */
const OWNER: unique symbol = Symbol("the connection of a WebSocket");

type OwnedSocket = Duplex & { [OWNER]?: WebSocketConnection | undefined };

/**
 * A connection over one WebSocket (RFC 6455): or, where stateful reconnect is enabled, over one after another.
 * up → (interrupted → up)* → closed.
 */
export class WebSocketConnection extends CarrierConnection implements Flushable, FrameListener {
	readonly isReconnectable: boolean;
	/** The reader's: what of a frame or message has come so far. */
	unfinished: Unfinished | undefined;
	#socket: OwnedSocket;
	#reader: FrameReader;
	/** Frames may be sent: neither side has begun to close. */
	#isOpen = true;
	/** What comes from the socket is looked at. */
	#isReading = true;
	/** The client has begun the closing handshake, or answered it. */
	#isLeaving = false;
	/** What waits for the end of the turn, and its one format. */
	#chunks: Buffer[] | undefined;
	#format: PayloadFormat = "Text";
	#gathered = 0;
	#isFlushDue = false;
	/** Frames that came since the reading was interrupted last. */
	#frames = 0;
	#isTurning = false;
	#pongs: Pongs | undefined;
	#isReconnectEnabled = false;
	#isInterrupted = false;

	constructor(parts: WebSocketConnectionParts, { socket, reader }: OpenedWebSocket) {
		super(parts);
		this.isReconnectable = parts.isReconnectable;
		this.#socket = socket;
		this.#reader = reader;
		this.#attach();
	}

	get transport(): "WebSockets" {
		return "WebSockets";
	}

	get formats(): readonly PayloadFormat[] {
		return FORMATS;
	}

	get hasInherentKeepAlive(): boolean {
		return false;
	}

	get bufferedBytes(): number {
		return this.#gathered + this.#socket.writableLength;
	}

	/** Whether another socket may take the place of the present one, lost or not. */
	get canReopen(): boolean {
		return this.#isReconnectEnabled && !this.isEnded && !this.isClosed;
	}

	get isReading(): boolean {
		return this.#isReading;
	}

	override enableReconnect(): void {
		this.#isReconnectEnabled = this.isReconnectable;
	}

	/** Goes on over another socket. The present one is cut: it may be half-open, and the client has left it. */
	reopen({ socket, reader }: OpenedWebSocket, request: ConnectionRequest): void {
		this.timer?.cancel();
		this.timer = undefined;
		this.requested = request;
		this.drop();
		this.forgetHeld();
		this.#detach();
		if (!this.#isInterrupted) this.interrupted();
		this.#isInterrupted = false;
		this.#socket = socket;
		this.#reader = reader;
		this.#isOpen = true;
		this.#isReading = true;
		this.#isLeaving = false;
		this.#attach();
		if (this.isPaused) socket.pause();
		this.resumed();
	}

	send(bytes: Buffer, format: PayloadFormat): void {
		if (this.isEnded || !this.#isOpen || bytes.length === 0) return;
		if (this.bufferedBytes > this.maxBufferedBytes) {
			this.dropSlowClient();
			return;
		}
		if (format !== this.#format) {
			this.#write();
			this.#format = format;
		}
		if (this.#chunks) this.#chunks.push(bytes);
		else this.#chunks = [bytes];
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
		this.#sendClose(closeFrame(NORMAL_CLOSURE));
		// A paused socket would never show the client's half of the closing handshake.
		this.#socket.resume();
		this.cutLater();
		this.reportIfGone();
	}

	protected override suspend(): void {
		if (!this.#isLeaving) this.#socket.pause();
	}

	protected override proceed(): void {
		if (!this.#isTurning) this.#socket.resume();
	}

	protected cut(): void {
		this.#isOpen = false;
		this.#isReading = false;
		this.#socket.destroy();
		// There is no socket whose end would be heard.
		if (this.#isInterrupted) queueMicrotask(() => this.reportClosed());
	}

	protected drop(): void {
		this.#chunks = undefined;
		this.#gathered = 0;
	}

	/** Called by the socket. */
	read(chunk: Buffer): void {
		try {
			this.#frames += this.#reader.read(this, chunk);
		} catch (violation) {
			this.#broken(violation);
		}
		this.#pongs?.flush();
		if (this.#frames >= TURN_FRAMES && !this.#isTurning) this.#letOthersTurn();
	}

	/** Called by the reader. */
	payload(bytes: Buffer): void {
		this.received(bytes);
	}

	/** Called by the reader. */
	ping(payload: Buffer): void {
		if (!this.#isOpen) return;
		this.#pongs ??= new Pongs(this.#socket);
		this.#pongs.add(payload);
		if (this.#pongs.isFlooded) this.cut();
	}

	/** Called by the reader. The answer has the client's code and reason. */
	closing(payload: Buffer): void {
		this.#isLeaving = true;
		this.#isReading = false;
		// What its last messages are answered with, in this turn or through promises, goes before.
		setImmediate(() => this.#answerClose(payload));
	}

	#answerClose(payload: Buffer): void {
		this.#write();
		this.#sendClose(controlFrame(CLOSE, payload));
		this.#socket.end();
		this.#seeTheEnd();
	}

	/** Called by the socket: there is room again. */
	hasRoom(): void {
		this.drained();
	}

	/** Called by the socket: the client has ended its side, with or without a closing handshake. */
	halfClosed(): void {
		this.#isOpen = false;
		this.#isReading = false;
		this.#pongs?.stop();
		this.#socket.end();
		if (!this.timer && !this.isClosed) {
			this.timer = this.settings.clock.schedule(this.settings.closeTimeoutMs, () => this.#socket.destroy());
		}
	}

	/** Called by the socket: it is gone. */
	lost(): void {
		// What came before an error was not handed on while the socket was paused.
		const rest: unknown = this.#socket.read();
		if (Buffer.isBuffer(rest)) this.read(rest);
		this.#isOpen = false;
		this.#isReading = false;
		this.unfinished = undefined;
		if (!this.#isLeaving && this.canReopen) this.#interrupt();
		else this.gone();
	}

	#attach(): void {
		const socket = this.#socket;
		socket[OWNER] = this;
		socket.on("data", onData);
		socket.on("end", onEnd);
		socket.on("close", onClose);
		socket.on("drain", onDrain);
	}

	/** Nothing of the present socket is heard any more. */
	#detach(): void {
		this.#socket[OWNER] = undefined;
		this.#socket.destroy();
		this.#pongs = undefined;
		this.unfinished = undefined;
	}

	#askForFlush(): void {
		if (this.#isFlushDue) return;
		this.#isFlushDue = true;
		flushAtEndOfTurn(this);
	}

	/** Writes what the turn gathered so far, as one frame. */
	#write(): void {
		if (!this.#chunks) return;
		const outgoing = { chunks: this.#chunks, format: this.#format, length: this.#gathered };
		this.drop();
		if (!this.#isOpen) return;
		writeFrame(this.#socket, outgoing, this.takenBy(this.#socket));
		this.drained();
	}

	/** The last frame of this side. */
	#sendClose(frame: Buffer): void {
		if (!this.#isOpen) return;
		this.#pongs?.stop();
		this.#isOpen = false;
		this.#socket.write(frame);
	}

	/** What has been read of the socket is handed on all the same; more is read in another turn. */
	#letOthersTurn(): void {
		this.#isTurning = true;
		this.#socket.pause();
		setImmediate(() => {
			this.#isTurning = false;
			this.#frames = 0;
			if (!this.isPaused || this.isEnded || !this.#isReading) this.#socket.resume();
		});
	}

	/** The client broke RFC 6455 or a limit. */
	#broken(violation: unknown): void {
		if (!(violation instanceof FrameViolation)) throw violation;
		this.fail(
			new TrunklineError("ERR_TRANSPORT", `The WebSocket failed: ${violation.message}.`, {
				cause: violation,
			}),
		);
		this.#isReading = false;
		this.#isLeaving = true;
		this.end();
		this.#sendClose(closeFrame(violation.status));
		this.#socket.end();
		this.#seeTheEnd();
	}

	/** The client's end is seen only by reading, whether or not the owner does. */
	#seeTheEnd(): void {
		this.#socket.resume();
		this.cutLater();
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

function onData(this: OwnedSocket, chunk: Buffer): void {
	this[OWNER]?.read(chunk);
}

function onEnd(this: OwnedSocket): void {
	this[OWNER]?.halfClosed();
}

function onClose(this: OwnedSocket): void {
	this[OWNER]?.lost();
}

function onDrain(this: OwnedSocket): void {
	this[OWNER]?.hasRoom();
}
