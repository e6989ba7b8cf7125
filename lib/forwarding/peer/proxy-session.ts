import { type Deferred, deferred } from "../../base/index.js";
import { messageOf, TrunklineError } from "../../errors/index.js";
import type {
	Carrier,
	ClientConnection,
	DisconnectReason,
	Hub,
	LinkStatus,
	PreparedMessage,
	Selection,
	User,
} from "../../hub/index.js";
import {
	type CloseMessage,
	decodeRawMessage,
	type HubMessage,
	MessageType,
	type RawInvocation,
	type RawMessage,
	readMessagePack,
} from "../../protocols/index.js";
import { FrameStream } from "../link/frame-stream.js";
import { MAX_RETAINED_BYTES } from "../link/link-terms.js";
import { checkOpenContext, type OpenContext, openedRequest } from "../link/open-context.js";
import { countersOf, SessionLife } from "../observing/link-life.js";
import type { ResolvedSessionOptions, SessionEnd } from "../session/index.js";
import type {
	ClientSelection,
	CloseFrame,
	Frame,
	MessageFrame,
	OpenFrame,
	ResyncFrame,
} from "../wire/index.js";
import { violation } from "../wire/index.js";
import { FrameWire, protocolOf, stateMarkOf } from "./frame-wire.js";
import { Inbox, type InboxLimits } from "./inbox.js";
import { lostIn } from "./messages.js";
import type { PeerClient } from "./peer-client.js";
import { isOpen, numbersOf, recordsFor, takersOf } from "./recipients.js";

/** Clients that are ended in one turn when their proxy is gone; the others go on meanwhile. */
const CLIENTS_PER_TURN = 200;
const REFUSED = "The connection was refused.";
const LOST = "The proxy was lost before it had confirmed the message.";

/** What a session needs of those who keep it. */
export interface ProxySessionHost {
	readonly hub: Hub;
	readonly options: ResolvedSessionOptions;
	readonly inboxLimits: InboxLimits;
	readonly maxClients: number;
	closeLink(session: ProxySession, link: number, incarnation: number, error: TrunklineError): void;
	ended(session: ProxySession, end: SessionEnd): void;
}

/** What a session is called, and the address that its first link came from. */
export interface ProxySessionNames {
	readonly id: string;
	readonly instance: string;
	readonly peer: string;
}

/** An app server's session with one proxy instance: the clients that this proxy holds. */
export class ProxySession implements Carrier {
	/** Names the session, and the proxy's instance. */
	readonly id: string;
	readonly instance: string;
	readonly stream: FrameStream;
	readonly #host: ProxySessionHost;
	readonly #hub: Hub;
	readonly #life: SessionLife;
	readonly #clients = new Map<number, PeerClient>();
	/** Clients of which it is not known yet whether they may be here: they hear nothing that is for all. */
	#pending = 0;
	#room: Deferred<void> | undefined;
	/** Resolved when the last client has gone elsewhere. */
	#evacuated: Deferred<void> | undefined;
	/** Resolved when its last link is gone since the proxy was asked. */
	#deserted: Deferred<void> | undefined;

	constructor(host: ProxySessionHost, { instance, id, peer }: ProxySessionNames) {
		this.#host = host;
		this.#hub = host.hub;
		this.instance = instance;
		this.id = id;
		this.#life = new SessionLife(host.hub, { role: "app", wire: "native", peer });
		this.stream = new FrameStream({
			clock: host.hub.clock,
			options: host.options,
			peer: "proxy",
			listener: {
				frame: (frame) => this.#take(frame),
				writable: () => this.#freeRoom(),
				closeLink: (link, incarnation, error) => host.closeLink(this, link, incarnation, error),
				ended: (end, error) => this.#ended(end, error),
			},
		});
	}

	/** Clients of this proxy that are here. */
	get size(): number {
		return this.#clients.size;
	}

