import type { HubMessage, HubProtocol, MessageType } from "../../protocols/index.js";

/**
 * How a message may be treated on its way. An `event` is delivered itself, or its client is closed. The others are about
 * something named by `key`, and may be left out for a client that reads too slowly:
 *
 * - `state` is its newest value; a newer one with the same key may take its place.
 * - `change` says what has changed of it. Where one is left out, so are those behind it, until the `whole` comes.
 * - `whole` is all of it, whatever the client has; those that are left out are asked for again (`StateSources`).
 */
export type Delivery =
	| { readonly kind: "event" }
	| { readonly kind: "state" | "change" | "whole"; readonly key: string };

const EVENT: Delivery = { kind: "event" };

/** A message as one hub protocol writes it. */
export interface Encoding {
	/** The protocol's name: `json`, `messagepack`. */
	readonly protocolName: string;
	/** With framing; kept, not copied: do not change them. */
	readonly bytes: Buffer;
}

/** What is known of a message that was written elsewhere, beside its bytes. */
export interface Unread {
	readonly type: MessageType;
	/** The call that it is about, where there is one. */
	readonly invocationId: string | undefined;
	/** Several messages of one type may stand one after another, all for one client that speaks their protocol. */
	readonly isJoined?: boolean;
	/** Reads the message; called once at most, where somebody looks into it or another protocol has to write it. */
	decode(): HubMessage;
}

/** A message that was written elsewhere, by one protocol. */
export interface WrittenMessage extends Unread, Encoding {}

/** A message that was written elsewhere, by several protocols. */
export interface EncodedMessage extends Unread {
	/** As each protocol writes it; none is fine. */
	readonly encodings: readonly Encoding[];
}

/** A message on its way to one or many clients, encoded once per protocol: the same bytes go to every socket. */
export class PreparedMessage {
	readonly delivery: Delivery;
	#source: HubMessage | Unread;
	/** Most messages are written for one protocol only. */
	#first: Encoded | undefined;
	#others: Map<string, Encoded> | undefined;

	constructor(message: HubMessage | Unread, delivery: Delivery = EVENT) {
		this.#source = message;
		this.delivery = delivery;
	}

	/** A message that exists as the bytes of one protocol: its clients get them as they are, others what they decode to. */
	static written(message: WrittenMessage, delivery?: Delivery): PreparedMessage {
		const prepared = new PreparedMessage(message, delivery);
		prepared.#first = found(message);
		return prepared;
	}

	/** A message that exists as the bytes of several protocols; see {@link written}. */
	static encodings(message: EncodedMessage, delivery?: Delivery): PreparedMessage {
		const prepared = new PreparedMessage(message, delivery);
		const [first, ...others] = message.encodings;
		if (first) prepared.#first = found(first);
		if (others.length > 0) prepared.#others = new Map(others.map((one) => [one.protocolName, found(one)]));
		return prepared;
	}

	/** The type of the message, without reading it. */
	get type(): MessageType {
		return this.#source.type;
	}

	/** The call that the message is about, without reading it; a message for the client itself has none. */
	get invocationId(): string | undefined {
		return "invocationId" in this.#source ? this.#source.invocationId : undefined;
	}

	/** Whether the bytes may be those of several messages; see {@link Unread.isJoined}. */
	get isJoined(): boolean {
		return "isJoined" in this.#source && this.#source.isJoined === true;
	}

	/** The message; one that was written elsewhere is read for it. @throws what its `decode` throws */
	get message(): HubMessage {
		if ("decode" in this.#source) this.#source = this.#source.decode();
		return this.#source;
	}

	/**
	 * The message as `protocol` writes it, with framing.
	 * @throws TrunklineError ERR_SERIALIZATION for a value that cannot be written; the same each time.
	 */
	bytesFor(protocol: HubProtocol): Buffer {
		const encoded = this.#encodedFor(protocol);
		if (encoded.bytes) return encoded.bytes;
		throw encoded.thrown;
	}

	/** This message where it may be kept for long: bytes that somebody else has written can be part of a large buffer. */
	kept(protocol: HubProtocol): PreparedMessage {
		if (!("decode" in this.#source)) return this;
		const bytes = Buffer.from(this.bytesFor(protocol));
		const { type, invocationId } = this;
		const decode = (): HubMessage => decodeRecord(protocol, bytes);
		const { name: protocolName } = protocol;
		return PreparedMessage.written({ type, invocationId, protocolName, bytes, decode }, this.delivery);
	}

	#encodedFor(protocol: HubProtocol): Encoded {
		this.#first ??= this.#encode(protocol);
		if (this.#first.protocolName === protocol.name) return this.#first;
		this.#others ??= new Map();
		let encoded = this.#others.get(protocol.name);
		if (!encoded) {
			encoded = this.#encode(protocol);
			this.#others.set(protocol.name, encoded);
		}
		return encoded;
	}

	#encode(protocol: HubProtocol): Encoded {
		try {
			return { protocolName: protocol.name, bytes: protocol.write(this.message), thrown: undefined };
		} catch (thrown) {
			return { protocolName: protocol.name, bytes: undefined, thrown };
		}
	}
}

/** Bytes, or why there are none: a value that cannot be written is not tried again for each of many clients. */
interface Encoded {
	readonly protocolName: string;
	readonly bytes: Buffer | undefined;
	readonly thrown: unknown;
}

/** The one message in bytes with framing. @throws TypeError where there is none */
export function decodeRecord(protocol: HubProtocol, bytes: Buffer): HubMessage {
	const splitter = protocol.createSplitter(Number.POSITIVE_INFINITY);
	splitter.push(bytes);
	const record = splitter.next();
	const message = record && protocol.parse(record);
	if (message && splitter.pendingBytes === 0) return message;
	throw new TypeError("A record that was written elsewhere does not hold one message.");
}

function found({ protocolName, bytes }: Encoding): Encoded {
	return { protocolName, bytes, thrown: undefined };
}
