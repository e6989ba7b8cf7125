import type { ErrorCode } from "../../errors/index.js";

/** What is said of a link, or of a session, between a proxy and an app server. All values are few, so that they can be labels. */
export interface LinkFacts {
	/** Which end this hub is. */
	readonly role: "proxy" | "app";
	/** What is spoken: the native link, or dotNetify's wire. */
	readonly wire: "native" | "dotnetify";
	/** Who is at the other end: at a proxy the url of the app server, at an app server the address of the proxy's socket. */
	readonly peer: string;
}

/** The end of a link. */
export interface LinkEndFacts extends LinkFacts {
	/** Milliseconds since it was there. */
	readonly durationMs: number;
	/** `closed` by either end, in order; `lost` without a word; `refused` for what `code` says. */
	readonly reason: "closed" | "lost" | "refused";
	/**
	 * `ERR_LINK_PROTOCOL` (either end broke the protocol), `ERR_LINK_STALLED`, `ERR_LINK_REFUSED`,
	 * `ERR_LINK_VERSION`; undefined for the other reasons.
	 */
	readonly code: ErrorCode | undefined;
}

/** What the session of some native links has done so far, and what it holds now. */
export interface LinkSessionCounters {
	/** Segments that were given to a link for the first time. */
	readonly sent: number;
	/** Segments that were sent again because their link was gone. */
	readonly resent: number;
	/** Segments that were sent again because their link held them up. */
	readonly copies: number;
	/** Segments that came, doubles included. */
	readonly received: number;
	/** Segments that had come before. */
	readonly doubles: number;
	/** Segments that came before their turn. */
	readonly early: number;
	/** Times that a link became suspect. */
	readonly suspicions: number;
	/** Links that went, whoever closed them. */
	readonly linksLost: number;
	/** Times that the peer broke the protocol. */
	readonly violations: number;
	/** Bytes of ours that are kept until the peer has handed them on. */
	readonly keptBytes: number;
	/** Bytes of ours that wait for room at the peer. */
	readonly waitingBytes: number;
	/** Bytes that came before their turn, and are kept. */
	readonly earlyBytes: number;
	/** Smoothed, with the wait of the peer's acks; 0 until one was measured. */
	readonly roundTripMs: number;
}

/** The end of a session of native links. */
export interface LinkSessionEndFacts extends LinkFacts {
	/** Milliseconds since it was opened. */
	readonly durationMs: number;
	/**
	 * `closed` by either end, as a rule because that stops; `lost`: no link for longer than it waits; `restarted`: another
	 * process answers, or the peer knows nothing of it; `broken`: the peer broke the protocol too often, or in what stands in order.
	 */
	readonly reason: "closed" | "lost" | "restarted" | "broken";
	/** Clients that were in it. */
	readonly clients: number;
	readonly counters: LinkSessionCounters;
}

/** How busy an app server is, as it tells proxies over native links: about once a second, where it has changed noticeably. */
export interface LinkLoad {
	/** Clients that it has, whoever holds them. */
	readonly clients: number;
	/** How late its event loop runs what is due, in milliseconds, smoothed. */
	readonly delayMs: number;
}

/** The load of an app server, told by it or to it. */
export interface LinkLoadFacts extends LinkFacts, LinkLoad {}

/** Clients of a session that is over, opened again. */
export interface RecoveryFacts extends LinkFacts {
	/** Clients that are open again, here or at a replica. */
	readonly clients: number;
	/** Clients that left meanwhile. */
	readonly gone: number;
	/** Milliseconds from the end of the session until the last one was open. */
	readonly durationMs: number;
}

/** One session of native links as it is now, or the links of dotNetify's wire to one app server. */
export interface LinkStatus extends LinkFacts {
	/** Names the instance at the other end: the first 8 of its 32 digits. Undefined while none has answered, and on dotNetify's wire. */
	readonly instance: string | undefined;
	/** Links that are up. */
	readonly links: number;
	/** Clients that are forwarded over it. */
	readonly clients: number;
	/** Clients whose reading is held because too much of them waits at the app server. */
	readonly held: number;
	/** Messages of clients that wait: at a proxy for an app server, or for room there; at an app server for their turn. */
	readonly queued: number;
	/** Bytes of those; undefined on dotNetify's wire. */
	readonly queuedBytes: number | undefined;
	/** Whether the app server is about to stop, or is in the list no more. */
	readonly isDraining: boolean;
	/** The app server's load as it was told last over this session: at a proxy that of the peer, at an app server its own. Undefined before. */
	readonly load: LinkLoad | undefined;
	/** Undefined where there is no session. */
	readonly counters: LinkSessionCounters | undefined;
}
