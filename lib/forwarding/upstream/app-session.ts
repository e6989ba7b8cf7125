import type { TrunklineError } from "../../errors/index.js";
import { messageOf } from "../../errors/index.js";
import type { DisconnectReason, Hub, LinkLoad, PushedItem } from "../../hub/index.js";
import {
	encodeRawMessage,
	encodingOf,
	MessageType,
	type RawMessage,
	writeMessagePack,
} from "../../protocols/index.js";
import { FrameStream } from "../link/frame-stream.js";
import { newLinkId } from "../link/link-greeting.js";
import { ADMITS_FEATURE, REOPEN_FEATURE, SHARED_FEATURE } from "../link/link-terms.js";
import { openContextOf } from "../link/open-context.js";
import { SessionLife } from "../observing/link-life.js";
import type { ResolvedSessionOptions, SessionEnd } from "../session/index.js";
import { ClientShare } from "../sharing/client-share.js";
import { WindowShares } from "../sharing/window-shares.js";
import { type Frame, FrameWriter, type Hello, MAX_NAME_BYTES } from "../wire/index.js";
import { AppFrames } from "./app-frames.js";
import type { ForwardedClient } from "./forwarded-client.js";
import { RemoteClient } from "./remote-client.js";

/** Why a client went, in as many characters as an app server is told of it. */
const MAX_CLOSE_TEXT = 500;

/** What a session needs of its upstream. */
export interface AppSessionHost {
	readonly hub: Hub;
	readonly options: ResolvedSessionOptions;
	/** Bytes that may wait for room in the app server's window before more messages are refused. */
	readonly maxWaitingBytes: number;
	/** What one client may have on its way while that window is scarce, in bytes. */
	readonly windowShareBytes: number;
	closeLink(session: AppSession, link: number, incarnation: number, error: TrunklineError): void;
	/** The session is over, and its clients have left it. */
	ended(session: AppSession, end: SessionEnd, error: TrunklineError | undefined): void;
	/** The app server stops: its clients go elsewhere within this time. */
	draining(session: AppSession, timeoutMs: number): void;
	/** The app server is done with a client that is still there: it was moved, or refused. */
	freed(remote: RemoteClient): void;
}

/** Where a session leads, and how ids of calls to its clients begin. */
export interface AppSessionPlace {
	readonly url: string;
	readonly weight: number;
	readonly ids: string;
}

/**
 * A proxy's session with one app-server instance: its clients by their numbers, and what goes up for them. Life: new
 * (the app server has not said anything in it) → up ⇄ away → over.
 */
export class AppSession {
	/** Names the session. */
	readonly id: Buffer = newLinkId();
	/** Names the instance. */
	readonly instance: Buffer;
	/** The instance's name, the same at every proxy. */
	readonly name: string;
	/** The address by which it was reached first, and that one's share among replicas. */
	readonly url: string;
	readonly weight: number;
	/** Types of view models of which clients share one. */
	readonly sharedTypes: ReadonlySet<string>;
	/** Whether its clients are opened again at another instance when it is gone. */
	readonly reopens: boolean;
	/** How ids of calls to clients begin, beside what the client's connection says. */
	readonly ids: string;
	readonly stream: FrameStream;
	/** As it is counted and told. */
	readonly life: SessionLife;
	readonly clients: Map<number, RemoteClient> = new Map();
	/** Whether the app server is about to stop. */
	isDraining = false;
	/** Whether all links found nobody at its address since it had its last one. */
	isDeserted = false;
	/** Whether it says by ADMITTED which clients it has let in that are nobody here. */
	readonly #admits: boolean;
	readonly #host: AppSessionHost;
	readonly #frames: AppFrames;
	readonly #shares: WindowShares;
	/** Writes what may have to wait. */
	readonly #writer = new FrameWriter();
	readonly #free: number[] = [];
	#nextNumber = 1;
	#isNew = true;
	#whenEmpty: (() => void) | undefined;
	#load: LinkLoad | undefined;
	/** Clients of this proxy that it had when it told its load. */
	#ownThen = 0;

