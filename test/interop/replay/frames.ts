import {
	type HubMessage,
	type HubProtocol,
	jsonProtocol,
	MAX_HANDSHAKE_BYTES,
	MessageType,
	messagePackProtocol,
	type RecordSplitter,
	TextSplitter,
} from "../../../lib/protocols/index.js";

/** Whether a peer speaks text or binary frames. */
export type ProtocolName = "json" | "msgpack";

/** The hub protocol that a part of a trace's file name stands for. */
export function protocolOf(name: ProtocolName): HubProtocol {
	return name === "json" ? jsonProtocol : messagePackProtocol;
}

/** The handshake request of a client of this protocol. */
export function handshakeRequest(protocol: HubProtocol): Buffer {
	return Buffer.from(`${JSON.stringify({ protocol: protocol.name, version: 1 })}\u001e`);
}

/** Reads one direction of a connection, recorded or live: a handshake if there is one to come, then hub messages. */
export class FrameReader {
	readonly #protocol: HubProtocol;
	#splitter: RecordSplitter;
	#isShaken: boolean;

	constructor(protocol: HubProtocol, isShaken: boolean) {
		this.#protocol = protocol;
		this.#isShaken = isShaken;
		this.#splitter = isShaken ? protocol.createSplitter(Infinity) : new TextSplitter(MAX_HANDSHAKE_BYTES);
	}

	/** Whether the handshake has passed. */
	get isShaken(): boolean {
		return this.#isShaken;
	}

	/** The messages that are complete now, pings left out: both ends send them when they like. */
	push(bytes: Buffer): HubMessage[] {
		this.#splitter.push(bytes);
		if (!this.#isShaken && !this.#shake()) return [];
		const messages: HubMessage[] = [];
		for (let record = this.#splitter.next(); record; record = this.#splitter.next()) {
			const message = this.#protocol.parse(record);
			if (message && message.type !== MessageType.Ping) messages.push(message);
		}
		return messages;
	}

	#shake(): boolean {
		if (this.#splitter.next() === undefined) return false;
		const rest = this.#splitter.rest();
		this.#splitter = this.#protocol.createSplitter(Infinity);
		this.#splitter.push(rest);
		this.#isShaken = true;
		return true;
	}
}
