import type { Writable } from "node:stream";
import { type Clock, Fifo, type Log, type Timer } from "../../base/index.js";
import { messageOf, TrunklineError } from "../../errors/index.js";
import type {
	Connection,
	ConnectionListener,
	ConnectionRequest,
	PayloadFormat,
	TransportName,
	User,
} from "../connection.js";

/** The part of the endpoint's settings that its connections share. */
export interface CarrierSettings {
	readonly maxBufferedBytes: number;
	readonly closeTimeoutMs: number;
	readonly disconnectTimeoutMs: number;
	readonly longPollTimeoutMs: number;
	readonly clock: Clock;
	readonly log: Log;
	/** Told of a connection that is over, once, before its owner is. */
	readonly open: { delete(connectionId: string): unknown };
}

/** What every connection is made of. */
export interface CarrierParts {
	readonly connectionId: string;
	readonly request: ConnectionRequest;
	readonly user: User | undefined;
	readonly settings: CarrierSettings;
}

/** What may wait before senders who can wait are asked to, in bytes. */
const FULL_BYTES: number = 64 * 1024;

/** What a held chunk takes beside its bytes, about: a client can send one byte at a time. */
const CHUNK_BYTES = 256;

/**
 * What the connections of all transports have in common: who owns them, what is delivered when, and how they end. A
 * transport says how bytes leave ({@link send}) and how its sockets are paused, closed and cut.
 */
export abstract class CarrierConnection implements Connection {
	readonly connectionId: string;
	abstract readonly transport: TransportName;
	abstract readonly formats: readonly PayloadFormat[];
	abstract readonly hasInherentKeepAlive: boolean;
	abstract readonly isReconnectable: boolean;
	abstract readonly bufferedBytes: number;
	maxBufferedBytes: number;
	protected readonly settings: CarrierSettings;
	protected requested: ConnectionRequest;
	protected timer: Timer | undefined;
	#user: User | undefined;
	#listener: ConnectionListener | undefined;
	/** What the client sent while the owner would not read; a little more than {@link FULL_BYTES} at most. */
	#held: Fifo<Buffer> | undefined;
	/** What that takes. */
	#heldBytes = 0;
	#isPaused = false;
	#isDelivering = false;
	/** The owner ended it: nothing of the client's reaches it any more but `closed`. */
	#isEnded = false;
	#isGone = false;
	/** The client reads too slowly. */
	#isGivenUp = false;
	#isClosed = false;
	#wasFull = false;
	/** See {@link takenBy}. */
	#taken: (() => void) | undefined;
	#error: Error | undefined;

	constructor(parts: CarrierParts) {
		this.connectionId = parts.connectionId;
		this.requested = parts.request;
		this.#user = parts.user;
		this.settings = parts.settings;
		this.maxBufferedBytes = parts.settings.maxBufferedBytes;
	}

	/** Queues bytes. */
	abstract send(bytes: Buffer, format: PayloadFormat): void;
	/** Ends it in order. */
	abstract close(): void;
	/** Ends the socket or request at once. */
	protected abstract cut(): void;
	/** Drops what waits to be sent. */
	protected abstract drop(): void;
	/** Stops reading from the client, where the transport has something to stop. */
	protected suspend(): void {}
	/** Goes on reading. */
	protected proceed(): void {}

	get request(): ConnectionRequest {
		return this.requested;
	}

	get user(): User | undefined {
		return this.#user;
	}

	/** True once `listen` was called. */
	get isOwned(): boolean {
		return this.#listener !== undefined;
	}

	get isFull(): boolean {
		const isFull = this.bufferedBytes >= Math.min(FULL_BYTES, this.maxBufferedBytes / 4);
		this.#wasFull ||= isFull;
		return isFull;
	}

	get isSlow(): boolean {
		return this.bufferedBytes >= this.maxBufferedBytes / 4;
	}

	/** The owner has ended it. */
	get isEnded(): boolean {
		return this.#isEnded;
	}

	/** Nothing happens here any more. */
	get isClosed(): boolean {
		return this.#isClosed;
	}

	protected get isPaused(): boolean {
		return this.#isPaused;
	}

	/** The client's side is over. */
	protected get isGone(): boolean {
		return this.#isGone;
	}

	/** Whether more of what the client sends should be read. */
	get takesMore(): boolean {
		return this.#heldBytes < FULL_BYTES;
	}

