import { Fifo } from "../../base/index.js";
import { messageOf, TrunklineError } from "../../errors/index.js";
import type { ClientConnection, DisconnectReason, Hub } from "../../hub/index.js";
import { MessageType } from "../../protocols/index.js";
import type { ResolvedForwardingOptions } from "../proxy-end/options.js";
import { resolveSessionOptions, type SessionEnd } from "../session/index.js";
import type { Hello } from "../wire/index.js";
import { AppSession, type AppSessionHost } from "./app-session.js";
import { CallQueue, type QueuedMessage } from "./call-queue.js";
import { leftovers } from "./leftovers.js";
import { type RemoteCall, RemoteClient, type Undelivered, type UpMessage } from "./remote-client.js";
import { UpstreamLinks } from "./upstream-links.js";

/** Clients that are opened again, or ended, in one turn of the event loop: the others go on meanwhile. */
const CLIENTS_PER_TURN = 100;

/** Who hears of an upstream. */
export interface NativeUpstreamListener {
	/** A message will not be delivered, or nobody can know whether it was. Called once for it; must not throw. */
	failed(remote: RemoteClient, up: UpMessage, failure: Undelivered): void;
	/** A call was sent, and its answer will not come. Called once for it; must not throw. */
	unanswered(remote: RemoteClient, call: RemoteCall, failure: Undelivered): void;
	/** The server there speaks native links. */
	reached(): void;
	/** The server there knows no native link. */
	unknown(): void;
}

/** What an upstream is made of. */
export interface NativeUpstreamSettings {
	readonly url: string;
	readonly hub: Hub;
	readonly options: ResolvedForwardingOptions;
}

/**
 * The app server behind a url as a proxy sees it, over native links. A client of it is waiting (there is no session) →
 * open in one session → waiting again (that is over) → … → gone. Each message is in one place: the queue, a session, or
 * reported.
 */
export class NativeUpstream {
	readonly url: string;
	readonly #hub: Hub;
	readonly #options: ResolvedForwardingOptions;
	readonly #listener: NativeUpstreamListener;
	readonly #links: UpstreamLinks;
	readonly #queue: CallQueue;
	readonly #sessions = new Map<string, AppSession>();
	readonly #remotes = new Map<ClientConnection, RemoteClient>();
	/** Clients that wait to be opened again. */
	readonly #homeless = new Fifo<RemoteClient>();
	readonly #sessionHost: AppSessionHost;
	#placing: NodeJS.Immediate | undefined;
	#room: (() => void)[] = [];
	#state: "new" | "open" | "closed" = "new";
	#wasReached = false;

