import { TrunklineError } from "../../errors/index.js";
import { type HubMessage, MessageType } from "../../protocols/index.js";
import type { Connection } from "../../transports/index.js";
import { ReplayBuffer } from "./replay-buffer.js";

/** Types up to this one are numbered; handshake, Ping, Close, Ack and Sequence are not. */
export const LAST_NUMBERED: number = MessageType.CancelInvocation;

/** What {@link StatefulReconnect} needs of its channel. */
export interface ReconnectParts {
	readonly connection: Connection;
	/** Unacknowledged bytes from which senders who can wait should. */
	readonly softBytes: number;
	/** Sends a message of this protocol's own. */
	send(message: HubMessage): void;
	/** Sends a kept message again. */
	replay(bytes: Buffer): void;
	/** Some of what was kept is acknowledged. */
	freed(): void;
}

/** Stateful reconnect of one channel: up ⇄ interrupted, for as long as everything that may be asked for again is kept. */
export class StatefulReconnect {
	readonly #parts: ReconnectParts;
	readonly #buffer: ReplayBuffer;
	#isInterrupted = false;
	/** Why we have cut the connection, which does not know it. */
	#cutFor: TrunklineError | undefined;

	constructor(parts: ReconnectParts) {
		this.#parts = parts;
		const { softBytes } = parts;
		this.#buffer = new ReplayBuffer({
			softBytes,
			maxBytes: Math.max(softBytes, parts.connection.maxBufferedBytes),
		});
	}

	/** Without a socket; the client may come back. */
	get isInterrupted(): boolean {
		return this.#isInterrupted;
	}

	/** A sender who can wait should. */
	get isFull(): boolean {
		return this.#isInterrupted || this.#buffer.isFull;
	}

	/** So much is kept for a client without a socket that state should be left out. */
	get isSlow(): boolean {
		return this.#isInterrupted && this.#buffer.keptBytes >= this.#parts.connection.maxBufferedBytes / 4;
	}

	/** A numbered message is on its way: without a socket it is only here, and what does not fit is lost. */
	sent(bytes: Buffer): void {
		this.#buffer.sent(bytes);
		if (this.#isInterrupted && !this.#buffer.isWhole) {
			this.#cut("more was sent to it than maxBufferedBytes while it had no socket");
		}
	}

	/** Whether a message is for nobody else: Ack, Sequence, and what the client repeats. */
	takes(message: HubMessage, bytes: number): boolean {
		if (message.type === MessageType.Ack) {
			this.#buffer.acknowledge(message.sequenceId);
			this.#parts.freed();
			return true;
		}
		if (message.type === MessageType.Sequence) {
			this.#buffer.sequence(message.sequenceId);
			return true;
		}
		if (message.type > LAST_NUMBERED) return false;
		const isNew = this.#buffer.received(bytes);
		if (this.#buffer.isAckUrgent) this.acknowledge();
		return !isNew;
	}

	/** Tells the client what has come, where that has moved. */
	acknowledge(): void {
		const sequenceId = this.#buffer.takeAck();
		if (sequenceId !== undefined) this.#parts.send({ type: MessageType.Ack, sequenceId });
	}

	/** The socket is lost. */
	interrupted(): void {
		this.#isInterrupted = true;
		if (!this.#buffer.isWhole) {
			this.#cut("more than maxBufferedBytes was unacknowledged when its socket was lost");
		}
	}

	/** The client is back: first where we begin, then all that it may not have got, byte for byte. */
	resumed(): void {
		this.#isInterrupted = false;
		this.#buffer.resume();
		this.#parts.send({ type: MessageType.Sequence, sequenceId: this.#buffer.firstId });
		for (const bytes of this.#buffer.kept) this.#parts.replay(bytes);
	}

	/** Why the connection has ended, where we know better than it does. */
	lossOf(): TrunklineError | undefined {
		if (this.#cutFor || !this.#isInterrupted) return this.#cutFor;
		const what = "The client lost its socket and did not come back in time (disconnectTimeoutMs).";
		return new TrunklineError("ERR_CLIENT_TIMEOUT", what);
	}

	/** Ends it where nothing can be told; its owner hears of it later, never from inside of a send. */
	#cut(what: string): void {
		const { connection } = this.#parts;
		this.#cutFor ??= new TrunklineError(
			"ERR_SLOW_CLIENT",
			`Connection ${connection.connectionId} was ended: ${what}.`,
		);
		connection.abort();
	}
}
