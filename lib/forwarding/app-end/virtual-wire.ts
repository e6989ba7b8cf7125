import { type ClientWire, type Hub, type MessageChannel, PreparedMessage } from "../../hub/index.js";
import { type CloseMessage, type CompletionMessage, MessageType } from "../../protocols/index.js";
import type { ProxyPeer } from "./proxy-peer.js";

/** An `Invoke` that waits for its answer: the link it came on, and its id there. */
export interface PendingInvoke {
	readonly channel: MessageChannel;
	readonly invocationId: string;
}

/** The wire of a client that a proxy holds: its messages cross to that proxy. */
export class VirtualWire implements ClientWire {
	readonly carrier: ProxyPeer;
	readonly #hub: Hub;
	readonly #connectionId: string;
	readonly #pending = new Map<string, PendingInvoke>();
	#nextId = 0;
	#isClosed = false;

	constructor(carrier: ProxyPeer, hub: Hub, connectionId: string) {
		this.carrier = carrier;
		this.#hub = hub;
		this.#connectionId = connectionId;
	}

	/** Remembers where an invocation's answer goes; returns the id by which the hub knows it. */
	expect(invoke: PendingInvoke): string {
		const id = String(this.#nextId++);
		this.#pending.set(id, invoke);
		return id;
	}

	send(message: PreparedMessage): void {
		if (message.message.type === MessageType.Completion) this.#complete(message.message);
		else if (!this.#isClosed) this.carrier.sendTo(this.#connectionId, message);
	}

	/** dotNetify's wire has no way to end a client at its proxy. */
	close(message: CloseMessage): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		if (this.#hub.isClosing || message.allowReconnect === undefined) return;
		this.#hub.report({
			code: "ERR_FORWARD_UNSUPPORTED",
			client: this.#connectionId,
			reason: "dotNetify's wire cannot end a forwarded client; it stays connected to its proxy.",
		});
	}

	/**
	 * Answers all that still waits, or the proxy would wait for ever: with null where the client itself is gone, else with
	 * `error`. A hub that is closing says nothing: the end of the link lets the proxy send again what it may.
	 */
	settle(error?: string): void {
		const pending = [...this.#pending.values()];
		this.#pending.clear();
		if (this.#hub.isClosing) return;
		const answer = error === undefined ? { hasResult: true, result: null } : { error };
		for (const { channel, invocationId } of pending) {
			channel.send(new PreparedMessage({ type: MessageType.Completion, invocationId, ...answer }));
		}
	}

	#complete(completion: CompletionMessage): void {
		const pending = this.#pending.get(completion.invocationId);
		if (!pending) return;
		this.#pending.delete(completion.invocationId);
		pending.channel.send(new PreparedMessage({ ...completion, invocationId: pending.invocationId }));
	}
}
