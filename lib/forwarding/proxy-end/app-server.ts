import type { Timer } from "../../base/index.js";
import type {
	ClientConnection,
	Completer,
	DisconnectReason,
	ExplainedUpstream,
	Hub,
	InvocationContext,
	LinkStatus,
	PushedItem,
} from "../../hub/index.js";
import {
	decodeRawMessage,
	encodeRawMessage,
	encodingOf,
	firstText,
	MessageType,
	type RawMessage,
} from "../../protocols/index.js";
import { contextTextOf } from "../client-context.js";
import type { UpstreamUrl } from "../dialing/addresses.js";
import { unknownText } from "../dialing/link-tls.js";
import {
	disconnectOf,
	type ForwardedCall,
	type ForwardedMessage,
	forwardedMessage,
} from "../dotnetify-upstream/forwarded-message.js";
import type { MessageLink } from "../dotnetify-upstream/link.js";
import { LinkPool } from "../dotnetify-upstream/link-pool.js";
import { type PoolMaker, Upstream } from "../dotnetify-upstream/upstream.js";
import { heldBytes } from "../link/held-bytes.js";
import type { ForwardingFailure, LostMessage } from "../lost-message.js";
import { LinkLife } from "../observing/link-life.js";
import { dotNetifyStatus } from "../observing/upstream-status.js";
import type { ForwardedClient, UpMessage } from "../upstream/forwarded-client.js";
import { NativeUpstream } from "../upstream/native-upstream.js";
import { ALONE, type Picking } from "../upstream/pick.js";
import { lostOf, unansweredOf, upMessageOf } from "./native-call.js";
import type { ResolvedForwardingOptions } from "./options.js";

/** Why a stream goes nowhere where the app server knows no native link. */
const NO_STREAMS = "dotNetify's wire carries no streams.";
/** How long a server that knows no native link is not asked again, in milliseconds. */
const NATIVE_RETRY_MS = 600_000;

/** Who hears of an {@link AppServer}. */
export interface AppServerListener {
	/** The one argument of a `Response_VM` of dotNetify's wire. */
	response(argument: unknown): void;
	/** A message will not be delivered, or nobody can know whether it was. Called once for it; must not throw. */
	failed(message: LostMessage, failure: ForwardingFailure): void;
}

/** What an {@link AppServer} is made of. */
export interface AppServerSettings {
	/** What it is called in messages; its address where it has one only. */
	readonly url: string;
	/** Its addresses, where it has several: equal app servers that share the clients. */
	readonly replicas?:
		| {
				readonly urls: () => readonly UpstreamUrl[];
				readonly pick: Picking;
				readonly refreshMs: number | undefined;
		  }
		| undefined;
	readonly hub: Hub;
	/** Names the hub on dotNetify's wire. */
	readonly hubId: string;
	readonly options: ResolvedForwardingOptions;
}

/**
 * The app server behind one url, over the wire that it speaks: the native link where it knows that, else dotNetify's.
 * Native (connecting, or up) → dotNetify's wire (it refused) → native again, when it is asked after a while and knows it:
 * for new clients; the others keep dotNetify's wire until they leave.
 */
export class AppServer {
	readonly #settings: AppServerSettings;
	readonly #listener: AppServerListener;
	readonly #native: NativeUpstream;
	#fallback: Upstream | undefined;
	/** Its clients from before it spoke native links, who stay where their state is; and how many are left. */
	#former: Upstream | undefined;
	#formerClients = 0;
	#retry: Timer | undefined;
	#refreshing: Timer | undefined;
	#isClosed = false;

	constructor(settings: AppServerSettings, listener: AppServerListener) {
		this.#settings = settings;
		this.#listener = listener;
		const { url, replicas, hub, options } = settings;
		const urls = replicas?.urls() ?? [{ url, weight: 1 }];
		const pick = replicas?.pick ?? ALONE;
		this.#native = new NativeUpstream(
			{ name: url, urls, pick, hub, options },
			{
				failed: (client, up, failure) => listener.failed(lostOf(client, up), failure),
				unanswered: (client, call, failure) => listener.failed(unansweredOf(client, call), failure),
				reached: () => this.#reached(),
				unknown: (address) => (replicas ? this.#unknownReplica(address) : this.#unknown()),
			},
		);
	}

	get wasReached(): boolean {
		return this.#native.wasReached || this.#fallback?.wasReached === true;
	}

