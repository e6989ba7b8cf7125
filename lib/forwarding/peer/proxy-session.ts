import { type Deferred, deferred } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import {
	type Carrier,
	type ClientConnection,
	DEFAULT_MAX_BUFFERED_BYTES,
	type Hub,
	type LinkLoad,
	type LinkStatus,
	type PreparedMessage,
	type Selection,
} from "../../hub/index.js";
import type { CloseMessage, RawInvocation } from "../../protocols/index.js";
import { FrameStream } from "../link/frame-stream.js";
import { MAX_RETAINED_BYTES } from "../link/link-terms.js";
import { countersOf, SessionLife } from "../observing/link-life.js";
import type { ResolvedSessionOptions, SessionEnd } from "../session/index.js";
import type { ClientSelection, Frame, ResyncFrame } from "../wire/index.js";
import { isName, stateMarkOf } from "./frame-wire.js";
import type { InboxLimits } from "./inbox.js";
import type { LoadListener } from "./load-reports.js";
import { lostIn } from "./messages.js";
import { PeerClients } from "./peer-clients.js";
import { isOpen, numbersOf, recordsFor, takersOf } from "./recipients.js";

const LOST = "The proxy was lost before it had confirmed the message.";

/** What a session needs of those who keep it. */
export interface ProxySessionHost {
	readonly hub: Hub;
	readonly options: ResolvedSessionOptions;
	readonly inboxLimits: InboxLimits;
	readonly maxClients: number;
	/** A client of the proxy at this address was refused: it has {@link maxClients}. */
	full(remoteAddress: string): void;
	closeLink(session: ProxySession, link: number, incarnation: number, error: TrunklineError): void;
	ended(session: ProxySession, end: SessionEnd): void;
}

/** What a session is called, and the address that its first link came from. */
export interface ProxySessionNames {
	readonly id: string;
	readonly instance: string;
	readonly peer: string;
	/** Whether it answers DRAIN. */
	readonly answersDrain: boolean;
}

/** An app server's session with one proxy instance: the clients that this proxy holds. */
export class ProxySession implements Carrier, LoadListener {
	/** Names the session, and the proxy's instance. */
	readonly id: string;
	readonly instance: string;
	readonly stream: FrameStream;
	/** Bytes that may wait for one client while there is no room, before it is given up. */
	readonly maxBufferedBytes: number;
	/** Counts the times without room in the proxy's window. */
	shortages = 0;
	readonly #host: ProxySessionHost;
	readonly #hub: Hub;
	readonly #life: SessionLife;
	readonly #clients: PeerClients;
	#room: Deferred<void> | undefined;
	/** Resolved when the last client has gone elsewhere. */
	#evacuated: Deferred<void> | undefined;
	/** Resolved when its last link is gone since the proxy was asked. */
	#deserted: Deferred<void> | undefined;
	/** Resolved when the proxy opens no client here any more. */
	#drained: Deferred<void> | undefined;
	readonly #answersDrain: boolean;
	#told: LinkLoad | undefined;

