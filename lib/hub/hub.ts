import type { Server } from "node:http";
import type Koa from "koa";
import type { Clock, Log } from "../base/index.js";
import type { ErrorCode } from "../errors/index.js";
import {
	type CloseMessage,
	excerpt,
	type HubMessage,
	type HubProtocol,
	jsonProtocol,
	MessageType,
	messagePackProtocol,
} from "../protocols/index.js";
import { type Connection, DEFAULT_MAX_FRAME_BYTES, Endpoint } from "../transports/index.js";
import type { Acceptor } from "./acceptor.js";
import { ChannelWire } from "./channel/channel-wire.js";
import { Heartbeat } from "./channel/heartbeat.js";
import { type ChannelHandler, type ChannelHost, MessageChannel } from "./channel/message-channel.js";
import {
	ClientConnection,
	type ClientHost,
	type ClientIdentity,
	type DisconnectReason,
} from "./clients/client-connection.js";
import { type ClientMethods, Groups, HubClients } from "./clients/client-proxy.js";
import type { ClientWire } from "./clients/client-wire.js";
import type { Lifetime } from "./clients/lifetime.js";
import { MemoryLifetime } from "./clients/memory-lifetime.js";
import { Counters } from "./counters.js";
import { Dispatcher } from "./dispatch/dispatcher.js";
import { closeText } from "./dispatch/failure-text.js";
import { ConnectionContext } from "./dispatch/invocation-context.js";
import type { HubMethods } from "./dispatch/method.js";
import type { HubExtension, Middleware } from "./dispatch/middleware.js";
import { Listeners, settledWithin } from "./listeners.js";
import { attach } from "./mount.js";
import { type HubOptions, type ResolvedHubOptions, resolveHubOptions } from "./options.js";

/** Longest reason of an event, in characters; an app server's refusal may quote what a client sent. */
const MAX_REASON_LENGTH = 500;

/**
 * A message that could not be delivered. Each is one event and one count, so that sent = delivered + reported. Longer
 * names and ids are cut to 100 characters.
 */
export interface UndeliverableEvent {
	readonly code: ErrorCode;
	/** Connection id of the client that sent it, or that it was for. */
	readonly client?: string | undefined;
	readonly target?: string | undefined;
	readonly vmId?: string | undefined;
	/** What happened, in a sentence. */
	readonly reason: string;
}

/** A listener that may be async: the hub waits for it. */
export type HubListener<Args extends readonly unknown[]> = (...args: Args) => unknown;

/** The events of a hub and what their listeners get. */
export interface HubEvents<Client extends object = ClientMethods> {
	/** A client is there; its first message waits for the listeners. A listener that throws refuses the client. */
	connected: [ctx: ConnectionContext<Client>];
	/** A client is gone; its groups are still known. */
	disconnected: [ctx: ConnectionContext<Client>, reason: DisconnectReason];
	undeliverable: [event: UndeliverableEvent];
}

/** Where a hub is mounted in an application that exists already. */
export interface MountOptions {
	/** The server whose upgrades and requests of the path are the hub's; those of other paths are left alone. */
	readonly server: Server;
	/**
	 * The Koa application on that server. Requests of the hub's path do not pass its other middleware (upgrades never
	 * do), wherever it was put on the server: before or after.
	 */
	readonly app?: Koa | undefined;
	/** The hub's path, such as `/chat`. */
	readonly path: string;
}

interface MountedEndpoint {
	readonly path: string;
	readonly endpoint: Endpoint;
}

const SHUTDOWN: CloseMessage = { type: MessageType.Close, allowReconnect: true };
/** A token that several endpoints or servers accept can be used once at each; an id names one client all the same. */
const ID_TAKEN: CloseMessage = { type: MessageType.Close, error: "Connection closed with an error." };

const PROTOCOLS: ReadonlyMap<string, HubProtocol> = new Map([
	[jsonProtocol.name, jsonProtocol],
	[messagePackProtocol.name, messagePackProtocol],
]);

/** A SignalR hub: clients, the methods they can call, and what stands between. Made by `createHub`. */
export class Hub<Client extends object = ClientMethods> {
	readonly options: ResolvedHubOptions;
	/** Every way to send to clients from outside of an invocation. */
	readonly clients: HubClients<Client>;
	readonly groups: Groups;
	readonly counters: Counters = new Counters();
	readonly lifetime: Lifetime;
	readonly #dispatcher: Dispatcher;
	readonly #extensions: HubExtension[] = [];
	readonly #acceptors: Acceptor[] = [];
	readonly #endpoints: MountedEndpoint[] = [];
	readonly #channels = new Set<MessageChannel>();
	readonly #listeners = new Listeners<HubEvents<Client>>();
	readonly #channelHost: ChannelHost;
	readonly #clientHost: ClientHost;
	#closed: Promise<void> | undefined;

