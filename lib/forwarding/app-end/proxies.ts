import type { ClientConnection, Hub, LinkStatus, MessageChannel } from "../../hub/index.js";
import {
	CONTEXT_KEY,
	type ForwardedContext,
	HubTarget,
	MessageType,
	parseForwardedContext,
} from "../../protocols/index.js";
import { requestOf } from "../client-context.js";
import { LINK_PROTOCOL_NAME } from "../link-terms.js";
import type { ResolvedAcceptLinksOptions } from "./accept-options.js";
import { Inbox } from "./inbox.js";
import { ProxyPeer } from "./proxy-peer.js";
import { VirtualWire } from "./virtual-wire.js";

/** What a proxy gets for a call that cannot reach its client's connection here. */
export const INVOKE_FAILED: string = `Failed to invoke '${HubTarget.Invoke}' due to an error on the server.`;

/** A forwarded client: its connection in the hub, its wire, and its messages in the order in which they came. */
export interface ForwardedClient {
	readonly connection: ClientConnection;
	/** What it was opened with, as it came. */
	readonly contextText: unknown;
	readonly wire: VirtualWire;
	readonly inbox: Inbox;
	readonly peer: ProxyPeer;
}

/** The proxies that have links here, and their clients. */
export class Proxies {
	readonly options: ResolvedAcceptLinksOptions;
	readonly #hub: Hub;
	readonly #peers = new Map<string, ProxyPeer>();
	readonly #clients = new Map<string, ForwardedClient>();
	/** What the clients here were opened with, by its text: our proxies send the same with every message. */
	readonly #contexts = new Map<unknown, ForwardedContext>();
	#waiting = 0;

	constructor(hub: Hub, options: ResolvedAcceptLinksOptions) {
		this.#hub = hub;
		this.options = options;
	}

	/** Messages that wait in the inboxes of all clients. */
	get waiting(): number {
		return this.#waiting;
	}

	peer(hubId: string): ProxyPeer {
		let peer = this.#peers.get(hubId);
		if (!peer) {
			peer = new ProxyPeer(hubId, this.#hub, this.options, (gone) => void this.#peers.delete(gone.hubId));
			this.#peers.set(hubId, peer);
		}
		return peer;
	}

	/** Reads a context, or remembers it. @throws TrunklineError ERR_LINK_PROTOCOL */
	contextOf(text: unknown): ForwardedContext {
		return this.#contexts.get(text) ?? parseForwardedContext(text);
	}

	get(connectionId: string): ForwardedClient | undefined {
		return this.#clients.get(connectionId);
	}

	/**
	 * The forwarded client that a context (and the text that it was read from) describes, opened at its first message;
	 * undefined where its id is taken.
	 */
	open(
		context: ForwardedContext,
		contextText: unknown,
		channel: MessageChannel,
	): ForwardedClient | undefined {
		const known = this.#clients.get(context.connectionId);
		// Ids are made by proxies at random: one that is another proxy's, or a direct client's, is not to be had twice.
		if (known) return known.peer === this.#peers.get(context.hubId) ? known : undefined;
		if (this.#hub.lifetime.get(context.connectionId)) return undefined;
		const client = this.#open(context, contextText, channel);
		// In a chain, the next hop nests it as dotNetify does.
		client.connection.items.set(CONTEXT_KEY, contextText);
		this.#contexts.set(contextText, context);
		return client;
	}

	/** Their links as they are now. */
	status(): readonly LinkStatus[] {
		return [...this.#peers.values()].map((peer) => peer.status);
	}

	/** Stops every timer. */
	dispose(): void {
		for (const peer of this.#peers.values()) peer.dispose();
	}

	#open(context: ForwardedContext, contextText: unknown, channel: MessageChannel): ForwardedClient {
		const { connectionId, user } = context;
		const peer = this.peer(context.hubId);
		const wire = new VirtualWire(peer, this.#hub, connectionId);
		const identity = { connectionId, user, transport: "Link", protocolName: LINK_PROTOCOL_NAME } as const;
		const connection = this.#hub.open({ ...identity, request: requestOf(context, channel.request) }, wire);
		const inbox = new Inbox(connection, (by) => {
			this.#waiting += by;
		});
		const client: ForwardedClient = { connection, contextText, wire, inbox, peer };
		this.#clients.set(connectionId, client);
		peer.clients.set(connectionId, connection);
		connection.aborted.addEventListener("abort", () => this.#forget(client), { once: true });
		return client;
	}

	#forget({ connection, contextText, wire, inbox, peer }: ForwardedClient): void {
		const { connectionId } = connection;
		this.#contexts.delete(contextText);
		this.#clients.delete(connectionId);
		peer.clients.delete(connectionId);
		for (const dropped of inbox.clear()) {
			// One with an id is reported by its proxy, which is answered below.
			if (dropped.type !== MessageType.Invocation || dropped.invocationId !== undefined) continue;
			const reason = "Its client was ended before it could be handled.";
			this.#hub.report({
				code: "ERR_CONNECTION_CLOSED",
				client: connectionId,
				target: dropped.target,
				reason,
			});
		}
		wire.settle(INVOKE_FAILED);
	}
}
