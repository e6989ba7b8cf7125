import { type Clock, deferred, type Log } from "../base/index.js";
import {
	type AuthenticationTerms,
	type ConnectionRequest,
	type Endpoint,
	resolveEndpointOptions,
	type User,
} from "../transports/index.js";
import type { Acceptor } from "./acceptor.js";
import { authenticateForwarded } from "./auth/forwarded-authentication.js";
import { ClientConnection, type ClientIdentity } from "./clients/client-connection.js";
import type { ClientHost } from "./clients/client-host.js";
import { type ClientMethods, Groups, HubClients } from "./clients/client-proxy.js";
import type { ClientWire } from "./clients/client-wire.js";
import type { Lifetime } from "./clients/lifetime.js";
import { MemoryLifetime } from "./clients/memory-lifetime.js";
import { StateSources } from "./clients/state-sources.js";
import { Counters } from "./counters.js";
import { Dispatcher } from "./dispatch/dispatcher.js";
import { Explainer, type ExplainQuery, type Explanation } from "./dispatch/explanation.js";
import { checkedFilter, type HubFilter } from "./dispatch/filters.js";
import type { MethodTable } from "./dispatch/method-types.js";
import { type HubExtension, isExtension, type Middleware } from "./dispatch/middleware.js";
import type { ItemSink } from "./items/pushed-items.js";
import { ClientListeners } from "./listening/client-listeners.js";
import {
	checkListener,
	type HubEvents,
	type HubListener,
	shortened,
	type UndeliverableEvent,
} from "./listening/hub-events.js";
import { Listeners } from "./listening/listeners.js";
import { attach, checkServer, type MountOptions } from "./mount.js";
import type { LinkStatus } from "./observing/link-facts.js";
import { Observation } from "./observing/observation.js";
import type { HubObserver } from "./observing/observer.js";
import type { HubOptions } from "./options.js";
import { Reception } from "./reception.js";
import { type ResolvedHubOptions, resolveHubOptions } from "./settings.js";
import {
	type CloseOptions,
	DEFAULT_SHUTDOWN_TIMEOUT_MS,
	Deadline,
	spreadOption,
} from "./shutdown/deadline.js";
import { drain } from "./shutdown/drain.js";
import { ClientResults } from "./streams/client-results.js";

interface MountedEndpoint {
	readonly path: string;
	readonly endpoint: Endpoint;
}

/** A SignalR hub: clients, the methods they can call, and what stands between. Made by `createHub`. */
export class Hub<Client extends object = ClientMethods, Methods = unknown> {
	/** For the type system only: see `HubMethods`. */
	declare readonly methods?: Methods;
	readonly options: ResolvedHubOptions;
	/** Every way to send to clients from outside of an invocation. */
	readonly clients: HubClients<Client>;
	readonly groups: Groups;
	readonly counters: Counters = new Counters();
	readonly lifetime: Lifetime;
	/** Those who can send the whole of a state to clients that were too slow for its changes. */
	readonly stateSources: StateSources = new StateSources();
	/** Those who pass items on that were pushed. */
	readonly itemSinks: Set<ItemSink> = new Set();
	readonly #dispatcher: Dispatcher;
	readonly #extensions: HubExtension[] = [];
	readonly #endpoints: MountedEndpoint[] = [];
	readonly #listeners = new Listeners<HubEvents<Client>>();
	readonly #clientListeners: ClientListeners;
	readonly #reception: Reception;
	readonly #results: ClientResults;
	#observation: Observation | undefined;
	#terms: AuthenticationTerms | undefined;
	readonly #clientHost: ClientHost;
	readonly #explainer: Explainer;
	#deadline: Deadline | undefined;
	#closed: Promise<void> | undefined;

	constructor(options: HubOptions, methods: MethodTable<never>) {
		this.options = resolveHubOptions(options);
		this.#results = new ClientResults(this.options, this);
		this.lifetime = new MemoryLifetime(this.options.maxGroupsPerConnection, this.#results);
		this.clients = new HubClients(this.lifetime);
		this.groups = new Groups(this.lifetime);
		this.#dispatcher = new Dispatcher(this.#untyped, methods);
		this.#clientListeners = new ClientListeners(
			this.#untyped,
			this.#listeners as unknown as Listeners<HubEvents>,
		);
		this.#reception = new Reception(this.#untyped);
		this.#clientHost = this.#makeClientHost();
		this.#explainer = new Explainer(this.#untyped, this.#clientHost, this.#dispatcher);
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
		return this.#deadline !== undefined;
	}

