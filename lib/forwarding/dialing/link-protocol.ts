import { type HubMessage, type IHubProtocol, MessageType, TransferFormat } from "@microsoft/signalr";
import { LINK_PROTOCOL, LINK_PROTOCOL_VERSION } from "../link/link-terms.js";

/** A segment without a body: its length, then its kind. SignalR's own Ping and Close become these (PROTOCOL.md, "Link"). */
const PING = Uint8Array.of(1, 0).buffer;

/**
 * The hub protocol of a native link, for SignalR's client: it knows nothing of the segments, it hands all bytes on. So
 * the connection's start, its handshake and its time-out are the stock client's.
 */
export class LinkProtocol implements IHubProtocol {
	readonly name: string = LINK_PROTOCOL;
	readonly version: number = LINK_PROTOCOL_VERSION;
	readonly transferFormat: TransferFormat = TransferFormat.Binary;
	readonly #bytes: (bytes: Buffer) => void;

	/** `bytes` gets what comes behind the handshake, cut anywhere. */
	constructor(bytes: (bytes: Buffer) => void) {
		this.#bytes = bytes;
	}

	/** Anything that comes counts as a sign of life; what it means is not SignalR's business. */
	parseMessages(input: string | ArrayBuffer): HubMessage[] {
		this.#bytes(typeof input === "string" ? Buffer.from(input) : bufferOf(input));
		return [];
	}

	/** The client writes a Ping now and then, and a Close at its end, which the BYE before it has said already. */
	writeMessage(message: HubMessage): ArrayBuffer {
		return message.type === MessageType.Ping || message.type === MessageType.Close
			? PING
			: new ArrayBuffer(0);
	}
}

/** A Buffer where the socket was told to give those, else an ArrayBuffer. */
function bufferOf(input: ArrayBuffer | Buffer): Buffer {
	return Buffer.isBuffer(input) ? input : Buffer.from(input);
}