	constructor(options: HubOptions, methods: HubMethods<never>) {
		this.options = resolveHubOptions(options);
		this.lifetime = new MemoryLifetime(this.options.maxGroupsPerConnection);
		this.clients = new HubClients(this.lifetime);
		this.groups = new Groups(this.lifetime);
		this.#dispatcher = new Dispatcher(this.#untyped, methods);
		this.#channelHost = this.#makeChannelHost();
		this.#clientHost = this.#makeClientHost();
	}

	/** Name of this process in connection tokens. */
	get serverId(): string {
		return this.options.serverId;
	}

	get log(): Log {
		return this.options.log;
	}

	get clock(): Clock {
		return this.options.clock;
	}

	/** False while an extension is not ready for traffic. */
	get ready(): boolean {
		return this.#extensions.every((extension) => extension.ready?.() ?? true);
	}

	get isClosing(): boolean {
		return this.#closed !== undefined;
	}

	/** Adds a middleware, or an extension such as `useForwarding`, behind those that are there. */
	use(extension: Middleware | HubExtension): this {
		if (typeof extension === "function") {
			this.#dispatcher.use(extension);
			return this;
		}
		this.#extensions.push(extension);
		const middleware = extension.install(this.#untyped);
		if (middleware) this.#dispatcher.use(middleware);
		for (const path of this.paths) extension.mounted?.(path);
		return this;
	}

	/** Adds an acceptor for connections that are no clients. */
	accept(acceptor: Acceptor): this {
		this.#acceptors.push(acceptor);
		return this;
	}

	on<Name extends keyof HubEvents<Client>>(name: Name, listener: HubListener<HubEvents<Client>[Name]>): this {
		this.#listeners.add(name, listener);
		return this;
	}

	off<Name extends keyof HubEvents<Client>>(
		name: Name,
		listener: HubListener<HubEvents<Client>[Name]>,
	): this {
		this.#listeners.remove(name, listener);
		return this;
	}

	/** Takes a client whose messages come over `wire`, and runs the connected listeners. */
	open(identity: ClientIdentity, wire: ClientWire): ClientConnection {
		const client = new ClientConnection(identity, wire, this.#clientHost);
		this.counters.add("connects");
		this.lifetime.add(client);
		void client.open();
		return client;
	}

	/** Counts and publishes a message that could not be delivered. */
	report(undeliverable: UndeliverableEvent): void {
		const event = shortened(undeliverable);
		this.counters.add("undeliverable");
		this.counters.add(`undeliverable.${event.code}`);
		this.log.warn({ ...event }, "A message could not be delivered.");
		void this.#listeners.runAll("undeliverable", [event], (cause) =>
			this.log.error({ err: cause }, "An undeliverable listener failed."),
		);
	}

	/**
	 * Answers this hub's path in an existing application, and leaves everything else alone.
	 * @throws TrunklineError ERR_OPTION where the path is none.
	 */
	mount(options: MountOptions): this {
		const endpoint = this.endpoint(options.path);
		attach(endpoint, options);
		return this;
	}

	/** The hub's end of a path, for servers that route requests themselves. */
	endpoint(path: string): Endpoint {
		const { authenticate, allowedOrigins, trustProxy, tokenSecrets, maxBufferedBytes, maxConnections } =
			this.options;
		const { serverId, log, clock, maxMessageBytes } = this.options;
		// A client may send its largest message in one frame; so may the peers of an extension.
		const frames = this.#extensions.map((extension) => extension.maxFrameBytes ?? 0);
		const maxFrameBytes = Math.max(DEFAULT_MAX_FRAME_BYTES, maxMessageBytes, ...frames);
		const endpoint = new Endpoint({
			...{ path, serverId, log, clock, authenticate, allowedOrigins, trustProxy, tokenSecrets },
			maxFrameBytes: maxFrameBytes === Number.POSITIVE_INFINITY ? null : maxFrameBytes,
			...{ maxBufferedBytes, maxConnections, onConnection: (connection) => this.#onConnection(connection) },
		});
		this.#endpoints.push({ path, endpoint });
		for (const extension of this.#extensions) extension.mounted?.(path);
		return endpoint;
	}

	/** The paths that this hub answers. */
	get paths(): readonly string[] {
		return [...new Set(this.#endpoints.map(({ path }) => path))];
	}

	/**
	 * Takes no more connections, ends all with `allowReconnect`, and closes the extensions. Disconnected listeners are
	 * waited for, each client's for `listenerTimeoutMs` at most. Later calls return the same promise.
	 */
	close(): Promise<void> {
		this.#closed ??= Promise.resolve().then(() => this.#close());
		return this.#closed;
	}

	async #close(): Promise<void> {
		for (const { endpoint } of this.#endpoints) endpoint.close();
		const clients = [...this.lifetime];
		for (const client of clients) client.close(undefined, true);
		await Promise.all(clients.map((client) => client.ended({ kind: "closed" })));
		for (const channel of [...this.#channels]) channel.close(SHUTDOWN);
		await Promise.all(this.#extensions.map((extension) => extension.close?.()));
	}

	/** Rooms that do not know the client's methods see the hub without them. */
	get #untyped(): Hub {
		return this as unknown as Hub;
	}

	#onConnection(connection: Connection): void {
		const channel = new MessageChannel(connection, this.#channelHost);
		this.#channels.add(channel);
	}

	#makeChannelHost(): ChannelHost {
		const { clock, log, handshakeTimeoutMs, keepAliveIntervalMs, clientTimeoutMs } = this.options;
		const shortest = Math.min(handshakeTimeoutMs, keepAliveIntervalMs, clientTimeoutMs);
		return {
			...{ clock, log, handshakeTimeoutMs, keepAliveIntervalMs, clientTimeoutMs },
			maxMessageBytes: this.options.maxMessageBytes,
			detailedErrors: this.options.detailedErrors,
			heartbeat: new Heartbeat(clock, shortest),
			refusal: (channel) => this.#refusal(channel),
			protocol: (name, channel) => this.#protocolFor(name, channel),
			shaken: (channel) => this.#shaken(channel),
			closed: (channel) => void this.#channels.delete(channel),
		};
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
		if (this.isClosing) return turnAway(channel, SHUTDOWN);
		for (const acceptor of this.#acceptors) {
			const handler = acceptor.handshake?.(channel);
			if (handler) return handler;
		}
		return this.#openClient(channel);
	}

	#openClient(channel: MessageChannel): ChannelHandler {
		const { connectionId, request, user, protocol } = channel;
		if (this.lifetime.get(connectionId)) return turnAway(channel, ID_TAKEN);
		const identity = { connectionId, request, user, transport: channel.connection.transport };
		const wire = new ChannelWire(channel);
		const client = this.open({ ...identity, protocolName: protocol?.name ?? "" }, wire);
		return {
			message: (message) => {
				const claimed = this.#claim(client, wire, channel, message);
				return claimed ? claimed.message(message) : client.receive(message);
			},
			closed: (reason) => void client.ended(reason),
		};
	}

	/** Gives a channel away whose peer turns out to be no client. */
	#claim(
		client: ClientConnection,
		wire: ChannelWire,
		channel: MessageChannel,
		message: HubMessage,
	): ChannelHandler | undefined {
		if (message.type !== MessageType.Invocation || this.#acceptors.length === 0) return undefined;
		const target = message.target.toLowerCase();
		for (const acceptor of this.#acceptors) {
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

	#makeClientHost(): ClientHost {
		return {
			maximumParallelInvocations: this.options.maximumParallelInvocations,
			dispatch: (client, message) => this.#dispatcher.dispatch(client, message),
			connected: (client) => this.#listeners.run("connected", [new ConnectionContext(this, client)]),
			settled: (listeners) => this.#settled(listeners),
			disconnected: (client, reason) => this.#disconnected(client, reason),
			refused: (client, cause, isLate) => this.#refused(client, cause, isLate),
		};
	}

	/** Waits for listeners, so long as one that never settles keeps nothing of its client for ever. */
	async #settled(listeners: Promise<unknown>): Promise<void> {
		const { clock, listenerTimeoutMs, log } = this.options;
		if (await settledWithin(clock, listenerTimeoutMs, listeners)) return;
		log.error({ listenerTimeoutMs }, "A listener has not settled; its client is forgotten without it.");
	}

	async #disconnected(client: ClientConnection, reason: DisconnectReason): Promise<void> {
		this.counters.add("disconnects");
		const ctx = new ConnectionContext(this, client);
		const { connectionId } = client;
		await this.#settled(
			this.#listeners.runAll("disconnected", [ctx, reason], (cause) =>
				this.log.error({ err: cause, connectionId }, "A disconnected listener failed."),
			),
		);
		this.lifetime.remove(client);
	}

	#refused(client: ClientConnection, cause: unknown, isLate: boolean): CloseMessage {
		this.log.warn(
			{ err: cause, connectionId: client.connectionId },
			"A connected listener refused the client.",
		);
		if (!isLate) this.counters.add("refusals");
		this.lifetime.remove(client);
		return { type: MessageType.Close, error: closeText(cause, this.options.detailedErrors) };
	}
}

/** The texts in an event may be a client's, of any length, and whoever hears of it may keep them. */
function shortened(event: UndeliverableEvent): UndeliverableEvent {
	const { code, client, target, vmId, reason } = event;
	return {
		code,
		...(client === undefined ? {} : { client: excerpt(client) }),
		...(target === undefined ? {} : { target: excerpt(target) }),
		...(vmId === undefined ? {} : { vmId: excerpt(vmId) }),
		reason: reason.length > MAX_REASON_LENGTH ? `${reason.slice(0, MAX_REASON_LENGTH - 1)}…` : reason,
	};
}

/** Ends a connection before it is anybody's. */
function turnAway(channel: MessageChannel, message: CloseMessage): ChannelHandler {
	channel.close(message);
	return { message: () => undefined, closed: () => {} };
}
