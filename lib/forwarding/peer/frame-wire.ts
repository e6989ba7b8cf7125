import { type Deferred, deferred, isWellFormed } from "../../base/index.js";
import type { ClientWire, PreparedMessage, PushedItem, RetainedCall } from "../../hub/index.js";
import {
	type ArgumentEncoding,
	type CloseMessage,
	encodeRawMessage,
	encodingOf,
	type HubProtocol,
	jsonProtocol,
	MessageType,
	messagePackProtocol,
} from "../../protocols/index.js";
import { MAX_NAME_BYTES, type StateMark } from "../wire/index.js";
import type { ProxySession } from "./proxy-session.js";

/** Bytes of items that are sent to one client before its proxy has had the former ones. */
const ITEM_BYTES = 64 * 1_024;

/** What a client speaks, by the name that its proxy gives. */
export function protocolOf(name: ArgumentEncoding): HubProtocol {
	return name === "messagepack" ? messagePackProtocol : jsonProtocol;
}

/** The wire of a client that a proxy holds: records cross to that proxy, in the client's own protocol. */
export class FrameWire implements ClientWire {
	readonly carrier: ProxySession;
	readonly number: number;
	readonly protocol: HubProtocol;
	#isClosed = false;
	#paused: Deferred<void> | undefined;
	/** Resolved when the proxy has had the items that were sent, and its PAUSE would have come. */
	#unheard: Deferred<void> | undefined;
	#itemBytes = 0;
	/** Bytes that were written while the session had no room, and the time without room that they are of. */
	#waitingBytes = 0;
	#shortage = 0;

	constructor(carrier: ProxySession, number: number, protocol: HubProtocol) {
		this.carrier = carrier;
		this.number = number;
		this.protocol = protocol;
	}

	get isClosed(): boolean {
		return this.#isClosed;
	}

	/** What crosses is bounded by the session's window: nothing that can be left out is to wait for it. */
	get isSlow(): boolean {
		return !this.#isClosed && this.carrier.stream.isFull;
	}

	send(message: PreparedMessage): void {
		if (this.#isClosed) return;
		const record = message.bytesFor(this.protocol);
		if (this.carrier.stream.isFull && !this.#mayWait(record.length)) {
			this.#giveUp();
			return;
		}
		this.carrier.stream.write({
			type: "record",
			client: this.number,
			messageType: message.type,
			invocationId: message.invocationId,
			state: stateMarkOf(message),
			record,
		});
		if (message.type === MessageType.StreamItem) this.#sentItem(record.length);
	}

	/** What waits for one client is bounded as it is where it has a socket of its own: others share the session. */
	#mayWait(bytes: number): boolean {
		const { shortages, maxBufferedBytes } = this.carrier;
		if (this.#shortage !== shortages) {
			this.#shortage = shortages;
			this.#waitingBytes = 0;
		}
		if (this.#waitingBytes > maxBufferedBytes) return false;
		this.#waitingBytes += bytes;
		return true;
	}

	/** Nothing more is sent to it. Whoever sends just now may be in the midst of many: it ends behind that. */
	#giveUp(): void {
		this.cut();
		queueMicrotask(() => this.carrier.giveUp(this.number));
	}

	/** After some items the proxy is to have its say: it alone sees whether its client reads them. */
	#sentItem(bytes: number): void {
		this.#itemBytes += bytes;
		if (this.#itemBytes < ITEM_BYTES || this.#unheard) return;
		this.#itemBytes = 0;
		const unheard = deferred();
		this.#unheard = unheard;
		this.carrier.stream.whenHandled(() => {
			this.#unheard = undefined;
			unheard.resolve();
		});
	}

	writable(): Promise<void> | undefined {
		if (this.#isClosed) return undefined;
		return (this.#paused ?? this.#unheard)?.promise ?? this.carrier.writable();
	}

	/** Its client reads slowly: what can wait is to wait for {@link resume}. */
	pause(): void {
		if (!this.#isClosed) this.#paused ??= deferred();
	}

	resume(): void {
		this.#paused?.resolve();
		this.#paused = undefined;
	}

	close(message: CloseMessage): void {
		if (this.#isClosed) return;
		this.cut();
		this.carrier.closing(this.number, message);
	}

	/** The other end is gone: nothing is to be sent any more. */
	cut(): void {
		this.#isClosed = true;
		this.resume();
		this.#unheard?.resolve();
	}

	retain(key: string, { target, arguments: args }: RetainedCall): void {
		if (this.#isClosed) return;
		const message = { type: MessageType.Invocation, target, arguments: args } as const;
		const raw = encodeRawMessage(message, encodingOf(this.protocol.name));
		if (raw.type === MessageType.Invocation) this.carrier.retain(this.number, key, raw);
	}

	forget(key: string): void {
		if (!this.#isClosed) this.carrier.forget(this.number, key);
	}

	pushItem({ name, value }: PushedItem): void {
		if (this.#isClosed) return;
		if (this.carrier.stream.isFull && !this.#mayWait(name.length + (value?.length ?? 0))) this.#giveUp();
		else this.carrier.stream.write({ type: "itemDown", client: this.number, name, value });
	}
}

/** What the proxy has to know to leave a message out; it is an event where the key does not fit. */
export function stateMarkOf({ delivery }: PreparedMessage): StateMark | undefined {
	if (delivery.kind === "event") return undefined;
	return isName(delivery.key) ? delivery : undefined;
}

/** Whether a text can cross as the name of a group, or the key of something. */
export function isName(text: string): boolean {
	return Buffer.byteLength(text) <= MAX_NAME_BYTES && isWellFormed(text);
}
