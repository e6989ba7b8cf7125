import type { BackoffOptions } from "../../base/index.js";
import { messageOf, type TrunklineError } from "../../errors/index.js";
import type { Hub } from "../../hub/index.js";
import { checkAnswerProof, checkHello, NEW_SESSION_FEATURE } from "../link/link-greeting.js";
import { LinkSegments } from "../link/link-segments.js";
import { DRAINED_FEATURE, UNKNOWN_SESSION } from "../link/link-terms.js";
import { LinkLife } from "../observing/link-life.js";
import type { LinkPort } from "../session/index.js";
import type { AppSession } from "../upstream/app-session.js";
import { ByeCode, type Hello, LINK_VERSIONS } from "../wire/index.js";
import type { ResolvedLinkTls } from "./link-tls.js";
import { SegmentLink } from "./segment-link.js";

/** What {@link UpstreamLinks} are made of. */
export interface UpstreamLinksSettings {
	readonly url: string;
	/** Its share among replicas. */
	readonly weight: number;
	/** Names this end, the same for all addresses of an upstream: they may lead to one app server. */
	readonly instance: Buffer;
	/** The place of the first link among those of all addresses. */
	readonly firstPlace: number;
	readonly poolSize: number;
	readonly secret: string | undefined;
	readonly tls: ResolvedLinkTls | undefined;
	readonly reconnect: BackoffOptions;
	readonly hub: Hub;
}

/** Who hears of them. */
export interface UpstreamLinksListener {
	/** The session for the instance that a link has reached: the one at hand, or a new one. */
	sessionFor(hello: Hello, links: UpstreamLinks): AppSession;
	/** A link has joined the session. */
	joined(session: AppSession): void;
	/** Nobody listens at the address: who did is gone. */
	deserted(links: UpstreamLinks): void;
	/** The app server has ended a session, or does not know it. */
	over(session: AppSession, reason: "closed" | "restarted"): void;
	/** The server at the url knows no native link; all links rest. */
	unknown(links: UpstreamLinks): void;
}

/** How long the same trouble of a link is not told again, in milliseconds. */
const QUIET_MS = 60_000;

/** A link that is up, and what it has become part of. */
interface Joined {
	readonly segments: LinkSegments;
	readonly port: LinkPort;
	readonly session: AppSession;
	readonly life: LinkLife;
}

/**
 * The links to one url. Each finds out by the app server's HELLO which instance it has reached, and joins the session
 * with that one; several instances behind one url make several sessions (PROTOCOL.md, "Link").
 */
export class UpstreamLinks {
	readonly #settings: UpstreamLinksSettings;
	readonly #listener: UpstreamLinksListener;
	readonly #links: readonly SegmentLink[];
	readonly #segments = new Map<SegmentLink, LinkSegments>();
	readonly #joined = new Map<SegmentLink, Joined>();
	/** Links that found nobody at the address since they were up. */
	readonly #refusals = new Set<SegmentLink>();
	/** When which kind of trouble was told last. */
	readonly #told = new Map<string, number>();

