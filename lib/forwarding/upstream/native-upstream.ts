import { settledWithin } from "../../base/index.js";
import type {
	ClientConnection,
	DisconnectReason,
	ExplainedUpstream,
	Hub,
	InvocationContext,
	LinkStatus,
	PushedItem,
} from "../../hub/index.js";
import { MessageType } from "../../protocols/index.js";
import { Addresses, type UpstreamUrl } from "../dialing/addresses.js";
import type { UpstreamLinks } from "../dialing/upstream-links.js";
import { type ForwardingFailure, stoppedFailure } from "../lost-message.js";
import { explainPlace } from "../observing/explained-place.js";
import { recover, statusOf } from "../observing/upstream-status.js";
import type { ResolvedForwardingOptions } from "../proxy-end/options.js";
import { resolveSessionOptions, type SessionEnd } from "../session/index.js";
import type { Hello } from "../wire/index.js";
import { AppSession, type AppSessionHost } from "./app-session.js";
import type { QueuedMessage } from "./call-queue.js";
import { Delivery } from "./delivery.js";
import { ForwardedClient, type UpMessage } from "./forwarded-client.js";
import { leftovers } from "./leftovers.js";
import { type Picking, pickFunction } from "./pick.js";
import { Placement } from "./placement.js";
import type { RemoteCall, RemoteClient } from "./remote-client.js";
import { Sessions } from "./sessions.js";

/** Who hears of an upstream. */
export interface NativeUpstreamListener {
	/** A message will not be delivered, or nobody can know whether it was. Called once for it; must not throw. */
	failed(client: ForwardedClient, up: UpMessage, failure: ForwardingFailure): void;
	/** A call was sent, and its answer will not come. Called once for it; must not throw. */
	unanswered(client: ForwardedClient, call: RemoteCall, failure: ForwardingFailure): void;
	/** The server there speaks native links. */
	reached(): void;
	/** The server at a url knows no native link. */
	unknown(url: string): void;
}

/** What an upstream is made of. */
export interface NativeUpstreamSettings {
	/** What it is called in messages. */
	readonly name: string;
	/** Where it is: one address, or those of replicas. */
	readonly urls: readonly UpstreamUrl[];
	readonly pick: Picking;
	readonly hub: Hub;
	readonly options: ResolvedForwardingOptions;
}

/**
 * The app server behind a url as a proxy sees it, over native links. A client of it is waiting (there is no session) →
 * open in one session → waiting again (that is over) → … → gone. Each message is in one place: the queue, a session, or
 * reported.
 */
export class NativeUpstream {
	readonly name: string;
	readonly #hub: Hub;
	readonly #options: ResolvedForwardingOptions;
	readonly #listener: NativeUpstreamListener;
	readonly #addresses: Addresses;
	readonly #delivery: Delivery;
	readonly #sessions: Sessions;
	readonly #strategy: Picking["strategy"];
	readonly #placement: Placement;
	readonly #clients = new Map<ClientConnection, ForwardedClient>();
	readonly #sessionHost: AppSessionHost;
	#state: "new" | "open" | "closed" = "new";
	#wasReached = false;

