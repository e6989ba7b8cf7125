import { messageOf, TrunklineError } from "../../errors/index.js";
import type { ClientConnection, DisconnectReason, Hub, User } from "../../hub/index.js";
import {
	type CloseMessage,
	decodeRawMessage,
	type HubMessage,
	MessageType,
	type RawMessage,
	readMessagePack,
} from "../../protocols/index.js";
import { heldBytes } from "../link/held-bytes.js";
import { checkOpenContext, type OpenContext } from "../link/open-context.js";
import { OpenedRequest } from "../link/opened-request.js";
import type { SessionLife } from "../observing/link-life.js";
import {
	type CloseFrame,
	type ItemFrame,
	type MessageFrame,
	type OpenFrame,
	violation,
} from "../wire/index.js";
import { FrameWire, protocolOf } from "./frame-wire.js";
import type { InboxTerms } from "./inbox.js";
import { PeerClient, type PeerClientHost } from "./peer-client.js";
import type { ProxySession, ProxySessionHost } from "./proxy-session.js";

/** Clients that are ended in one turn when their proxy is gone; the others go on meanwhile. */
const CLIENTS_PER_TURN = 200;
const REFUSED = "The connection was refused.";
/** Refused clients that a proxy has not closed yet; beyond, it never will. Their numbers take 4 MB. */
export const MAX_TURNED_AWAY = 100_000;
const CLOSED_WITH_ERROR = "Connection closed with an error.";

/** What the clients of a session need of it. */
export interface PeerClientsHost {
	readonly life: SessionLife;
	/** Resolves when nobody has a connection id any more that `known` has. Rejects where it is not this proxy's to take. */
	freeId(known: ClientConnection | undefined): Promise<void>;
	/** None is left. */
	emptied(): void;
	/** A client was refused: there are as many as may be. */
	full(): void;
}

/** Whether another instance had a client before, and how that let it go. */
type Past = Pick<OpenFrame, "recovered" | "migrated">;

/** The clients that a proxy holds in one session, by their numbers: from their OPEN to their CLOSED. */
export class PeerClients {
	readonly #session: ProxySession;
	readonly #settings: ProxySessionHost;
	readonly #hub: Hub;
	readonly #host: PeerClientsHost;
	readonly #clients = new Map<number, PeerClient>();
	/** Numbers of those for whom there was no room, until their proxy has closed them: nothing else is kept of them. */
	readonly #turnedAway = new Set<number>();
	/** Clients of which it is not known yet whether they may be here: they hear nothing that is for all. */
	#pending = 0;
	/** How ids of calls to clients begin, as the last one said: the same text serves all. */
	#ids = "";
	readonly #clientHost: PeerClientHost;
	#waiting = 0;
	#waitingBytes = 0;

	constructor(session: ProxySession, settings: ProxySessionHost, host: PeerClientsHost) {
		this.#session = session;
		this.#settings = settings;
		this.#hub = settings.hub;
		this.#host = host;
		this.#clientHost = this.#makeClientHost();
	}

	/** Messages that wait for their turn, of all clients. */
	get waiting(): number {
		return this.#waiting;
	}

	/** Bytes of theirs. */
	get waitingBytes(): number {
		return this.#waitingBytes;
	}

	get size(): number {
		return this.#clients.size;
	}

	/** Whether there are some of which it is not known yet whether they may be here. */
	get hasPending(): boolean {
		return this.#pending > 0;
	}

	get(number: number): PeerClient | undefined {
		return this.#clients.get(number);
	}

