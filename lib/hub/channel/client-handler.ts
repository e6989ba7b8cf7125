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
	readonly #client: ClientConnection;
	readonly #wire: ChannelWire;
	readonly #channel: MessageChannel;
	readonly #acceptors: readonly Acceptor[];

	constructor({ client, wire, channel, acceptors }: ClientHandlerParts) {
		this.#client = client;
		this.#wire = wire;
		this.#channel = channel;
		this.#acceptors = acceptors;
	}

	message(message: HubMessage): Promise<void> | undefined {
		const isCall = message.type === MessageType.Invocation;
		const claimed = isCall && this.#acceptors.length > 0 ? this.#claim(message.target) : undefined;
		return claimed ? claimed.message(message) : this.#client.receive(message);
	}

	closed(reason: DisconnectReason): void {
		void this.#client.ended(reason);
	}

	/** Gives the channel away whose peer turns out to be no client. */
	#claim(called: string): ChannelHandler | undefined {
		const target = called.toLowerCase();
		for (const acceptor of this.#acceptors) {
			if (acceptor.target?.toLowerCase() !== target) continue;
			const handler = acceptor.claim?.(this.#client, this.#channel);
			if (!handler) continue;
			this.#wire.cut();
			void this.#client.ended({ kind: "migrated" });
			this.#channel.handOver(handler);
			return handler;
		}
		return undefined;
	}
}