	/**
	 * Adds a middleware, a filter, or an extension such as `useForwarding`, behind those that are there.
	 * @throws TrunklineError ERR_OPTION for what is none of them.
	 */
	use(filter: Middleware<Client> | HubFilter<Client>): this;
	use(extension: Middleware | HubFilter | HubExtension): this;
	use(added: unknown): this {
		if (typeof added === "function") this.#layer(added as Middleware, added.name);
		else if (isExtension(added)) this.#extend(added);
		else this.#filter(checkedFilter(added));
		return this;
	}

	/** Whether an extension passes messages on as they came, see {@link HubExtension.wantsBytes}. @internal */
	get wantsBytes(): boolean {
		return this.#reception.wantsBytes;
	}

	#filter(filter: HubFilter): void {
		if (filter.invocation) this.#layer(filter.invocation, filter.constructor?.name);
		this.#clientListeners.add(filter);
	}

	#layer(middleware: Middleware, name: string | undefined): void {
		this.#dispatcher.use(middleware);
		this.#explainer.add(name || "anonymous");
	}

	#extend(extension: HubExtension): void {
		this.#extensions.push(extension);
		if (extension.wantsBytes) this.#reception.wantBytes();
		const middleware = extension.install(this.#untyped);
		if (extension.take) this.#dispatcher.take((ctx) => extension.take?.(ctx) ?? false);
		if (middleware) this.#dispatcher.use(middleware);
		if (extension.explain) this.#explainer.add(extension);
		else if (middleware || extension.take) this.#explainer.add(extension.constructor?.name || "anonymous");
		for (const path of this.paths) extension.mounted?.(path);
	}

	/** Adds an acceptor for connections that are no clients. */
	accept(acceptor: Acceptor): this {
		this.#reception.accept(acceptor);
		return this;
	}

	/** Adds a listener behind those that are there; it is awaited. @throws TrunklineError ERR_OPTION for an event that is none. */
	on<Name extends keyof HubEvents<Client>>(name: Name, listener: HubListener<HubEvents<Client>[Name]>): this {
		checkListener(name, listener);
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

	/**
	 * Tells `observer` from now on what happens here, beside those that are there. A client's end is told where its
	 * beginning was. Returns what ends it.
	 */
	observe(observer: HubObserver): () => void {
		const observation = this.#observation ?? new Observation(this.log);
		this.#observation = observation;
		observation.add(observer);
		let isOver = false;
		return () => {
			if (isOver) return;
			isOver = true;
			observation.remove(observer);
			if (observation.size === 0 && this.#observation === observation) this.#observation = undefined;
		};
	}

	/** Those who observe; undefined where nobody does, so that nothing has to be measured. @internal */
	get observation(): Observation | undefined {
		return this.#observation;
	}

	/**
	 * Tells what would become of a call, and why: who takes it, or that it is handled here. Filters are asked as for a
	 * call; nothing is sent. @throws TrunklineError ERR_OPTION where neither a target nor a vmId is given.
	 */
	explain(query: ExplainQuery): Explanation {
		return this.#explainer.explain(query);
	}

	/** The links of this hub, as proxy and as app server, and what they carry now. */
	links(): readonly LinkStatus[] {
		return this.#extensions.flatMap((extension) => extension.links?.() ?? []);
	}

	/** Takes a client whose messages come over `wire`, and runs the connected listeners. */
	open(identity: ClientIdentity, wire: ClientWire): ClientConnection {
		const client = new ClientConnection(identity, wire, this.#clientHost);
		this.counters.add("connects");
		this.#clientListeners.opened(client);
		this.lifetime.add(client);
		void client.open();
		return client;
	}

	/**
	 * Who a client is that came through a proxy: the hub's own `authenticate` and `authorize`, with the results that they
	 * have at an endpoint of this hub.
	 * @throws (rejects) TrunklineError ERR_AUTHENTICATION where it is refused (an endpoint answers 401 or 403);
	 * ERR_AUTHENTICATION_UNAVAILABLE where nobody can tell now (503)
	 */
	authenticateForwarded(request: ConnectionRequest): Promise<User | undefined> {
		const { transport, serverId, log, clock } = this.options;
		const path = { path: "/", onConnection: () => {} };
		this.#terms ??= resolveEndpointOptions({ ...transport, ...path, serverId, log, clock });
		return authenticateForwarded(request, this.#terms);
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
	 * @throws TrunklineError ERR_OPTION where the path, or the server, is none.
	 */
	mount(options: MountOptions): this {
		checkServer(options?.server);
		const endpoint = this.endpoint(options.path);
		attach(endpoint, options);
		return this;
	}

	/** The hub's end of a path, for servers that route requests themselves. */
	endpoint(path: string): Endpoint {
		const frames = this.#extensions.map((extension) => extension.maxFrameBytes ?? 0);
		const endpoint = this.#reception.endpoint(path, Math.max(0, ...frames));
		this.#endpoints.push({ path, endpoint });
		for (const extension of this.#extensions) extension.mounted?.(path);
		return endpoint;
	}

	/** The paths that this hub answers. */
	get paths(): readonly string[] {
		return [...new Set(this.#endpoints.map(({ path }) => path))];
	}

	/**
	 * Takes no more connections and no more calls, and ends every client with `allowReconnect`: at once, or as soon as its
	 * calls are answered; one after another over `spreadMs`, where that is given. After `timeoutMs`, or when `signal` is aborted, the rest is cut. Then it closes the extensions.
	 * Disconnected listeners are waited for, a second longer at most. Later calls return the same promise; they can
	 * draw the end nearer. Never rejects but for bad options.
	 * @throws (rejects) TrunklineError ERR_OPTION
	 */
	close(options: CloseOptions = {}): Promise<void> {
		const deadline = this.#deadline ?? new Deadline(this.clock, DEFAULT_SHUTDOWN_TIMEOUT_MS);
		try {
			deadline.set(options);
		} catch (cause) {
			return Promise.reject(cause);
		}
		this.#deadline = deadline;
		if (!this.#closed) {
			// Known before anything is closed: a listener may close the hub again.
			const closed = deferred();
			this.#closed = closed.promise;
			closed.resolve(this.#close(deadline, spreadOption(options.spreadMs)));
		}
		return this.#closed;
	}

	async #close(deadline: Deadline, spreadMs: number): Promise<void> {
		for (const { endpoint } of this.#endpoints) endpoint.close();
		const { clock, log } = this;
		const evacuations = this.#extensions.flatMap((extension) => extension.evacuate?.() ?? []);
		// Where there are none, nothing starts any more from here on.
		if (evacuations.length > 0) await deadline.within(Promise.all(evacuations));
		const idle = (): Promise<void> => this.#dispatcher.idle();
		await drain([...this.lifetime], { deadline, idle, spreadMs, clock, log });
		this.#reception.close();
		await Promise.all(this.#extensions.map((extension) => this.#closeExtension(extension)));
		deadline.release();
	}

	/** Cuts the connections that this closed hub has ended and that are not over yet. @internal */
	cut(): void {
		this.#reception.cut();
	}

	async #closeExtension(extension: HubExtension): Promise<void> {
		try {
			await extension.close?.();
		} catch (cause) {
			this.log.error({ err: cause }, "An extension failed while it was closed.");
		}
	}

	/** Rooms that do not know the client's methods see the hub without them. */
	get #untyped(): Hub {
		return this as unknown as Hub;
	}

	#makeClientHost(): ClientHost {
		return {
			maximumParallelInvocations: this.options.maximumParallelInvocations,
			maxPendingClientResults: this.options.maxPendingClientResults,
			streamLimits: this.options,
			stateSources: this.stateSources,
			dispatch: (client, message) => this.#dispatcher.dispatch(client, message),
			stream: (client, message) => this.#dispatcher.stream(client, message),
			completed: (client, message) => this.#results.completed(client, message),
			itemPushed: (client, item, from) => {
				for (const sink of this.itemSinks) sink(client, item, from);
			},
			ending: (client) => this.#results.lost(client),
			connected: (client) => this.#clientListeners.connected(client),
			settled: (listeners) => this.#clientListeners.settled(listeners),
			migrating: (client) => this.#clientListeners.migrating(client),
			disconnected: (client, reason) => this.#clientListeners.disconnected(client, reason),
			refused: (client, cause, isLate) => this.#clientListeners.refused(client, cause, isLate),
		};
	}
}