	/** As it is now. */
	get status(): LinkStatus {
		const { session } = this.stream;
		return {
			...{ ...this.#life.facts, instance: this.instance.slice(0, 8), links: session.links },
			...{ clients: this.#clients.size, held: this.#life.held, queued: 0 },
			...{ isDraining: this.#evacuated !== undefined, counters: countersOf(session.counters) },
		};
	}

	/** Undefined where a sender who can wait need not. */
	writable(): Promise<void> | undefined {
		if (!this.stream.isFull || this.stream.isOver) return undefined;
		this.#room ??= deferred();
		return this.#room.promise;
	}

	/** A link of it is gone. */
	linkLost(): void {
		if (this.stream.session.links === 0) this.#deserted?.resolve();
	}

	/** Asks the proxy to take its clients elsewhere; resolves when it knows, and none is left here. */
	async evacuate(): Promise<void> {
		this.stream.write({ type: "drain", timeoutMs: 0 });
		this.#deserted ??= deferred();
		await Promise.race([this.stream.settled(), this.#deserted.promise]);
		if (this.#clients.size === 0) return;
		this.#evacuated ??= deferred();
		await this.#evacuated.promise;
	}

	send(selection: Selection, members: readonly ClientConnection[], message: PreparedMessage): void {
		const [first] = members;
		if (first && members.length === 1) first.sendPrepared(message);
		if (members.length <= 1) return;
		const takers = takersOf(members, message, this.stream.isFull);
		if (takers.length === 0) return;
		const meant = takers === members ? this.#selectionOf(selection, members) : numbersOf(takers);
		const records = recordsFor(takers, message);
		this.stream.write({ type: "send", selection: meant, records, state: stateMarkOf(message) });
	}

	joined({ wire }: ClientConnection, group: string): void {
		if (isOpen(wire)) this.stream.write({ type: "join", client: wire.number, group });
	}

	left({ wire }: ClientConnection, group: string): void {
		if (isOpen(wire)) this.stream.write({ type: "leave", client: wire.number, group });
	}

	/** What cannot be kept is not: the client then finds its view when it asks itself. */
	retain(client: number, key: string, { target, encoding, arguments: args }: RawInvocation): void {
		if (args.length > MAX_RETAINED_BYTES) {
			const fields = { target, bytes: args.length, most: MAX_RETAINED_BYTES };
			this.#hub.log.debug(fields, "A call is too large to be retained.");
			return;
		}
		try {
			this.stream.write({ type: "retain", client, key, target, encoding, arguments: args });
		} catch (err) {
			this.#hub.log.debug({ err }, "A call could not be retained.");
		}
	}

	forget(client: number, key: string): void {
		if (key.length <= 256) this.stream.write({ type: "forget", client, key });
	}

	/** A client's connection is ended at this end: its proxy is to end it too. */
	closing(number: number, { error, allowReconnect = false }: CloseMessage): void {
		const client = this.#clients.get(number);
		if (!client) return;
		this.#drop(client);
		if (client.left) return;
		// Its proxy opens it again where we are replaced: the end of the session tells it so.
		if (this.#hub.isClosing && allowReconnect && this.#hub.options.recovery === "reopen") return;
		this.stream.write({ type: "abort", client: number, allowReconnect, text: error });
	}

	#take(frame: Frame): void {
		switch (frame.type) {
			case "message":
				this.#message(frame);
				break;
			case "open":
				this.#open(frame);
				break;
			case "close":
				this.#close(frame);
				break;
			case "pause":
			case "resume":
				this.#clients.get(frame.client)?.wire[frame.type]();
				break;
			case "resync":
				this.#resync(frame);
		}
	}

	#resync({ client: number, key }: ResyncFrame): void {
		const connection = this.#clients.get(number)?.connection;
		if (connection) this.#hub.stateSources.plan(() => this.#hub.stateSources.ask(connection, key));
	}

	#open(frame: OpenFrame): void {
		const { client: number } = frame;
		if (this.#clients.has(number)) throw violation(`client ${number} was opened twice`);
		if (this.#clients.size >= this.#host.maxClients)
			throw violation("it has more clients than a session may have");
		const context = checkOpenContext(readMessagePack(frame.context));
		const client = this.#clientOf(number, context);
		this.#clients.set(number, client);
		const known = this.#hub.lifetime.get(context.connectionId);
		if (!known && (context.user || !this.#hub.options.transport.authenticate))
			this.#admit(client, context, frame.recovered, context.user);
		else void this.#admitLater(client, context, frame.recovered, known);
	}

	#clientOf(number: number, { connectionId, protocol }: OpenContext): PeerClient {
		const client: PeerClient = {
			...{ number, connectionId, connection: undefined, left: undefined },
			wire: new FrameWire(this, number, protocolOf(protocol)),
			inbox: new Inbox(this.#host.inboxLimits, {
				hold: () => {
					this.#life.hold();
					this.stream.write({ type: "hold", client: number });
				},
				go: () => {
					this.#life.release();
					this.stream.write({ type: "go", client: number });
				},
				failed: (cause) => this.#failed(client, cause),
			}),
		};
		return client;
	}

	/** Somebody has its id, or it is not known yet who it is. */
	async #admitLater(
		client: PeerClient,
		context: OpenContext,
		isRecovered: boolean,
		known: ClientConnection | undefined,
	): Promise<void> {
		this.#pending++;
		try {
			await this.#replace(known);
			const user = context.user ?? (await this.#hub.authenticateForwarded(openedRequest(context)));
			if (this.#clients.get(client.number) === client) this.#admit(client, context, isRecovered, user);
		} catch (cause) {
			this.#refuse(client, cause);
		}
		this.#pending--;
	}

	/** A session of this proxy that is over can still be ending: then the id is free as soon as its end has run. */
	async #replace(known: ClientConnection | undefined): Promise<void> {
		if (!known) return;
		const { carrier } = known.wire;
		if (!(carrier instanceof ProxySession) || carrier.instance !== this.instance || carrier === this)
			throw new TrunklineError("ERR_LINK_PROTOCOL", "A link claimed a client that is not its own.");
		await known.ended({ kind: "lost" });
	}

	#admit(client: PeerClient, context: OpenContext, recovered: boolean, user: User | undefined): void {
		const { connectionId, protocol: protocolName, ids: idPrefix } = context;
		const request = openedRequest(context);
		const identity = {
			connectionId,
			user,
			request,
			transport: "Link",
			protocolName,
			idPrefix,
			recovered,
		} as const;
		const connection = this.#hub.open(identity, client.wire);
		client.connection = connection;
		client.inbox.open(connection);
		if (client.left) this.#leave(client, connection, client.left);
	}

	#refuse(client: PeerClient, cause: unknown): void {
		if (this.#clients.get(client.number) !== client) return;
		const { connectionId, number } = client;
		this.#hub.counters.add("refusals");
		this.#hub.log.info({ connectionId, reason: messageOf(cause) }, "A forwarded client was refused.");
		this.#drop(client);
		this.stream.write({ type: "abort", client: number, allowReconnect: false, text: REFUSED });
	}

	#message({ client: number, message }: MessageFrame): void {
		const client = this.#clients.get(number);
		if (!client) return;
		try {
			const { type } = message;
			const bytes = type === MessageType.Invocation ? message.arguments.length : 64;
			client.inbox.push(this.#decoded(message), bytes);
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
		const error = "Connection closed with an error.";
		client.wire.close({ type: MessageType.Close, error, allowReconnect: true });
		void client.connection?.ended({ kind: "lost", error: cause instanceof Error ? cause : new Error(error) });
	}

	/** What the client has sent before is handed on first. */
	#close({ client: number, reason: kind, text }: CloseFrame): void {
		const client = this.#clients.get(number);
		if (!client) return;
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
				this.#drop(client);
				void connection.ended(reason).then(() => this.#gone(client));
			}
		};
		// A method that never returns must not keep its client for ever.
		const late = this.#hub.clock.schedule(this.#hub.options.listenerTimeoutMs, end);
		client.inbox.whenEmpty(end);
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
		this.stream.write({ type: "closed", client: client.number });
		if (this.#clients.size === 0) this.#evacuated?.resolve();
	}

	/** Nothing goes to it or comes from it any more; what nobody has seen is reported. */
	#drop(client: PeerClient): void {
		client.wire.cut();
		if (client.inbox.isHeld) this.#life.release();
		for (const dropped of client.inbox.close()) this.#reportDropped(client, dropped);
	}

	/** One with an id is reported where it is waited for. */
	#reportDropped({ connectionId }: PeerClient, dropped: HubMessage): void {
		if (dropped.type !== MessageType.Invocation || dropped.invocationId !== undefined) return;
		const reason = "Its client was ended before it could be handled.";
		this.#hub.report({ code: "ERR_CONNECTION_CLOSED", client: connectionId, target: dropped.target, reason });
	}

	#selectionOf(selection: Selection, members: readonly ClientConnection[]): ClientSelection {
		switch (selection.kind) {
			case "all":
				if (this.#pending > 0) break;
				return { kind: "all", except: this.#numbersOf(selection.except) };
			case "groups":
				return { kind: "groups", groups: selection.groups, except: this.#numbersOf(selection.except) };
		}
		return numbersOf(members);
	}

	/** The numbers of those connections that are this proxy's. */
	#numbersOf(connectionIds: readonly string[] = []): readonly number[] {
		return connectionIds.flatMap((id) => {
			const wire = this.#hub.lifetime.get(id)?.wire;
			return isOpen(wire) && wire.carrier === this ? wire.number : [];
		});
	}

	#freeRoom(): void {
		this.#room?.resolve();
		this.#room = undefined;
	}

	/** The proxy is gone, or we are: each client ends once. */
	#ended(end: SessionEnd, error: TrunklineError | undefined): void {
		const { reason } = end;
		this.#freeRoom();
		this.#evacuated?.resolve();
		for (const client of lostIn(end)) {
			const connectionId = client === undefined ? undefined : this.#clients.get(client)?.connectionId;
			this.#hub.report({ code: "ERR_FORWARD_LINK_LOST", client: connectionId, reason: LOST });
		}
		const clients = [...this.#clients.values()];
		this.#clients.clear();
		const fields = {
			proxy: this.instance.slice(0, 8),
			reason,
			clients: clients.length,
			cause: error?.message,
		};
		this.#hub.log[reason === "closed" ? "info" : "warn"](fields, "A session with a proxy is over.");
		for (const client of clients) this.#drop(client);
		const { counters } = this.stream.session;
		this.#life.ended(end, error, { clients: clients.length, counters });
		this.#endSome(clients, error);
		this.#host.ended(this, end);
	}

	#endSome(clients: PeerClient[], error: Error | undefined): void {
		for (const { connection } of clients.splice(0, CLIENTS_PER_TURN))
			void connection?.ended({ kind: "lost", error });
		if (clients.length > 0) setImmediate(() => this.#endSome(clients, error));
	}
}