	constructor({ name, urls, pick, hub, options }: NativeUpstreamSettings, listener: NativeUpstreamListener) {
		this.name = name;
		this.#hub = hub;
		this.#options = options;
		this.#listener = listener;
		this.#strategy = pick.strategy;
		this.#sessions = new Sessions(pickFunction(pick));
		this.#sessionHost = this.#makeSessionHost();
		this.#placement = new Placement(this.#sessions, {
			...{ log: hub.log, clock: hub.clock },
			placed: (client) => this.#unpark(client),
			dismissed: (client) => this.#delivery.dropParked(client),
		});
		this.#delivery = new Delivery({
			...{ name, options, clock: hub.clock, placement: this.#placement },
			failed: (client, up, failure) => listener.failed(client, up, failure),
			leave: (client, reason) => this.#leave(client, reason),
		});
		const { connectionPoolSize: poolSize, secret, tls, reconnect } = options;
		this.#addresses = new Addresses(
			{ poolSize, secret, tls, reconnect, hub },
			{
				sessionFor: (hello, links) => this.#sessionFor(hello, links),
				joined: (session) => this.#joined(session),
				deserted: (links) => this.#deserted(links),
				over: (session, reason) => session.stream.end(reason),
				unknown: (links) => listener.unknown(links.url),
			},
		);
		this.lead(urls);
	}

	/** Leads to these addresses from now on. Those that are gone from the list hand their clients to the others. */
	lead(urls: readonly UpstreamUrl[]): void {
		if (this.#state === "closed") return;
		for (const session of this.#addresses.lead(urls, [...this.#sessions])) {
			session.abandon(() => session.stream.end("closed"));
			this.#placement.evacuate(session);
		}
	}

	/** Whether a link was up once. */
	get wasReached(): boolean {
		return this.#wasReached;
	}

	/** Its sessions as they are now; one entry without an instance where there is none. */
	status(): readonly LinkStatus[] {
		const { waiting: queued, waitingBytes: queuedBytes } = this.#delivery;
		const waiting = { name: this.name, clients: this.#clients.size, queued, queuedBytes };
		return statusOf(this.#sessions, waiting, (session) => this.#addresses.of(session));
	}

	/** Which instance would take a call, and why. */
	explain(ctx: InvocationContext): Omit<ExplainedUpstream, "url" | "isCopy"> {
		const client = this.#clients.get(ctx.connection);
		const linksOf = (session: AppSession): number => this.#addresses.of(session);
		return explainPlace({ ctx, sessions: this.#sessions, strategy: this.#strategy, client, linksOf });
	}

	/** Starts to connect, also again where the server was found to know no native link. */
	open(): void {
		if (this.#state === "closed") return;
		this.#state = "open";
		this.#addresses.open();
	}

	/** A client is here: it is opened over there, now or as soon as there is a session. */
	connect(connection: ClientConnection): void {
		if (this.#state !== "closed") this.#placement.settle(this.#clientOf(connection));
	}

	/** Asks for the whole of a state that a client has missed changes of, wherever it is open: one of them knows it. */
	resync(connection: ClientConnection, key: string): void {
		for (const remote of this.#clients.get(connection)?.remotes ?? []) remote.session.resync(remote, key);
	}

	/** Tells those where a client is open of an item, but for the one that has brought it. */
	pushItem(connection: ClientConnection, item: PushedItem, from: unknown): void {
		for (const remote of this.#clients.get(connection)?.remotes ?? [])
			if (remote !== from) remote.session.pushItem(remote, item);
	}

	/** Takes a message. A returned promise asks to hold the client's reading until it resolves. */
	forward(connection: ClientConnection, up: UpMessage): Promise<void> | undefined {
		const client = this.#clientOf(connection);
		if (this.#state === "closed") {
			this.#delivery.fail(client, up, stoppedFailure(this.name));
			return undefined;
		}
		return this.#delivery.forward(client, up);
	}

	/** A client wants no more of a stream; nothing happens where that is over. */
	cancel(connection: ClientConnection, invocationId: string): void {
		const remote = this.#clients.get(connection)?.remoteOf(invocationId);
		if (!remote?.take(invocationId)) return;
		const message = {
			type: MessageType.CancelInvocation,
			encoding: "json",
			invocationId,
			headers: undefined,
		} as const;
		remote.session.send(remote, message);
	}

	/** Another proxy is about to have a client; resolves when its app servers have told what is to be retained of it. */
	async migrate(connection: ClientConnection): Promise<void> {
		const client = this.#clients.get(connection);
		if (client && !client.hasEnded && this.#state !== "closed") await this.#placement.depart(client);
	}

	/** A client is gone: what it has sent is still delivered, and then its end. */
	disconnect(connection: ClientConnection, reason: DisconnectReason): void {
		const client = this.#clients.get(connection);
		if (!client) return;
		client.ending(reason);
		for (const remote of client.remotes) remote.takeAll();
		if (client.waiting === 0 && !client.parked) this.#leave(client, reason);
	}

	/**
	 * Gives the url up for native links: ends every session, and hands out what waits. Clients that were open over there
	 * are ended with `allowReconnect`: only they can make their state again.
	 */
	surrender(): QueuedMessage[] {
		for (const session of [...this.#sessions]) session.stream.end("restarted");
		const waiting = this.#delivery.clear();
		const open = [...this.#clients.values()].filter(({ before, hasEnded }) => before && !hasEnded);
		this.#clients.clear();
		this.#placement.clear();
		this.#placement.dismiss(open);
		this.#delivery.freeRoom();
		return waiting;
	}

	/** Waits for what was sent to be handed on, up to `flushTimeoutMs`, fails the rest, and ends the links. */
	async close(): Promise<void> {
		this.#state = "closed";
		for (const session of this.#sessions) session.flush();
		await this.#flushed();
		for (const session of [...this.#sessions]) session.stream.end("closed");
		for (const { client, up } of this.#delivery.clear())
			this.#delivery.fail(client, up, stoppedFailure(this.name));
		this.#placement.close();
		this.#clients.clear();
		this.#delivery.freeRoom();
		await this.#addresses.close();
	}

	#clientOf(connection: ClientConnection): ForwardedClient {
		let client = this.#clients.get(connection);
		if (!client) {
			client = new ForwardedClient(connection);
			this.#clients.set(connection, client);
		}
		return client;
	}

	#leave(client: ForwardedClient, reason: DisconnectReason): void {
		if (this.#clients.get(client.connection) === client) this.#clients.delete(client.connection);
		for (const remote of client.remotes) remote.session.close(remote, reason);
		this.#placement.left();
	}

	#makeSessionHost(): AppSessionHost {
		const { sessionTimeoutMs, windowBytes, windowShareBytes, maxQueuedBytes } = this.#options;
		return {
			hub: this.#hub,
			options: resolveSessionOptions({
				...{ sessionTimeoutMs, windowBytes },
				maxWaitingBytes: Number.MAX_SAFE_INTEGER,
			}),
			maxWaitingBytes: maxQueuedBytes,
			windowShareBytes,
			closeLink: (session, link, incarnation, error) =>
				this.#addresses.cut(session, { link, incarnation, error }),
			ended: (session, end) => this.#ended(session, end),
			draining: (session) => this.#placement.evacuate(session),
			freed: (remote) => {
				if (!remote.client.hasEnded) remote.session.life.migrated();
				this.#freed(remote);
			},
		};
	}

	#sessionFor(hello: Hello, { url, weight }: UpstreamLinks): AppSession {
		const known = this.#sessions.get(hello.instance.toString("hex"));
		if (known) return known;
		const session = new AppSession(this.#sessionHost, hello, { url, weight, ids: nextIds() });
		this.#sessions.add(session);
		return session;
	}

	#joined(session: AppSession): void {
		const { log } = this.#hub;
		this.#wasReached = true;
		session.isDeserted = false;
		this.#listener.reached();
		const links = this.#addresses.of(session);
		log[links === 1 ? "info" : "debug"]({ url: session.url, links }, "An app server is reached.");
		this.#endForsaken();
		this.#placement.changed();
		this.#delivery.drain();
	}

	/** As soon as others can take its clients, there is nothing to wait for. */
	#deserted({ url }: UpstreamLinks): void {
		const dead = [...this.#sessions].filter(
			(session) => session.url === url && this.#addresses.of(session) === 0,
		);
		if (dead.length === this.#sessions.size) for (const session of dead) session.isDeserted = true;
		else for (const session of dead) session.stream.end("lost");
	}

	/** All links lead elsewhere now, or found nobody before one did: who answered before was replaced. */
	#endForsaken(): void {
		for (const session of [...this.#sessions])
			if (this.#addresses.of(session) === 0 && (session.isDeserted || this.#addresses.isWhole(session.url)))
				session.stream.end("restarted");
	}

	/** A client has a home again: what came meanwhile follows. */
	#unpark(client: ForwardedClient): void {
		const { parked = [] } = client;
		client.parked = undefined;
		for (const up of parked) void this.forward(client.connection, up);
		if (client.end && client.waiting === 0) this.#leave(client, client.end);
	}

	/** What the session leaves: nothing is sent twice, and nothing is lost without a word. */
	#ended(session: AppSession, end: SessionEnd): void {
		this.#sessions.remove(session);
		this.#addresses.leave(session);
		this.#placement.over(session);
		const { lost, unsent, unopened } = leftovers(session.clients, end, this.#hub.clock.elapsed());
		const reason = `The app server ${session.url} was lost before it had confirmed the message; it may have been processed.`;
		const failure: ForwardingFailure = { code: "ERR_FORWARD_LINK_LOST", reason };
		for (const { client, up } of lost) this.#delivery.fail(client, up, failure);
		const remotes = [...session.clients.values()];
		session.clients.clear();
		for (const remote of remotes) this.#bereave(remote, failure, !unopened.has(remote));
		this.#delivery.freeRoom();
		if (this.#state === "closed")
			for (const { client, up } of unsent) this.#delivery.fail(client, up, stoppedFailure(this.name));
		else {
			this.#delivery.putBack(unsent);
			if (session.reopens) recover(this.#hub, session, remotes);
			this.#placement.resettle(remotes, session.reopens);
			this.#delivery.drain();
		}
	}

	/** An app server is done with a client that goes on elsewhere: what it had not answered it never will. */
	#freed(remote: RemoteClient): void {
		const { client, session } = remote;
		const code = "ERR_FORWARD_LINK_LOST";
		const reason = `The app server ${session.url} let its client go before it had answered.`;
		const calls = remote.takeAll();
		if (!client.hasEnded && session.reopens)
			for (const call of calls) this.#listener.unanswered(client, call, { code, reason });
		this.#placement.moved(remote, session.reopens);
	}

	/** A client loses an app server: whoever waits for an answer is told. */
	#bereave(remote: RemoteClient, failure: ForwardingFailure, wasOpen: boolean): void {
		const { client } = remote;
		for (const call of remote.takeAll()) this.#listener.unanswered(client, call, failure);
		remote.leave();
		client.left(remote);
		if (wasOpen) client.before = "lost";
		if (client.hasEnded && client.waiting === 0) this.#clients.delete(client.connection);
	}

	async #flushed(): Promise<void> {
		const sessions = [...this.#sessions].filter(({ stream }) => stream.session.links > 0);
		const settled = sessions.map(({ stream }) => stream.settled());
		if (settled.length === 0) return;
		await settledWithin(this.#hub.clock, this.#options.flushTimeoutMs, Promise.all(settled));
	}
}

let lastIds = 0;

/** Tells sessions of this process apart in the ids of calls to clients. */
function nextIds(): string {
	lastIds++;
	return `u${lastIds.toString(36)}.`;
}
