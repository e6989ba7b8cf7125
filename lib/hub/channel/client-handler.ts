import { type HubMessage, MessageType } from "../../protocols/index.js";
import type { Acceptor } from "../acceptor.js";
import type { ClientConnection, DisconnectReason } from "../clients/client-connection.js";
import type { ChannelHandler } from "./channel-host.js";
import type { ChannelWire } from "./channel-wire.js";
import type { MessageChannel } from "./message-channel.js";

/** Who is at the end of a channel, and who may take it away. */
export interface ClientHandlerParts {
	readonly client: ClientConnection;
	readonly wire: ChannelWire;
	readonly channel: MessageChannel;
	readonly acceptors: readonly Acceptor[];
}

/** Hands a channel's messages to its client, until an acceptor finds that it is none. */
export class ClientHandler implements ChannelHandler {
	readonly #parts: ClientHandlerParts;

	constructor(parts: ClientHandlerParts) {
		this.#parts = parts;
	}

	message(message: HubMessage): Promise<void> | undefined {
		const { acceptors, client } = this.#parts;
		const isCall = message.type === MessageType.Invocation;
		const claimed = isCall && acceptors.length > 0 ? this.#claim(message.target) : undefined;
		return claimed ? claimed.message(message) : client.receive(message);
	}

	closed(reason: DisconnectReason): void {
		void this.#parts.client.ended(reason);
	}

	/** Gives the channel away whose peer turns out to be no client. */
	#claim(called: string): ChannelHandler | undefined {
		const { acceptors, client, wire, channel } = this.#parts;
		const target = called.toLowerCase();
		for (const acceptor of acceptors) {
			if (acceptor.target?.toLowerCase() !== target) continue;
			const handler = acceptor.claim?.(client, channel);
			if (!handler) continue;
			wire.cut();
			void client.ended({ kind: "migrated" });
			channel.handOver(handler);
			return handler;
		}
		return undefined;
	}
}