	constructor(settings: UpstreamLinksSettings, listener: UpstreamLinksListener) {
		this.#settings = settings;
		this.#listener = listener;
		const owner = {
			up: (link: SegmentLink) => this.#up(link),
			bytes: (link: SegmentLink, bytes: Buffer) => this.#segments.get(link)?.receive(bytes),
			down: (link: SegmentLink) => this.#down(link),
			refused: (link: SegmentLink) => this.#refused(link),
			unknown: () => this.#unknown(),
		};
		const { clock, log } = settings.hub;
		const linkSettings = { ...settings, clock, log };
		this.#links = Array.from(
			{ length: settings.poolSize },
			(_, at) => new SegmentLink(settings.firstPlace + at, linkSettings, owner),
		);
	}

	get url(): string {
		return this.#settings.url;
	}

	/** Its first place is free again once it is closed. */
	get firstPlace(): number {
		return this.#settings.firstPlace;
	}

	get weight(): number {
		return this.#settings.weight;
	}

	/** Whether every link has joined a session. */
	get isWhole(): boolean {
		return this.#joined.size === this.#links.length;
	}

	/** Links of one session. */
	of(session: AppSession): number {
		let count = 0;
		for (const joined of this.#joined.values()) if (joined.session === session) count++;
		return count;
	}

	open(): void {
		for (const link of this.#links) link.open();
	}

	/** Cuts a link that the session has dropped; it connects anew. */
	cut(place: number, incarnation: number, error: TrunklineError): void {
		const { url, hub } = this.#settings;
		const link = this.#links[place - this.#settings.firstPlace];
		// The session may have links to other addresses: each has its own places.
		if (!link) return;
		hub.log.warn(
			{ url, link: place, code: error.code, reason: error.message },
			"A link to an app server is closed.",
		);
		if (link.incarnation !== incarnation) return;
		this.#joined.get(link)?.life.failed(error);
		link.cut();
	}

	/** Tells the app server that a session is over, and lets its links connect anew. */
	leave(session: AppSession): void {
		for (const [link, joined] of this.#joined) {
			if (joined.session !== session) continue;
			joined.segments.bye(ByeCode.SessionOver, "");
			this.#forget(link, joined);
			link.cut();
		}
	}

	/** Ends all links for good; resolves when their sockets are gone. */
	async close(): Promise<void> {
		for (const [link, joined] of this.#joined) {
			joined.segments.bye(ByeCode.SessionOver, "");
			this.#forget(link, joined);
		}
		this.#segments.clear();
		await Promise.all(this.#links.map((link) => link.close()));
	}

	/** The app server speaks first: only then it is known which session the link is for. */
	#up(link: SegmentLink): void {
		this.#refusals.delete(link);
		const segments = new LinkSegments((bytes) => link.send(bytes), {
			hello: (hello) => this.#greeted(link, segments, hello),
			data: (data) => {
				const joined = this.#joined.get(link);
				joined?.session.heard();
				joined?.session.stream.session.receiveData(joined.port.link, joined.port.incarnation, data);
			},
			acks: (acks) => {
				const joined = this.#joined.get(link);
				joined?.session.heard();
				joined?.session.stream.session.receiveAcks(joined.port.link, joined.port.incarnation, acks);
			},
			over: (code, error) => this.#over(link, code, error),
		});
		this.#segments.set(link, segments);
	}

	#greeted(link: SegmentLink, segments: LinkSegments, hello: Hello): void {
		const { secret } = this.#settings;
		checkHello(hello, "app");
		if (secret !== undefined) checkAnswerProof(hello, secret, link.proof);
		const session = this.#listener.sessionFor(hello, this);
		const port: LinkPort = {
			link: link.place,
			incarnation: link.incarnation,
			send: (data) => segments.send(data),
			sendAck: (acks) => segments.sendAck(acks),
		};
		segments.hello(this.#helloFor(session, port));
		const { url, hub } = this.#settings;
		const life = new LinkLife(hub, { role: "proxy", wire: "native", peer: url });
		this.#joined.set(link, { segments, port, session, life });
		link.greeted();
		const fault = session.stream.session.addLink(port, { delivered: 0, window: hello.window });
		if (fault) throw fault;
		this.#listener.joined(session);
		for (const other of this.#links) other.hurry();
	}

	#helloFor(session: AppSession, { link, incarnation }: LinkPort): Hello {
		return {
			...{ versions: LINK_VERSIONS, role: "proxy", instance: this.#settings.instance, session: session.id },
			...{ link, incarnation, ...session.stream.session.greeting() },
			features: session.isNew ? [NEW_SESSION_FEATURE, DRAINED_FEATURE] : [DRAINED_FEATURE],
		};
	}

	/** The peer has ended the link, or cannot be understood. */
	#over(link: SegmentLink, code: number, error: TrunklineError): void {
		const { url, hub } = this.#settings;
		const { session, life } = this.#joined.get(link) ?? {};
		life?.failed(error);
		const isQuiet = code === ByeCode.SessionOver || code === ByeCode.Done || this.#wasTold(error.code);
		hub.log[isQuiet ? "debug" : "warn"](
			{ url, code: error.code, reason: messageOf(error) },
			"A link is over.",
		);
		if (session && code === ByeCode.SessionOver)
			this.#listener.over(session, error.message.endsWith(UNKNOWN_SESSION) ? "restarted" : "closed");
		else if (session && error.code === "ERR_LINK_PROTOCOL")
			session.stream.session.rejectLink(link.place, link.incarnation, error.message);
		link.cut();
	}

	/** All links have the same troubles, again and again: each is told once a minute. */
	#wasTold(code: string): boolean {
		const now = this.#settings.hub.clock.elapsed();
		const toldAt = this.#told.get(code);
		if (toldAt !== undefined && now - toldAt < QUIET_MS) return true;
		this.#told.set(code, now);
		return false;
	}

	#down(link: SegmentLink): void {
		this.#segments.delete(link);
		const joined = this.#joined.get(link);
		this.#joined.delete(link);
		joined?.life.down();
		joined?.session.stream.session.removeLink(joined.port.link, joined.port.incarnation);
	}

	/** This end ends it. */
	#forget(link: SegmentLink, { life }: Joined): void {
		this.#joined.delete(link);
		life.closing();
		life.down();
	}

	#refused(link: SegmentLink): void {
		this.#refusals.add(link);
		if (this.#refusals.size === this.#links.length) this.#listener.deserted(this);
	}

	/** All lead to the same place: one answer counts for all. */
	#unknown(): void {
		if (this.#joined.size === 0) this.#listener.unknown(this);
	}
}
