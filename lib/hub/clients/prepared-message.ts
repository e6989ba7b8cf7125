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
	readonly #encoded = new Map<string, Encoded>();

	constructor(message: HubMessage, delivery: Delivery = EVENT) {
		this.message = message;
		this.delivery = delivery;
	}

	/**
	 * The message as `protocol` writes it, with framing.
	 * @throws TrunklineError ERR_SERIALIZATION for a value that cannot be written; the same each time.
	 */
	bytesFor(protocol: HubProtocol): Buffer {
		let encoded = this.#encoded.get(protocol.name);
		if (!encoded) {
			encoded = encode(protocol, this.message);
			this.#encoded.set(protocol.name, encoded);
		}
		if ("bytes" in encoded) return encoded.bytes;
		throw encoded.thrown;
	}
}

/** Bytes, or why there are none: a value that cannot be written is not tried again for each of many clients. */
type Encoded = { readonly bytes: Buffer } | { readonly thrown: unknown };

function encode(protocol: HubProtocol, message: HubMessage): Encoded {
	try {
		return { bytes: protocol.write(message) };
	} catch (thrown) {
		return { thrown };
	}
}