	/** Its links as they are now. */
	status(): readonly LinkStatus[] {
		const upstream = this.#fallback ?? this.#former;
		const native = this.#fallback ? [] : this.#native.status();
		return upstream ? [...native, dotNetifyStatus(this.#settings.url, upstream)] : native;
	}

	/** Who would take a call. */
	explain(ctx: InvocationContext, isCopy: boolean): ExplainedUpstream {
		const { url } = this.#settings;
		if (!this.#upstreamOf(ctx.connection)) return { url, isCopy, ...this.#native.explain(ctx) };
		const reason =
			"It speaks dotNetify's wire: the next link takes it, or the one that has messages of the client.";
		return { url, isCopy, wire: "dotnetify", instances: [], picked: undefined, reason };
	}

	open(): void {
		this.#refresh();
		if (this.#settings.options.nativeLinks) this.#native.open();
		else this.#unknown();
	}

	/** Asks for the list of replicas now and then. */
	#refresh(): void {
		const { replicas, hub } = this.#settings;
		if (replicas?.refreshMs === undefined || this.#isClosed) return;
		this.#refreshing = hub.clock.schedule(replicas.refreshMs, () => {
			try {
				this.#native.lead(replicas.urls());
			} catch (err) {
				hub.log.error({ err }, "The list of replicas cannot be had; the last one goes on.");
			}
			this.#refresh();
		});
	}

	#unknownReplica(url: string): void {
		const { hub } = this.#settings;
		hub.log.warn(
			{ url },
			"A replica knows no native link, and is not used: dotNetify's wire cannot share clients.",
		);
		this.#retryLater();
	}

	#retryLater(): void {
		this.#retry ??= this.#settings.hub.clock.schedule(NATIVE_RETRY_MS, () => {
			this.#retry = undefined;
			this.#native.open();
		});
	}

	/** A client is here; a native link tells the app server of it at once. */
	connect(client: ClientConnection): void {
		if (!this.#fallback) this.#native.connect(client);
	}

	/** Passes on an item that was pushed; dotNetify's wire knows nothing of it. */
	pushItem(client: ClientConnection, item: PushedItem, from: unknown): void {
		this.#native.pushItem(client, item, from);
	}

	/** Asks for the whole of a state; dotNetify's wire knows nothing of it. */
	resync(client: ClientConnection, key: string): void {
		if (!this.#fallback) this.#native.resync(client, key);
	}

	/** Takes a call. A returned promise asks to hold the client's reading until it resolves. */
	forward(ctx: InvocationContext, isCopy: boolean): Promise<void> | undefined {
		const upstream = this.#upstreamOf(ctx.connection);
		if (!upstream) return this.#forwardNatively(ctx, isCopy);
		if (ctx.isStream || ctx.streamIds) {
			refuseStream(ctx);
			return undefined;
		}
		const { connection: client, target, arguments: args, vmId, invocationId } = ctx;
		const completer = isCopy ? undefined : (): Completer => ctx.deferCompletion();
		const call = { client, target, args, vmId, isCopy, invocationId, completer };
		return upstream.forward(this.#forwarded(call));
	}

	/** Another proxy is about to have a client; resolves when it can. */
	async migrate(client: ClientConnection): Promise<void> {
		if (!this.#fallback) await this.#native.migrate(client);
	}

	/** A client is gone. */
	disconnect(client: ClientConnection, reason: DisconnectReason): void {
		this.#native.disconnect(client, reason);
		const upstream = this.#upstreamOf(client);
		if (!upstream?.knows(client)) return;
		void upstream.forward(disconnectOf(client, this.#settings.hub.clock.elapsed()));
		if (upstream !== this.#former || --this.#formerClients > 0) return;
		this.#former = undefined;
		void upstream.close();
	}

	/** What takes a client's calls over dotNetify's wire; undefined where native links do. */
	#upstreamOf(client: ClientConnection): Upstream | undefined {
		return this.#fallback ?? (this.#former?.knows(client) ? this.#former : undefined);
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		this.#retry?.cancel();
		this.#refreshing?.cancel();
		await Promise.all([this.#native.close(), this.#fallback?.close(), this.#former?.close()]);
	}

	#forwardNatively(ctx: InvocationContext, isCopy: boolean): Promise<void> | undefined {
		const { connection, invocationId, isStream, streamIds } = ctx;
		if (streamIds && !isCopy) ctx.checkUploads();
		const hold = this.#native.forward(connection, upMessageOf(ctx, isCopy));
		if (isCopy) return hold;
		if (isStream && invocationId !== undefined) this.#watchCancel(ctx, invocationId);
		// Behind the call: their items may be here already.
		if (streamIds) this.#relayUploads(ctx, encodingOf(connection.protocolName));
		return hold;
	}

	/** The client wants no more of a stream: the app server is told, and what still comes of it is dropped. */
	#watchCancel({ signal, connection }: InvocationContext, invocationId: string): void {
		signal.addEventListener("abort", () => this.#native.cancel(connection, invocationId), { once: true });
	}

	#relayUploads(ctx: InvocationContext, encoding: "json" | "messagepack"): void {
		const { connection } = ctx;
		const forward = (message: RawMessage): Promise<void> | undefined =>
			this.#native.forward(connection, {
				...{ message, args: undefined, bytes: heldBytes(message), call: undefined, isCopy: true },
				waitsSince: undefined,
			});
		ctx.relayUploads({
			item: (item) => forward(encodeRawMessage(item, encoding)),
			completed: (completion) => void forward(encodeRawMessage(completion, encoding)),
		});
	}

	/** The server speaks native links, also where it did not before: its process is another. */
	#reached(): void {
		this.#retry?.cancel();
		this.#retry = undefined;
		const fallback = this.#fallback;
		if (!fallback) return;
		this.#fallback = undefined;
		const { url, hub } = this.#settings;
		hub.log.info({ url }, "An app server speaks native links now.");
		this.#formerClients = fallback.present;
		if (this.#formerClients > 0) this.#former = fallback;
		else void fallback.close();
	}

	#unknown(): void {
		if (this.#isClosed) return;
		const { url, hub, options } = this.#settings;
		if (options.nativeLinks) this.#retryLater();
		if (this.#fallback) return;
		hub.log.info({ url }, unknownText(options));
		const fallback = this.#former ?? this.#makeFallback();
		this.#former = undefined;
		this.#fallback = fallback;
		fallback.open();
		const waiting = this.#native.surrender();
		for (const { client, up } of waiting) this.#handOver(fallback, client, up);
		// Behind all that they have sent.
		const gone = new Set(waiting.flatMap(({ client }) => (client.hasEnded ? client.connection : [])));
		for (const client of gone) void fallback.forward(disconnectOf(client, hub.clock.elapsed()));
	}

	/** What has waited for a native link goes over dotNetify's wire, as far as that can carry it. */
	#handOver(fallback: Upstream, forwarded: ForwardedClient, up: UpMessage): void {
		const { hub } = this.#settings;
		const { message, isCopy, call } = up;
		if (message.type !== MessageType.Invocation || message.streamIds) {
			this.#listener.failed(lostOf(forwarded, up), { code: "ERR_FORWARD_UNSUPPORTED", reason: NO_STREAMS });
			return;
		}
		const decoded = decodeRawMessage(message);
		if (decoded.type !== MessageType.Invocation) return;
		const { target, arguments: args } = decoded;
		const { connection: client } = forwarded;
		const completer = call && ((): Completer => call.completer);
		const vmId = firstText(message.encoding, message.arguments);
		try {
			const { invocationId } = message;
			const taken = this.#forwarded({ client, target, args, vmId, isCopy, invocationId, completer });
			// That wire answers such a call when it is taken.
			if (taken.kind !== "method") call?.completer.complete(null);
			void fallback.forward(taken);
		} catch (cause) {
			// Its own fault, which the dispatcher tells where a call is taken at once.
			hub.log.debug({ err: cause, target }, "A call was refused.");
			call?.completer.fail(`Failed to invoke '${target}' due to an error on the server.`);
		}
	}

	#forwarded(call: Omit<ForwardedCall, "queuedAt">): ForwardedMessage {
		const { hub, options } = this.#settings;
		return forwardedMessage({ ...call, queuedAt: hub.clock.elapsed() }, options.useMessagePack);
	}

	#makeFallback(): Upstream {
		const { url, hub, hubId, options } = this.#settings;
		const { clock, log } = hub;
		const forwarder = { hubId, serverId: hub.serverId };
		return new Upstream(
			options,
			{ url, clock, log, pool: this.#poolMaker() },
			{
				contextTextOf: (client) => contextTextOf(client, forwarder, clock.now()),
				response: (argument) => this.#listener.response(argument),
				failed: (message, failure) => this.#listener.failed(message, failure),
			},
		);
	}

	#poolMaker(): PoolMaker {
		const { url, hub, options } = this.#settings;
		const { connectionPoolSize, useMessagePack, secret, tls, maxLinkMessageBytes, reconnect } = options;
		const settings = { url, useMessagePack, secret, tls, maxMessageBytes: maxLinkMessageBytes, reconnect };
		const { clock, log } = hub;
		return (listener) => {
			const lives = new Map<MessageLink, LinkLife>();
			const up = (link: MessageLink): void => {
				lives.set(link, new LinkLife(hub, { role: "proxy", wire: "dotnetify", peer: url }));
				listener.up(link);
			};
			const down = (link: MessageLink): void => {
				lives.get(link)?.down();
				lives.delete(link);
				listener.down(link);
			};
			return new LinkPool(connectionPoolSize, { ...settings, clock, log }, { ...listener, up, down });
		};
	}
}

/** dotNetify's wire has no streams: the caller is told at once. */
function refuseStream(ctx: InvocationContext): void {
	const code = "ERR_FORWARD_UNSUPPORTED";
	ctx.deferCompletion().fail(`Failed to invoke '${ctx.target}': ${NO_STREAMS} (${code})`);
	ctx.hub.report({ code, client: ctx.connectionId, target: ctx.target, vmId: ctx.vmId, reason: NO_STREAMS });
}
