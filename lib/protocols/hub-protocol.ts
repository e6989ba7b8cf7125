import type { HubMessage } from "./hub-message.js";

/** What a transport must be able to carry. */
export type TransferFormat = "Text" | "Binary";

/**
 * Cuts a peer's byte stream into records. Bytes go in at any boundary (`push`), whole records come out (`next`): a
 * record may span pushes and a push may hold many records. "Not enough bytes yet" is `undefined`, never an error.
 */
export interface RecordSplitter {
	push(chunk: Buffer): void;
	/**
	 * The next whole record without its framing.
	 * @throws TrunklineError ERR_MESSAGE_TOO_LARGE as soon as the record at hand is known to exceed the limit;
	 * ERR_PROTOCOL when the framing is broken. Records before it have been returned by then.
	 */
	next(): Buffer | undefined;
	/** Bytes held that were not returned yet. */
	readonly pendingBytes: number;
	/** Takes all held bytes out (the rest of the stream after a handshake). */
	rest(): Buffer;
}

/** Bytes to values and back for one hub protocol. No I/O, no timers, no state between calls. */
export interface HubProtocol {
	/** The name in the handshake: `json`, `messagepack`, … */
	readonly name: string;
	readonly transferFormat: TransferFormat;
	/**
	 * A splitter for a peer's stream. `maxMessageBytes` counts a record with its framing (separator or length prefix);
	 * `Infinity` means no limit.
	 */
	createSplitter(maxMessageBytes: number): RecordSplitter;
	/**
	 * Reads one record without its framing; `undefined` for a message type that is not known, which is to be ignored.
	 * @throws TrunklineError ERR_PROTOCOL where the record breaks the protocol.
	 */
	parse(record: Buffer): HubMessage | undefined;
	/**
	 * Reads an invocation without decoding its arguments, which are decoded on first use: for those who only pass it on.
	 * `undefined` says nothing but that {@link parse} has to read this record. Absent: it always has to.
	 * @throws TrunklineError ERR_PROTOCOL where the record is known to break the protocol.
	 */
	peek?(record: Buffer): HubMessage | undefined;
	/**
	 * Writes one message with its framing.
	 * @throws TrunklineError ERR_SERIALIZATION for a value that cannot be written: one that refers to itself, throws
	 * when it is read, or does not fit the format.
	 */
	write(message: HubMessage): Buffer;
}
