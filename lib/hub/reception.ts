import { TrunklineError } from "../errors/index.js";
import {
	type CloseMessage,
	type HubProtocol,
	jsonProtocol,
	MessageType,
	messagePackProtocol,
} from "../protocols/index.js";
import { type Connection, DEFAULT_MAX_FRAME_BYTES, Endpoint } from "../transports/index.js";
import type { Acceptor } from "./acceptor.js";
import type { ChannelHandler, ChannelHost } from "./channel/channel-host.js";
import { ChannelWire } from "./channel/channel-wire.js";
import { ClientHandler } from "./channel/client-handler.js";
import { Heartbeat } from "./channel/heartbeat.js";
import { MessageChannel } from "./channel/message-channel.js";
import type { DisconnectReason } from "./clients/client-connection.js";
import type { Hub } from "./hub.js";

const SHUTDOWN: CloseMessage = { type: MessageType.Close, allowReconnect: true };
/** A token that several endpoints or servers accept can be used once at each; an id names one client all the same. */
const ID_TAKEN: CloseMessage = { type: MessageType.Close, error: "Connection closed with an error." };

const PROTOCOLS: ReadonlyMap<string, HubProtocol> = new Map([
	[jsonProtocol.name, jsonProtocol],
	[messagePackProtocol.name, messagePackProtocol],
]);

/** Receives a hub's connections: makes channels of them, and finds out whether a client or a link is at the other end. */
export class Reception {
	readonly #hub: Hub;
	readonly #acceptors: Acceptor[] = [];
	readonly #channels = new Set<MessageChannel>();
	/** Connections that were ended since the hub closes: their clients may take their time. */
	readonly #ending = new Set<Connection>();
	readonly #channelHost: ChannelHost;
	#wantsBytes = false;

	constructor(hub: Hub) {
		this.#hub = hub;
		this.#channelHost = this.#makeChannelHost();
	}

	accept(acceptor: Acceptor): void {
		this.#acceptors.push(acceptor);
	}

	/** Whether messages are read no further than they must be. */
	get wantsBytes(): boolean {
		return this.#wantsBytes;
	}

	/** Connections whose handshake comes from now on are read by `peek` where their protocol has it. */
	wantBytes(): void {
		this.#wantsBytes = true;
	}

	/** The hub's end of a path; `leastFrameBytes`: what one WebSocket frame must be able to hold. */
	endpoint(path: string, leastFrameBytes: number): Endpoint {
		const { serverId, log, clock, maxMessageBytes, transport } = this.#hub.options;
		// A client may send its largest message in one frame.
		const maxFrameBytes = Math.max(DEFAULT_MAX_FRAME_BYTES, maxMessageBytes, leastFrameBytes);
		return new Endpoint({
			...transport,
			...{ path, serverId, log, clock },
			maxFrameBytes: maxFrameBytes === Number.POSITIVE_INFINITY ? null : maxFrameBytes,
			exempts: (request) => this.#acceptors.some((acceptor) => acceptor.exempts?.(request) === true),
			onConnection: (connection) => this.#take(connection),
			onRefused: (status) => this.#hub.observation?.tell("connectRefused", { status }),
		});
	}

	/** Ends every channel, those of links too, in order and with `allowReconnect`. */
	close(): void {
		for (const channel of [...this.#channels]) channel.close(SHUTDOWN);
	}

	/** Cuts what was ended and may not be over yet. */
	cut(): void {
		for (const connection of this.#ending) connection.abort();
		this.#ending.clear();
	}

	#take(connection: Connection): void {
		this.#channels.add(new MessageChannel(connection, this.#channelHost));
	}

	#makeChannelHost(): ChannelHost {
		const { clock, log, handshakeTimeoutMs, keepAliveIntervalMs, clientTimeoutMs } = this.#hub.options;
		const shortest = Math.min(handshakeTimeoutMs, keepAliveIntervalMs, clientTimeoutMs);
		const wantsBytes = (): boolean => this.#wantsBytes;
		return {
			get wantsBytes() {
				return wantsBytes();
			},
			...{ clock, log, handshakeTimeoutMs, keepAliveIntervalMs, clientTimeoutMs },
			maxMessageBytes: this.#hub.options.maxMessageBytes,
			statefulReconnectBufferBytes: this.#hub.options.statefulReconnectBufferBytes,
			closeOnAuthenticationExpiration: this.#hub.options.closeOnAuthenticationExpiration,
			detailedErrors: this.#hub.options.detailedErrors,
			heartbeat: new Heartbeat(clock, shortest),
			refusal: (channel) => this.#refusal(channel),
			protocol: (name, channel) => this.#protocolFor(name, channel),
			shaken: (channel) => this.#shaken(channel),
			closed: (channel, reason) => this.#closed(channel, reason),
			detached: (channel) => this.#channels.delete(channel),
			watched: this.#hub,
		};
	}

	#closed(channel: MessageChannel, { error }: DisconnectReason): void {
		this.#channels.delete(channel);
		if (this.#hub.isClosing) this.#ending.add(channel.connection);
		const { observation } = this.#hub;
		if (!observation || channel.protocol) return;
		const code = error instanceof TrunklineError ? error.code : "ERR_HANDSHAKE";
		observation.tell("handshakeFailed", { transport: channel.connection.transport, code });
	}

	#refusal(channel: MessageChannel): string | undefined {
		for (const acceptor of this.#acceptors) {
			const error = acceptor.refuse?.(channel);
			if (error !== undefined) return error;
		}
		return undefined;
	}

	#protocolFor(name: string, channel: MessageChannel): HubProtocol | undefined {
		for (const acceptor of this.#acceptors) {
			const protocol = acceptor.protocol?.(name, channel);
			if (protocol) return protocol;
		}
		return PROTOCOLS.get(name.toLowerCase());
	}

	#shaken(channel: MessageChannel): ChannelHandler {
		if (this.#hub.isClosing) return turnAway(channel, SHUTDOWN);
		for (const acceptor of this.#acceptors) {
			const handler = acceptor.handshake?.(channel);
			if (handler) return handler;
		}
		return this.#openClient(channel);
	}

	#openClient(channel: MessageChannel): ChannelHandler {
		const { connectionId, request, user, protocol } = channel;
		if (this.#hub.lifetime.get(connectionId)) return turnAway(channel, ID_TAKEN);
		const { transport } = channel.connection;
		const wire = new ChannelWire(channel);
		const protocolName = protocol?.name ?? "";
		const client = this.#hub.open({ connectionId, request, user, transport, protocolName }, wire);
		return new ClientHandler({ client, wire, channel, acceptors: this.#acceptors });
	}
}

/** Ends a connection before it is anybody's. */
function turnAway(channel: MessageChannel, message: CloseMessage): ChannelHandler {
	channel.close(message);
	return { message: () => undefined, closed: () => {} };
}