	constructor(host: AppSessionHost, hello: Hello, { url, weight, ids }: AppSessionPlace) {
		this.#host = host;
		this.url = url;
		this.weight = weight;
		this.instance = hello.instance;
		this.name = hello.instance.toString("hex");
		const shared = hello.features.filter((feature) => feature.startsWith(SHARED_FEATURE));
		this.sharedTypes = new Set(shared.map((feature) => feature.slice(SHARED_FEATURE.length)));
		this.reopens = hello.features.includes(REOPEN_FEATURE);
		this.#admits = hello.features.includes(ADMITS_FEATURE);
		this.ids = ids;
		this.#frames = new AppFrames(this, host.hub);
		this.life = new SessionLife(host.hub, { role: "proxy", wire: "native", peer: url });
		this.stream = new FrameStream({
			clock: host.hub.clock,
			options: host.options,
			peer: "app",
			listener: {
				frame: (frame) => this.#take(frame),
				advanced: () => this.#shares.serve(),
				closeLink: (link, incarnation, error) => host.closeLink(this, link, incarnation, error),
				ended: (end, error) => this.#ended(end, error),
			},
		});
		this.#shares = new WindowShares(this.stream, host.windowShareBytes);
	}

	/** Whether the app server cannot know of it yet. */
	get isNew(): boolean {
		return this.#isNew;
	}

	/** What the instance has told of its load; undefined before it has. */
	get load(): LinkLoad | undefined {
		return this.#load;
	}

	/** Clients that the instance has, whoever holds them: as it has told, with those that came and went here since. */
	get population(): number {
		const own = this.clients.size;
		return this.#load ? Math.max(own, this.#load.clients + own - this.#ownThen) : own;
	}

	get isOver(): boolean {
		return this.stream.isOver;
	}

	/** Its address is not to be used any more: it is over as soon as its last client is elsewhere. */
	abandon(whenEmpty: () => void): void {
		this.isDraining = true;
		if (this.clients.size === 0) whenEmpty();
		else this.#whenEmpty = whenEmpty;
	}

	/** Something of the app server's came in this session. */
	heard(): void {
		this.#isNew = false;
	}

	/** Messages of clients that wait for room in the app server's window. */
	get waiting(): number {
		return this.#shares.waiting;
	}

	/** Bytes of those. */
	get waitingBytes(): number {
		return this.#shares.waitingBytes;
	}

	/** So much waits for the app server that more messages are refused. */
	get isOverfull(): boolean {
		return this.#shares.waitingBytes > this.#host.maxWaitingBytes;
	}

