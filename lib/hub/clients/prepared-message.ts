import type { HubMessage, HubProtocol } from "../../protocols/index.js";

/**
 * How a message may be treated on its way. `state` is the newest value of something named by `key`: a newer one with
 * the same key may take its place. An `event` is delivered itself, or its client is closed.
 */
export type Delivery = { readonly kind: "event" } | { readonly kind: "state"; readonly key: string };

const EVENT: Delivery = { kind: "event" };

/** A message on its way to one or many clients, encoded once per protocol: the same bytes go to every socket. */
export class PreparedMessage {
	readonly message: HubMessage;
	readonly delivery: Delivery;
	/** Most messages are written for one protocol only. */
	#first: Encoded | undefined;
	#others: Map<string, Encoded> | undefined;

	constructor(message: HubMessage, delivery: Delivery = EVENT) {
		this.message = message;
		this.delivery = delivery;
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

	#encodedFor(protocol: HubProtocol): Encoded {
		this.#first ??= encode(protocol, this.message);
		if (this.#first.protocol === protocol.name) return this.#first;
		this.#others ??= new Map();
		let encoded = this.#others.get(protocol.name);
		if (!encoded) {
			encoded = encode(protocol, this.message);
			this.#others.set(protocol.name, encoded);
		}
		return encoded;
	}
}

/** Bytes, or why there are none: a value that cannot be written is not tried again for each of many clients. */
interface Encoded {
	readonly protocol: string;
	readonly bytes: Buffer | undefined;
	readonly thrown: unknown;
}

function encode(protocol: HubProtocol, message: HubMessage): Encoded {
	try {
		return { protocol: protocol.name, bytes: protocol.write(message), thrown: undefined };
	} catch (thrown) {
		return { protocol: protocol.name, bytes: undefined, thrown };
	}
}