	constructor(host: ProxySessionHost, { instance, id, peer, answersDrain }: ProxySessionNames) {
		this.#host = host;
		this.#hub = host.hub;
		this.instance = instance;
		this.id = id;
		this.maxBufferedBytes = host.hub.options.transport.maxBufferedBytes ?? DEFAULT_MAX_BUFFERED_BYTES;
		this.#answersDrain = answersDrain;
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
		this.#clients = new PeerClients(this, host, {
			life: this.#life,
			freeId: (known) => this.#freeId(known),
			emptied: () => this.#evacuated?.resolve(),
			full: () => host.full(peer),
		});
	}

	/** As it is now. */
	get status(): LinkStatus {
		const { session } = this.stream;
		return {
			...{ ...this.#life.facts, instance: this.instance.slice(0, 8), links: session.links },
			...{ clients: this.#clients.size, held: this.#life.held },
			...{ queued: this.#clients.waiting, queuedBytes: this.#clients.waitingBytes },
			...{ isDraining: this.#drained !== undefined, load: this.#told },
			counters: countersOf(session.counters),
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

	/** What the proxy was told last of this app server's load. */
	get told(): LinkLoad | undefined {
		return this.#told;
	}

	/** Tells the proxy of this app server's load; later, where it could not hear of it now. */
	tell(load: LinkLoad): void {
		if (this.stream.isFull || this.stream.session.links === 0) return;
		this.#told = load;
		this.stream.write({ type: "load", ...load });
		this.#life.loaded(load);
	}

	/**
	 * Asks the proxy to take its clients elsewhere; resolves when it opens none here any more, and none is left. A proxy
	 * without a link is not waited for.
	 */
	async evacuate(): Promise<void> {
		this.stream.write({ type: "drain", timeoutMs: 0 });
		this.#deserted ??= deferred();
		this.#drained ??= deferred();
		if (this.stream.session.links === 0) return;
		const isKnown = this.#answersDrain ? this.#drained.promise : this.stream.settled();
		await Promise.race([isKnown, this.#deserted.promise]);
		if (this.#clients.size === 0) return;
		this.#evacuated ??= deferred();
		await Promise.race([this.#evacuated.promise, this.#deserted.promise]);
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
		if (isOpen(wire) && isName(group)) this.stream.write({ type: "join", client: wire.number, group });
	}

	left({ wire }: ClientConnection, group: string): void {
		if (isOpen(wire) && isName(group)) this.stream.write({ type: "leave", client: wire.number, group });
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
		if (isName(key)) this.stream.write({ type: "forget", client, key });
	}

	/** Too much waits for a client. */
	giveUp(number: number): void {
		this.#clients.giveUp(number);
	}

	/** A client's connection is ended at this end: its proxy is to end it too. */
	closing(number: number, close: CloseMessage): void {
		this.#clients.closing(number, close);
	}

	#take(frame: Frame): void {
		switch (frame.type) {
			case "message":
				this.#clients.message(frame);
				break;
			case "open":
				this.#clients.open(frame);
				break;
			case "close":
				this.#clients.close(frame);
				break;
			case "pause":
			case "resume":
				this.#clients.get(frame.client)?.wire[frame.type]();
				break;
			case "resync":
				this.#resync(frame);
				break;
			case "itemUp":
				this.#clients.item(frame);
				break;
			case "drained":
				this.#drained?.resolve();
		}
	}

	#resync({ client: number, key }: ResyncFrame): void {
		const connection = this.#clients.get(number)?.connection;
		if (connection) this.#hub.stateSources.plan(() => this.#hub.stateSources.ask(connection, key));
	}

	/** A session of this proxy that is over can still be ending: then the id is free as soon as its end has run. */
	async #freeId(known: ClientConnection | undefined): Promise<void> {
		if (!known) return;
		const { carrier } = known.wire;
		if (!(carrier instanceof ProxySession) || carrier.instance !== this.instance || carrier === this)
			throw new TrunklineError("ERR_LINK_PROTOCOL", "A link claimed a client that is not its own.");
		await known.ended({ kind: "lost" });
	}

	#selectionOf(selection: Selection, members: readonly ClientConnection[]): ClientSelection {
		switch (selection.kind) {
			case "all":
				if (this.#clients.hasPending) break;
				return { kind: "all", except: this.#numbersOf(selection.except) };
			case "groups":
				// The proxy was not told of a group whose name cannot cross.
				if (!selection.groups.every(isName)) break;
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
		this.shortages++;
		this.#room?.resolve();
		this.#room = undefined;
	}

	/** The proxy is gone, or we are: each client ends once. */
	#ended(end: SessionEnd, error: TrunklineError | undefined): void {
		const { reason } = end;
		this.#freeRoom();
		this.#drained?.resolve();
		this.#evacuated?.resolve();
		for (const client of lostIn(end)) {
			const connectionId = client === undefined ? undefined : this.#clients.get(client)?.connectionId;
			this.#hub.report({ code: "ERR_FORWARD_LINK_LOST", client: connectionId, reason: LOST });
		}
		const clients = this.#clients.takeAll();
		const cause = error && { cause: error.message };
		const fields = { proxy: this.instance.slice(0, 8), reason, clients: clients.length, ...cause };
		this.#hub.log[reason === "closed" ? "info" : "warn"](fields, "A session with a proxy is over.");
		for (const client of clients) this.#clients.drop(client);
		const { counters } = this.stream.session;
		this.#life.ended(end, error, { clients: clients.length, counters });
		this.#clients.lose(clients, error);
		this.#host.ended(this, end);
	}
}
