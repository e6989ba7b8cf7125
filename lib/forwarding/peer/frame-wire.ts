import type { ClientWire, PreparedMessage, RetainedCall } from "../../hub/index.js";
import {
	type CloseMessage,
	encodeRawMessage,
	type HubProtocol,
	jsonProtocol,
	MessageType,
	messagePackProtocol,
} from "../../protocols/index.js";
import type { ProxySession } from "./proxy-session.js";

/** What a client speaks, by the name that its proxy gives. */
export function protocolOf(name: "json" | "messagepack"): HubProtocol {
	return name === "messagepack" ? messagePackProtocol : jsonProtocol;
}

/** The wire of a client that a proxy holds: records cross to that proxy, in the client's own protocol. */
export class FrameWire implements ClientWire {
	readonly carrier: ProxySession;
	readonly number: number;
	readonly protocol: HubProtocol;
	#isClosed = false;

	constructor(carrier: ProxySession, number: number, protocol: HubProtocol) {
		this.carrier = carrier;
		this.number = number;
		this.protocol = protocol;
	}

	get isClosed(): boolean {
		return this.#isClosed;
	}

	send(message: PreparedMessage): void {
		if (this.#isClosed) return;
		this.carrier.stream.write({
			type: "record",
			client: this.number,
			messageType: message.type,
			invocationId: idOf(message),
			record: message.bytesFor(this.protocol),
		});
	}

	writable(): Promise<void> | undefined {
		return this.#isClosed ? undefined : this.carrier.writable();
	}

	close(message: CloseMessage): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.carrier.closing(this.number, message);
	}

	/** The other end is gone: nothing is to be sent any more. */
	cut(): void {
		this.#isClosed = true;
	}

	retain(key: string, { target, arguments: args }: RetainedCall): void {
		if (this.#isClosed) return;
		const encoding = this.protocol === jsonProtocol ? "json" : "messagepack";
		const raw = encodeRawMessage({ type: MessageType.Invocation, target, arguments: args }, encoding);
		if (raw.type === MessageType.Invocation) this.carrier.retain(this.number, key, raw);
	}

	forget(key: string): void {
		if (!this.#isClosed) this.carrier.forget(this.number, key);
	}
}

/** The call that a message is about; a message for the client itself has none. */
function idOf(message: PreparedMessage): string | undefined {
	const { type } = message;
	if (type !== MessageType.Invocation && type !== MessageType.StreamItem && type !== MessageType.Completion)
		return undefined;
	const read = message.message;
	return "invocationId" in read ? read.invocationId : undefined;
}