	/** Opens a client here. @throws TrunklineError ERR_FORWARD_TOO_LARGE, ERR_SERIALIZATION for its context */
	open(client: ForwardedClient): RemoteClient {
		const { connection } = client;
		const ids = `${connection.idPrefix}${this.ids}`;
		const context = writeMessagePack(openContextOf(connection, ids, this.#host.hub.serverId));
		const number = this.#free.at(-1) ?? this.#nextNumber;
		const recovered = client.before !== undefined;
		const migrated = client.before === "migrated";
		this.stream.write({ type: "open", client: number, recovered, migrated, context });
		if (this.#free.pop() === undefined) this.#nextNumber++;
		const remote = new RemoteClient(client, this, number);
		remote.isPending = this.#admits && connection.user === undefined;
		this.clients.set(number, remote);
		return remote;
	}

	/**
	 * Sends a client's message up, now or in its turn. `remote.room` asks to hold its reading.
	 * @throws as {@link FrameStream.write}; nothing was sent then
	 */
	send(remote: RemoteClient, message: RawMessage): void {
		this.#write(remote, { type: "message", client: remote.number, message });
	}

	/** Sends all that waits: there is no later. */
	flush(): void {
		this.#shares.flush();
		this.stream.flush();
	}

	/** Says that a client has no room for what can wait, or has room again. */
	pace(remote: RemoteClient, type: "pause" | "resume"): void {
		if (this.clients.get(remote.number) === remote && !remote.client.hasEnded)
			this.stream.write({ type, client: remote.number });
	}

	/** Tells the app server of an item, before what the client says next. */
	pushItem(remote: RemoteClient, { name, value }: PushedItem): void {
		if (this.clients.get(remote.number) === remote && !remote.client.hasEnded)
			this.#write(remote, { type: "itemUp", client: remote.number, name, value });
	}

	/** Asks for the whole of a state. */
	resync(remote: RemoteClient, key: string): void {
		if (this.clients.get(remote.number) !== remote || Buffer.byteLength(key) > MAX_NAME_BYTES) return;
		this.stream.write({ type: "resync", client: remote.number, key });
	}

	/** The client is gone at this end. */
	close(remote: RemoteClient, { kind: reason, error }: DisconnectReason): void {
		// What runs over there is still answered.
		if (reason !== "migrated") remote.leave();
		if (reason !== "migrated") this.#frames.leaveAll(remote);
		this.#write(remote, { type: "close", client: remote.number, reason, text: closeTextOf(error) });
	}

	/** Passes a client's answers on to the app server, which asked it. */
	relayAnswers(remote: RemoteClient): void {
		if (remote.stopAnswers) return;
		const { connection } = remote.client;
		const encoding = encodingOf(connection.protocolName);
		remote.stopAnswers = connection.relayAnswers(`${connection.idPrefix}${this.ids}`, (completion) => {
			if (this.clients.get(remote.number) !== remote || remote.client.hasEnded) return;
			const message = encodeRawMessage({ ...completion, type: MessageType.Completion }, encoding);
			this.send(remote, message);
		});
	}

	/** The app server is done with a client: its number may be used anew. */
	free(remote: RemoteClient): void {
		if (!this.clients.delete(remote.number)) return;
		this.#free.push(remote.number);
		// Another client is to have that number.
		if (remote.share) this.#shares.drop(remote.share);
		remote.leave();
		remote.client.left(remote);
		this.#host.freed(remote);
		if (this.clients.size === 0) this.#whenEmpty?.();
	}

	/** What a client says stands in one order, its end included; what its proxy says of its reading need not. */
	#write(remote: RemoteClient, frame: Frame): void {
		if (this.#shares.isOpen) this.stream.write(frame);
		else if (!this.stream.isOver) {
			this.#writer.write(frame);
			remote.share ??= new ClientShare();
			this.#shares.write(remote.share, this.#writer.take());
		}
	}

	#take(frame: Frame): void {
		this.heard();
		if (frame.type === "drain") {
			this.isDraining = true;
			// Behind every OPEN that was written, and there is none from here on.
			this.stream.write({ type: "drained" });
			this.#host.draining(this, frame.timeoutMs);
		} else if (frame.type === "load") this.#loaded(frame);
		else this.#frames.take(frame);
	}

	#loaded({ clients, delayMs }: LinkLoad): void {
		this.#load = { clients, delayMs };
		this.#ownThen = this.clients.size;
		this.life.loaded(this.#load);
	}

	#ended(over: SessionEnd, error: TrunklineError | undefined): void {
		const { hub } = this.#host;
		const end = { ...over, unsent: [...over.unsent, ...this.#shares.take()] };
		const { url } = this;
		const cause = error && { cause: messageOf(error) };
		const fields = { url, reason: end.reason, clients: this.clients.size, ...cause };
		hub.log[end.reason === "closed" ? "info" : "warn"](fields, "A session with an app server is over.");
		const { counters } = this.stream.session;
		this.life.ended(end, error, { clients: this.clients.size, counters });
		this.#host.ended(this, end, error);
	}
}

/** A client may have written it: what is no text in UTF-8 must not break the link. */
function closeTextOf(error: Error | undefined): string {
	return Buffer.from((error?.message ?? "").slice(0, MAX_CLOSE_TEXT)).toString();
}
