import type { CloseMessage, HubProtocol } from "../../protocols/index.js";
import type { ClientWire } from "../clients/client-wire.js";
import type { PreparedMessage } from "../clients/prepared-message.js";
import type { MessageChannel } from "./message-channel.js";

/** The wire of a client with a connection of its own. Cut, it leaves the channel to somebody else. */
export class ChannelWire implements ClientWire {
	readonly carrier = undefined;
	#channel: MessageChannel | undefined;

	constructor(channel: MessageChannel) {
		this.#channel = channel;
	}

	get protocol(): HubProtocol | undefined {
		return this.#channel?.protocol;
	}

	get isSlow(): boolean {
		return this.#channel?.isSlow === true;
	}

	get bufferedBytes(): number {
		return this.#channel?.connection.bufferedBytes ?? 0;
	}

	send(message: PreparedMessage): void {
		this.#channel?.send(message);
	}

	writable(): Promise<void> | undefined {
		return this.#channel?.writable();
	}

	close(message: CloseMessage): void {
		this.#channel?.close(message);
		this.#channel = undefined;
	}

	/** The channel has another owner from now on. */
	cut(): void {
		this.#channel = undefined;
	}
}
