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
	readonly #encoded = new Map<string, Buffer>();

	constructor(message: HubMessage, delivery: Delivery = EVENT) {
		this.message = message;
		this.delivery = delivery;
	}

	/** The message as `protocol` writes it, with framing. */
	bytesFor(protocol: HubProtocol): Buffer {
		let bytes = this.#encoded.get(protocol.name);
		if (!bytes) {
			bytes = protocol.write(this.message);
			this.#encoded.set(protocol.name, bytes);
		}
		return bytes;
	}
}