	/** Takes all of them out. */
	takeAll(): PeerClient[] {
		const clients = [...this.#clients.values()];
		this.#clients.clear();
		this.#turnedAway.clear();
		return clients;
	}

	/** A client's connection is ended at this end: its proxy is to end it too. */
	closing(number: number, { error, allowReconnect = false }: CloseMessage): void {
		const client = this.#clients.get(number);
		if (!client) return;
		this.drop(client);
		if (client.left) return;
		// Its proxy opens it again where we are replaced: the end of the session tells it so.
		if (this.#hub.isClosing && allowReconnect && this.#hub.options.recovery === "reopen") return;
		// What a method closes its client with may have come from it: what is no text in UTF-8 must not keep it here.
		const text = error === undefined ? undefined : Buffer.from(error).toString();
		this.#session.stream.write({ type: "abort", client: number, allowReconnect, text });
	}

	/** A client comes: it is let in, now or when it is known who it is. @throws TrunklineError ERR_LINK_PROTOCOL */
	open(frame: OpenFrame): void {
		const { client: number } = frame;
		if (this.#clients.has(number) || this.#turnedAway.has(number))
			throw violation(`client ${number} was opened twice`);
		if (this.#clients.size >= this.#settings.maxClients) {
			this.#turnAway(number);
			return;
		}
		const context = this.#contextOf(frame);
		if (!context) return;
		const client = this.#clientOf(number, context);
		this.#clients.set(number, client);
		const known = this.#hub.lifetime.get(context.connectionId);
		if (!known && (context.user || !this.#hub.options.transport.authenticate))
			this.#admit(client, context, frame, context.user);
		else void this.#admitLater(client, context, frame, known);
	}

	/** There is no room for a client: it alone is refused, and may come back. */
	#turnAway(number: number): void {
		if (this.#turnedAway.size >= MAX_TURNED_AWAY)
			throw violation(`${MAX_TURNED_AWAY} clients were refused, and it has closed none of them`);
		this.#turnedAway.add(number);
		this.#hub.counters.add("refusals");
		this.#host.full();
		this.#session.stream.write({ type: "abort", client: number, allowReconnect: true, text: REFUSED });
	}

	/** A client of which its proxy cannot tell is refused; those of others go on. */
	#contextOf({ client: number, context }: OpenFrame): OpenContext | undefined {
		try {
			return checkOpenContext(readMessagePack(context));
		} catch (cause) {
			const client = this.#clientOf(number, { connectionId: "", protocol: "json" });
			this.#clients.set(number, client);
			this.#refuse(client, cause);
			return undefined;
		}
	}

	#clientOf(
		number: number,
		{ connectionId, protocol }: Pick<OpenContext, "connectionId" | "protocol">,
	): PeerClient {
		const wire = new FrameWire(this.#session, number, protocolOf(protocol));
		return new PeerClient(connectionId, wire, this.#clientHost);
	}

	#makeClientHost(): PeerClientHost {
		return {
			inboxes: this.#makeInboxTerms(),
			hold: ({ number }) => {
				this.#host.life.hold();
				this.#session.stream.write({ type: "hold", client: number });
			},
			go: ({ number }) => {
				this.#host.life.release();
				this.#session.stream.write({ type: "go", client: number });
			},
			failed: (client, cause) => this.#failed(client, cause),
		};
	}

	#makeInboxTerms(): InboxTerms {
		return {
			...this.#settings.inboxLimits,
			room: () => this.#session.writable(),
			changed: (messages, bytes) => {
				this.#waiting += messages;
				this.#waitingBytes += bytes;
			},
		};
	}

	/** Somebody has its id, or it is not known yet who it is. */
	async #admitLater(
		client: PeerClient,
		context: OpenContext,
		past: Past,
		known: ClientConnection | undefined,
	): Promise<void> {
		this.#pending++;
		try {
			await this.#host.freeId(known);
			const user =
				context.user ?? (await this.#hub.authenticateForwarded(new OpenedRequest(context.request)));
			const isHere = this.#clients.get(client.number) === client && !client.wire.isClosed;
			if (isHere) this.#admit(client, context, past, user);
		} catch (cause) {
			this.#refuse(client, cause);
		}
		this.#pending--;
	}

	#admit(client: PeerClient, context: OpenContext, past: Past, user: User | undefined): void {
		const { connectionId, protocol: protocolName, ids, items: pushed } = context;
		const { recovered, migrated } = past;
		if (ids !== this.#ids) this.#ids = ids;
		if (context.user === undefined && this.#hub.options.transport.authenticate)
			this.#session.stream.write({ type: "admitted", client: client.number });
		const request = new OpenedRequest(context.request);
		const [transport, idPrefix] = ["Link", this.#ids] as const;
		const identity = { connectionId, user, request, transport, protocolName, idPrefix, pushed };
		const connection = this.#hub.open({ ...identity, recovered, migrated }, client.wire);
		client.admitted(connection);
		if (client.left) this.#leave(client, connection, client.left);
	}

	#refuse(client: PeerClient, cause: unknown): void {
		if (this.#clients.get(client.number) !== client) return;
		const { connectionId, number } = client;
		this.#hub.counters.add("refusals");
		this.#hub.log.info({ connectionId, reason: messageOf(cause) }, "A forwarded client was refused.");
		this.drop(client);
		// One that has left meanwhile says so no second time.
		if (client.left) this.#gone(client);
		else this.#session.stream.write({ type: "abort", client: number, allowReconnect: false, text: REFUSED });
	}

	/** So much waits for a client while there is no room that it is ended, as it would be with a socket of its own. */
	giveUp(number: number): void {
		const client = this.#clients.get(number);
		if (!client) return;
		const { connectionId, connection } = client;
		const most = this.#session.maxBufferedBytes;
		const text = `Connection ${connectionId} was ended: more waits for it than maxBufferedBytes (${most}), and its proxy takes nothing.`;
		this.closing(number, { type: MessageType.Close, error: CLOSED_WITH_ERROR, allowReconnect: true });
		void connection?.ended({ kind: "lost", error: new TrunklineError("ERR_SLOW_CLIENT", text) });
	}

	/** Its proxy has pushed an item. @throws TrunklineError ERR_LINK_PROTOCOL: that is the proxy's doing, not the client's. */
	item({ client: number, name, value }: ItemFrame): void {
		try {
			this.#clients.get(number)?.takeItem({ name, value });
		} catch (cause) {
			throw violation("an item of a client cannot be taken", { cause });
		}
	}

	/** Hands a message on, behind those that wait. */
	message({ client: number, message }: MessageFrame): void {
		const client = this.#clients.get(number);
		if (!client) return;
		try {
			client.push(this.#decoded(message), heldBytes(message));
		} catch (cause) {
			this.#failed(client, cause);
		}
	}

	/** Arguments that go on to another server are read there. */
	#decoded(raw: RawMessage): HubMessage {
		const message = decodeRawMessage(raw);
		if ("arguments" in message && !this.#hub.wantsBytes) void message.arguments.values;
		return message;
	}

	/** A client broke the hub protocol: it is ended, as it would be with a connection of its own. */
	#failed(client: PeerClient, cause: unknown): void {
		const { connectionId } = client;
		this.#hub.log.warn({ connectionId, reason: messageOf(cause) }, "A forwarded client was lost.");
		const error = CLOSED_WITH_ERROR;
		client.wire.close({ type: MessageType.Close, error, allowReconnect: true });
		void client.connection?.ended({ kind: "lost", error: cause instanceof Error ? cause : new Error(error) });
	}

	/** A client has left its proxy: what it has sent before is handed on first. */
	close({ client: number, reason: kind, text }: CloseFrame): void {
		const client = this.#clients.get(number);
		if (!client) {
			if (this.#turnedAway.delete(number)) this.#session.stream.write({ type: "closed", client: number });
			return;
		}
		const reason = { kind, error: text === "" ? undefined : new Error(text) };
		client.left = reason;
		const { connection } = client;
		if (client.wire.isClosed) this.#gone(client);
		else if (connection) this.#leave(client, connection, reason);
	}

	#leave(client: PeerClient, connection: ClientConnection, reason: DisconnectReason): void {
		let isEnding = false;
		const end = (): void => {
			if (isEnding) return;
			isEnding = true;
			late.cancel();
			if (reason.kind === "migrated") void this.#handOver(client, connection);
			else {
				this.drop(client);
				void connection.ended(reason).then(() => this.#gone(client));
			}
		};
		// A method that never returns must not keep its client for ever.
		const late = this.#hub.clock.schedule(this.#hub.options.listenerTimeoutMs, end);
		client.whenEmpty(end);
	}

	/** Its proxy has another place for it: what runs is answered first, though not for ever. */
	async #handOver(client: PeerClient, connection: ClientConnection): Promise<void> {
		const late = this.#hub.clock.schedule(this.#hub.options.listenerTimeoutMs, () => connection.close());
		await connection.drain({ kind: "migrated" });
		late.cancel();
		this.#gone(client);
	}

	/** Both ends are done with the client: its number may be used anew. */
	#gone(client: PeerClient): void {
		if (this.#clients.get(client.number) !== client) return;
		this.#clients.delete(client.number);
		this.#session.stream.write({ type: "closed", client: client.number });
		if (this.#clients.size === 0) this.#host.emptied();
	}

	/** Nothing goes to it or comes from it any more; what nobody has seen is reported. */
	drop(client: PeerClient): void {
		if (client.isHeld) this.#host.life.release();
		for (const dropped of client.drop()) this.#reportDropped(client, dropped);
	}

	/** One with an id is reported where it is waited for. */
	#reportDropped({ connectionId }: PeerClient, dropped: HubMessage): void {
		if (dropped.type !== MessageType.Invocation || dropped.invocationId !== undefined) return;
		const reason = "Its client was ended before it could be handled.";
		this.#hub.report({ code: "ERR_CONNECTION_CLOSED", client: connectionId, target: dropped.target, reason });
	}

	/** Ends clients whose proxy is gone, some in each turn. */
	lose(clients: PeerClient[], error: Error | undefined): void {
		for (const { connection } of clients.splice(0, CLIENTS_PER_TURN))
			void connection?.ended({ kind: "lost", error });
		if (clients.length > 0) setImmediate(() => this.lose(clients, error));
	}
}
