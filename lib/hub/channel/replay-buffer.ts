import { TrunklineError } from "../../errors/index.js";
import { KeptMessages } from "./kept-messages.js";

/** Bounds of a {@link ReplayBuffer}. */
export interface ReplayLimits {
	/** Unacknowledged bytes from which senders who can wait should. */
	readonly softBytes: number;
	/** Unacknowledged bytes that are kept; what is older is forgotten. */
	readonly maxBytes: number;
}

/**
 * What stateful reconnect knows of one connection (SignalR's HubProtocol.md, "Ack" and "Sequence"). Messages of types 1
 * to 5 are numbered from 1 in each direction and never anew. Outgoing ones are kept until they are acknowledged, so that
 * another socket can begin where the client lost the last one; incoming ones that the client repeats are known.
 */
export class ReplayBuffer {
	readonly #limits: ReplayLimits;
	readonly #kept = new KeptMessages();
	/** Number of the last message that was sent. */
	#sentId = 0;
	/** Number of the last message that the client acknowledged. */
	#ackedId = 0;
	/** Number of the last message that came, repeated ones apart. */
	#receivedId = 0;
	/** Number of the last message on the present socket: behind {@link #receivedId} while the client repeats. */
	#currentId = 0;
	#acknowledgedId = 0;
	#unacknowledgedBytes = 0;
	#awaitsSequence = false;

	constructor(limits: ReplayLimits) {
		this.#limits = limits;
	}

	/** More is unacknowledged than should be, by a sender who can wait. */
	get isFull(): boolean {
		return this.#kept.size >= this.#limits.softBytes;
	}

	/** Bytes that are kept. */
	get keptBytes(): number {
		return this.#kept.size;
	}

	/** Whether all that is unacknowledged is kept: only then can another socket go on. */
	get isWhole(): boolean {
		return this.#kept.length === this.#sentId - this.#ackedId;
	}

	/** Number of the first message that a new socket begins with. */
	get firstId(): number {
		return this.#sentId - this.#kept.length + 1;
	}

	/** The messages from {@link firstId} on, as bytes in pieces of one or more. */
	get kept(): Iterable<Buffer> {
		return this.#kept.pieces();
	}

	/** A numbered message is sent. */
	sent(bytes: Buffer): void {
		this.#sentId++;
		this.#kept.push(bytes);
		while (this.#kept.size > this.#limits.maxBytes) this.#kept.shift();
	}

	/** The client has everything up to `sequenceId`. @throws TrunklineError ERR_PROTOCOL for a number that was never sent */
	acknowledge(sequenceId: number): void {
		if (sequenceId > this.#sentId) {
			throw protocolError(`acknowledged message ${sequenceId}; ${this.#sentId} were sent`);
		}
		if (sequenceId <= this.#ackedId) return;
		const surplus = sequenceId - this.firstId + 1;
		for (let at = 0; at < surplus; at++) this.#kept.shift();
		this.#ackedId = sequenceId;
	}

	/** Another socket: the client says first where it begins. */
	resume(): void {
		this.#awaitsSequence = true;
	}

	/** The client's next message has this number. @throws TrunklineError ERR_PROTOCOL where messages would be missing */
	sequence(sequenceId: number): void {
		if (sequenceId < 1 || sequenceId > this.#receivedId + 1) {
			throw protocolError(`goes on with message ${sequenceId}; the last one was ${this.#receivedId}`);
		}
		this.#currentId = sequenceId - 1;
		this.#awaitsSequence = false;
	}

	/**
	 * A numbered message of `bytes` has come.
	 * @returns false for one that came before, over an earlier socket
	 * @throws TrunklineError ERR_PROTOCOL where its number is not known
	 */
	received(bytes: number): boolean {
		if (this.#awaitsSequence) throw protocolError("sent a message before its Sequence");
		this.#currentId++;
		if (this.#currentId <= this.#receivedId) return false;
		this.#receivedId = this.#currentId;
		this.#unacknowledgedBytes += bytes;
		return true;
	}

	/** Whether the client has sent so much since the last Ack that it should not wait for the next. */
	get isAckUrgent(): boolean {
		return this.#unacknowledgedBytes * 4 >= this.#limits.softBytes;
	}

	/** The number to acknowledge, where it has moved. */
	takeAck(): number | undefined {
		if (this.#acknowledgedId === this.#receivedId) return undefined;
		this.#acknowledgedId = this.#receivedId;
		this.#unacknowledgedBytes = 0;
		return this.#receivedId;
	}
}

function protocolError(what: string): TrunklineError {
	return new TrunklineError("ERR_PROTOCOL", `The client ${what} (stateful reconnect).`);
}
