import type { LinkAck } from "../wire/acks.js";
import type { LinkPort } from "./terms.js";
import { Transmissions } from "./transmissions.js";

/** One incarnation of a link, as its session counts on it. */
export class SessionLink {
	readonly port: LinkPort;
	readonly transmissions: Transmissions = new Transmissions();
	/** False once it was closed, lost or replaced. */
	isUp = true;
	/** DATA segments that came on it, doubles included. */
	received = 0;
	/** When it began to acknowledge nothing while others did; undefined while it does. */
	suspectSince: number | undefined = undefined;
	/** When the peer last counted something on it, or when it was added. */
	countedAt: number;
	/** Place of the first transmission that was not looked at for a copy: each is copied once at most. */
	looked = 0;
	#ack: LinkAck | undefined;

	constructor(port: LinkPort, now: number) {
		this.port = port;
		this.countedAt = now;
	}

	get isSuspect(): boolean {
		return this.suspectSince !== undefined;
	}

	/** What the peer is told of it; the same object until something comes. */
	get ack(): LinkAck {
		if (this.#ack?.received !== this.received) {
			const { link, incarnation } = this.port;
			this.#ack = { link, incarnation, received: this.received };
		}
		return this.#ack;
	}
}