	constructor({ url, hub, options }: NativeUpstreamSettings, listener: NativeUpstreamListener) {
		this.url = url;
		this.#hub = hub;
		this.#options = options;
		this.#listener = listener;
		this.#sessionHost = this.#makeSessionHost();
		this.#queue = new CallQueue(options, hub.clock, (queued) => this.#expired(queued));
		const { connectionPoolSize: poolSize, secret, reconnect } = options;
		const { clock, log } = hub;
		this.#links = new UpstreamLinks(
			{ url, poolSize, secret, reconnect, clock, log },
			{
				sessionFor: (hello) => this.#sessionFor(hello),
				joined: (session) => this.#joined(session),
				over: (session) => session.stream.end("restarted"),
				unknown: () => listener.unknown(),
			},
		);
	}

	/** Whether a link was up once. */
	get wasReached(): boolean {
		return this.#wasReached;
	}

	/** Links that have joined a session. */
	get links(): number {
		return this.#links.joined;
	}

	/** Messages that wait for a session. */
	get waiting(): number {
		return this.#queue.length;
	}

	/** Starts to connect, also again where the server was found to know no native link. */
	open(): void {
		if (this.#state === "closed") return;
		this.#state = "open";
		this.#links.open();
	}

	/** Whether the client is known here. */
	knows(client: ClientConnection): boolean {
		return this.#remotes.has(client);
	}

	/** A client is here: it is opened over there, now or as soon as there is a session. */
	connect(client: ClientConnection): void {
		const remote = this.#remoteOf(client);
		if (!this.#place(remote)) this.#homeless.push(remote);
	}

	/** Takes a message. A returned promise asks to hold the client's reading until it resolves. */
	forward(client: ClientConnection, up: UpMessage): Promise<void> | undefined {
		const remote = this.#remoteOf(client);
		if (this.#state === "closed") {
			this.#fail(remote, up, this.#closedFailure);
			return undefined;
		}
		// What waits was sent before.
		const session = remote.waiting === 0 ? this.#place(remote) : undefined;
		if (session) return this.#send(session, remote, up);
		this.#enqueue({ remote, up });
		return undefined;
	}

	/**
	 * Gives the url up for native links: ends every session, and hands out what waits. Clients that were open over there
	 * are ended with `allowReconnect`: only they can make their state again.
	 */
	surrender(): QueuedMessage[] {
		for (const session of [...this.#sessions.values()]) session.stream.end("restarted");
		const waiting = this.#queue.clear();
		const open = [...this.#remotes.values()].filter(({ wasOpen, hasEnded }) => wasOpen && !hasEnded);
		this.#remotes.clear();
		this.#homeless.clear();
		this.#closeSome(open);
		return waiting;
	}

	/** A client wants no more of a stream; nothing happens where that is over. */
	cancel(client: ClientConnection, invocationId: string): void {
		const remote = this.#remotes.get(client);
		if (!remote?.take(invocationId)) return;
		const encoding = "json";
		const message = { type: MessageType.CancelInvocation, encoding, invocationId, headers: undefined } as const;
		const up = { message, bytes: 0, call: undefined, isCopy: true, takenAt: this.#hub.clock.elapsed() };
		void this.forward(client, up);
	}

	/** A client is gone: what it has sent is still delivered, and then its end. */
	disconnect(client: ClientConnection, { kind }: DisconnectReason): void {
		const remote = this.#remotes.get(client);
		if (!remote) return;
		remote.hasEnded = true;
		remote.takeAll();
		if (remote.waiting > 0) return;
		this.#remotes.delete(client);
		remote.session?.close(remote, kind);
		remote.go();
	}

	/** Waits for what was sent to be handed on, up to `flushTimeoutMs`, fails the rest, and ends the links. */
	async close(): Promise<void> {
		this.#state = "closed";
		for (const session of this.#sessions.values()) session.stream.flush();
		await this.#flushed();
		for (const session of [...this.#sessions.values()]) session.stream.end("closed");
		for (const { remote, up } of this.#queue.clear()) this.#fail(remote, up, this.#closedFailure);
		if (this.#placing) clearImmediate(this.#placing);
		this.#remotes.clear();
		this.#homeless.clear();
		this.#freeRoom();
		await this.#links.close();
	}

	get #closedFailure(): Undelivered {
		const reason = `The proxy was stopped before it could deliver the message to ${this.url}.`;
		return { code: "ERR_FORWARD_CLOSED", reason };
	}

	#remoteOf(client: ClientConnection): RemoteClient {
		let remote = this.#remotes.get(client);
		if (!remote) {
			remote = new RemoteClient(client);
			this.#remotes.set(client, remote);
		}
		return remote;
	}

	/** The session that the client is open in, after opening it where there is one. */
	#place(remote: RemoteClient): AppSession | undefined {
		if (remote.session) return remote.session;
		const session = this.#pick(remote);
		if (!session) return undefined;
		try {
			session.open(remote);
			return session;
		} catch (cause) {
			this.#hub.log.warn({ err: cause }, "A client cannot be described to an app server; it is closed.");
			remote.connection.close("The connection could not be forwarded.");
			return undefined;
		}
	}

	/** The instance for a client: the same for as long as it lives, whoever comes beside it. */
	#pick(_remote: RemoteClient): AppSession | undefined {
		for (const session of this.#sessions.values()) if (!session.isDraining) return session;
		return undefined;
	}

	#send(session: AppSession, remote: RemoteClient, up: UpMessage): Promise<void> | undefined {
		if (session.isOverfull) {
			const reason = `Too much waits for the app server ${this.url} already (maxQueuedBytes).`;
			this.#fail(remote, up, { code: "ERR_FORWARD_QUEUE_FULL", reason });
			return undefined;
		}
		const id = up.call && up.message.invocationId;
		if (up.call && id !== undefined && !remote.expect(id, up.call)) {
			this.#fail(remote, up, { code: "ERR_ARGUMENTS", reason: "The invocationId is in use already." });
			return undefined;
		}
		try {
			session.send(remote, up);
		} catch (thrown) {
			if (id !== undefined) remote.take(id);
			const code = thrown instanceof TrunklineError ? thrown.code : "ERR_SERIALIZATION";
			this.#fail(remote, up, { code, reason: messageOf(thrown) });
			return undefined;
		}
		return remote.held ?? (session.stream.isFull ? this.#waitForRoom() : undefined);
	}

	#waitForRoom(): Promise<void> {
		return new Promise((resolve) => this.#room.push(resolve));
	}

	#freeRoom(): void {
		const waiting = this.#room;
		this.#room = [];
		for (const resolve of waiting) resolve();
	}

	#enqueue(queued: QueuedMessage): void {
		const full = this.#queue.refusalOf(queued);
		const reason = `The message was not forwarded to ${this.url}: ${full}.`;
		if (full === undefined) this.#queue.push(queued);
		else this.#fail(queued.remote, queued.up, { code: "ERR_FORWARD_QUEUE_FULL", reason });
	}

	#fail(remote: RemoteClient, up: UpMessage, failure: Undelivered): void {
		this.#listener.failed(remote, up, failure);
	}

	#expired({ remote, up }: QueuedMessage): void {
		const reason = `The app server ${this.url} could not be reached for ${this.#options.maxWaitMs} ms (maxWaitMs).`;
		this.#fail(remote, up, { code: "ERR_FORWARD_EXPIRED", reason });
		if (remote.hasEnded && remote.waiting === 0) this.#remotes.delete(remote.connection);
	}

	#makeSessionHost(): AppSessionHost {
		const { sessionTimeoutMs, maxQueuedBytes } = this.#options;
		return {
			hub: this.#hub,
			url: this.url,
			options: resolveSessionOptions({ sessionTimeoutMs, maxWaitingBytes: Number.MAX_SAFE_INTEGER }),
			maxWaitingBytes: maxQueuedBytes,
			writable: () => this.#freeRoom(),
			closeLink: (_session, link, incarnation, error) => this.#links.cut(link, incarnation, error),
			ended: (session, end) => this.#ended(session, end),
			draining: () => {},
		};
	}

	#sessionFor(hello: Hello): AppSession {
		const key = hello.instance.toString("hex");
		const known = this.#sessions.get(key);
		if (known) return known;
		const session = new AppSession(this.#sessionHost, hello, nextIds());
		this.#sessions.set(key, session);
		this.#hub.counters.add("linkSessions");
		return session;
	}

	#joined(session: AppSession): void {
		const { log } = this.#hub;
		this.#wasReached = true;
		this.#listener.reached();
		const links = this.#links.of(session);
		log[links === 1 ? "info" : "debug"]({ url: this.url, links }, "An app server is reached.");
		this.#endForsaken();
		this.#placeAll();
	}

	/** All links lead elsewhere now: who answered before was replaced. */
	#endForsaken(): void {
		if (this.#links.joined < this.#options.connectionPoolSize) return;
		for (const session of [...this.#sessions.values()])
			if (this.#links.of(session) === 0) session.stream.end("restarted");
	}

	/** Opens those that wait, some in each turn, and hands on what was queued, in order. */
	#placeAll(): void {
		if (this.#placing) return;
		for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
			const session = this.#place(next.remote);
			if (!session) {
				this.#queue.putBack([next]);
				return;
			}
			this.#send(session, next.remote, next.up);
			this.#endIfGone(next.remote, session);
		}
		this.#placeSome();
	}

	#endIfGone(remote: RemoteClient, session: AppSession): void {
		if (!remote.hasEnded || remote.waiting > 0) return;
		this.#remotes.delete(remote.connection);
		session.close(remote, "closed");
	}

	#placeSome(): void {
		this.#placing = undefined;
		for (let placed = 0; placed < CLIENTS_PER_TURN; placed++) {
			const remote = this.#homeless.first;
			if (!remote) return;
			const isWaiting = !remote.session && !remote.hasEnded;
			if (isWaiting && !this.#place(remote)) return;
			this.#homeless.shift();
		}
		this.#placing = setImmediate(() => this.#placeSome());
	}

	/** What the session leaves: nothing is sent twice, and nothing is lost without a word. */
	#ended(session: AppSession, end: SessionEnd): void {
		this.#sessions.delete(session.instance.toString("hex"));
		this.#links.leave(session);
		this.#hub.counters.add("linkSessionsLost");
		const { lost, unsent, unopened } = leftovers(session.clients, end, this.#hub.clock.elapsed());
		const reason = `The app server ${this.url} was lost before it had confirmed the message; it may have been processed.`;
		const failure: Undelivered = { code: "ERR_FORWARD_LINK_LOST", reason };
		for (const { remote, up } of lost) this.#fail(remote, up, failure);
		const remotes = [...session.clients.values()];
		session.clients.clear();
		for (const remote of remotes) {
			this.#bereave(remote, failure);
			remote.wasOpen ||= !unopened.has(remote);
		}
		if (this.#state === "closed") for (const { remote, up } of unsent) this.#fail(remote, up, this.#closedFailure);
		else this.#queue.putBack(unsent);
		this.#freeRoom();
		if (this.#state === "closed") return;
		this.#resettle(remotes, session.reopens);
	}

	/** A client loses its app server: whoever waits for an answer is told. */
	#bereave(remote: RemoteClient, failure: Undelivered): void {
		for (const call of remote.takeAll()) this.#listener.unanswered(remote, call, failure);
		remote.leaveSession();
		if (remote.hasEnded && remote.waiting === 0) this.#remotes.delete(remote.connection);
	}

	#resettle(remotes: readonly RemoteClient[], isReopening: boolean): void {
		const left = remotes.filter(({ hasEnded }) => !hasEnded);
		if (!isReopening) this.#closeSome(left);
		else for (const remote of left) this.#homeless.push(remote);
		this.#placeAll();
	}

	/** Their state over there is lost, and only they can make it again. */
	#closeSome(remotes: RemoteClient[]): void {
		for (const { connection } of remotes.splice(0, CLIENTS_PER_TURN)) connection.close(undefined, true);
		if (remotes.length > 0) setImmediate(() => this.#closeSome(remotes));
	}

	async #flushed(): Promise<void> {
		const sessions = [...this.#sessions.values()].filter(({ stream }) => stream.session.links > 0);
		const idle = sessions.map(({ stream }) => new Promise<void>((done) => stream.session.whenIdle(done)));
		if (idle.length === 0) return;
		const { clock } = this.#hub;
		await new Promise<void>((resolve) => {
			const timer = clock.schedule(this.#options.flushTimeoutMs, resolve);
			void Promise.all(idle).then(() => {
				timer.cancel();
				resolve();
			});
		});
	}
}

let lastIds = 0;

/** Tells sessions of this process apart in the ids of calls to clients. */
function nextIds(): string {
	lastIds++;
	return `u${lastIds.toString(36)}.`;
}