	/** A later request of the same user's: what is known of them may be newer (claims, when they expire). */
	renewUser(user: User | undefined): void {
		this.#user = user;
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

	release(): void {
		this.#listener = undefined;
	}

	enableReconnect(): void {}

	pause(): void {
		if (this.#isPaused || this.#isEnded) return;
		this.#isPaused = true;
		this.suspend();
	}

	resume(): void {
		if (!this.#isPaused || this.#isEnded) return;
		this.#isPaused = false;
		// Inside a `data` call the loop that made it goes on by itself: calls must not overlap.
		if (!this.#isDelivering) this.#deliverHeld();
		if (!this.#isPaused) this.proceed();
	}

	abort(): void {
		this.end();
		this.cut();
		this.reportIfGone();
	}

	/** More waits than may: the client reads too slowly. Nothing is taken any more but its owner's last words. */
	protected dropSlowClient(): void {
		if (this.#isGivenUp) return;
		this.#isGivenUp = true;
		const error = new TrunklineError(
			"ERR_SLOW_CLIENT",
			`Connection ${this.connectionId} was ended: ${this.bufferedBytes} bytes wait for a client that does not read them ` +
				`(maxBufferedBytes is ${this.maxBufferedBytes}).`,
		);
		this.#error = error;
		if (this.#listener?.tooSlow) queueMicrotask(() => this.#giveUp(error));
		else this.abort();
	}

	#giveUp(error: Error): void {
		if (this.#isEnded) return;
		this.maxBufferedBytes = Number.POSITIVE_INFINITY;
		this.#call("tooSlow", () => this.#listener?.tooSlow?.(error));
		if (!this.#isEnded) this.abort();
	}

	/** Something was sent: the owner hears of it where it waits. */
	protected drained(): void {
		if (!this.#wasFull || this.isFull) return;
		this.#wasFull = false;
		this.#call("drained", () => this.#listener?.drained?.());
	}

	/** What is to hear that a piece was taken: nothing where the stream tells of room itself, which it does above its mark only. */
	protected takenBy({ writableHighWaterMark }: Writable): (() => void) | undefined {
		if (this.maxBufferedBytes >= 4 * writableHighWaterMark) return undefined;
		this.#taken ??= () => this.drained();
		return this.#taken;
	}

	/** Nothing of the client's is delivered any more. */
	protected end(): void {
		this.#isEnded = true;
		this.forgetHeld();
		this.drop();
	}

	/** Bytes of the client's. */
	protected received(chunk: Buffer): void {
		if (this.#isEnded || chunk.length === 0) return;
		if (!this.#isPaused && !this.#isDelivering && !this.#held) {
			this.#deliver(chunk);
			if (!this.#isPaused) this.#deliverHeld();
			return;
		}
		this.#held ??= new Fifo();
		this.#held.push(chunk);
		this.#heldBytes += chunk.length + CHUNK_BYTES;
	}

	/** Drops what was received and not delivered. */
	protected forgetHeld(): void {
		this.#held = undefined;
		this.#heldBytes = 0;
	}

	/** Why it will have ended, where that is not in order. The first reason counts. */
	protected fail(error: Error): void {
		this.#error ??= error;
	}

	/** The client's side is over. What came before is still the owner's to read, for as long as an end may take. */
	protected gone(): void {
		this.#isGone = true;
		if (this.#held && !this.#isEnded) this.cutLater();
		else this.reportClosed();
	}

	/** The client went while held bytes kept `closed` back. Never from inside the owner's own call: calls do not overlap. */
	protected reportIfGone(): void {
		if (this.#isGone) queueMicrotask(() => this.reportClosed());
	}

	/** Cuts it when the client has not ended its side in time. */
	protected cutLater(): void {
		this.timer?.cancel();
		if (this.#isClosed) return;
		this.timer = this.settings.clock.schedule(this.settings.closeTimeoutMs, () => this.abort());
	}

	protected interrupted(): void {
		this.#call("interrupted", () => this.#listener?.interrupted?.());
	}

	protected resumed(): void {
		this.#isGone = false;
		this.#call("resumed", () => this.#listener?.resumed?.());
	}

	protected reportClosed(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.end();
		this.timer?.cancel();
		this.timer = undefined;
		this.settings.open.delete(this.connectionId);
		this.#call("closed", () => this.#listener?.closed(this.#error));
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
			if (chunk) {
				this.#heldBytes -= chunk.length + CHUNK_BYTES;
				this.#deliver(chunk);
			} else {
				this.#held = undefined;
			}
		}
		if (this.#isGone && !this.#held) this.reportClosed();
	}

	#call(name: string, call: () => void): void {
		try {
			call();
		} catch (error) {
			this.#listenerFailed(name, error);
		}
	}

	#listenerFailed(call: string, error: unknown): void {
		const { connectionId } = this;
		this.settings.log.error(
			{ connectionId, call, error: messageOf(error) },
			"The listener of a connection threw.",
		);
		this.fail(new TrunklineError("ERR_TRANSPORT", `The listener's ${call} threw.`, { cause: error }));
		if (!this.#isClosed) this.abort();
	}
}
