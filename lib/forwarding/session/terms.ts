import type { Clock } from "../../base/index.js";
import type { TrunklineError } from "../../errors/index.js";
import type { Acks, DataSegment } from "../wire/acks.js";
import type { ResolvedSessionOptions } from "./options.js";

/** What a segment counts in a window beside its frames: what it costs to keep, and so a bound on their number. */
export const SEGMENT_OVERHEAD_BYTES = 64;

/** What a segment counts in a window, the same at both ends. */
export function costOf(frames: Buffer): number {
	return frames.length + SEGMENT_OVERHEAD_BYTES;
}

/** What HELLO says of the end that sends it. */
export interface Greeting {
	/** Number of the last segment that was handed on; 0 where none was. */
	readonly delivered: number;
	/** Bytes that the other end may send beyond it. */
	readonly window: number;
}

/** One connection of a place in the pool, as the session writes to it; its owner has the socket. */
export interface LinkPort {
	/** Its place in the pool, from 0. */
	readonly link: number;
	/** How often that place was connected, from 1. */
	readonly incarnation: number;
	/** Writes a DATA segment. May call {@link Session.removeLink}; must not throw. */
	send(segment: DataSegment): void;
	/** Writes an ACK segment. The same holds. */
	sendAck(acks: Acks): void;
}

/**
 * What became of a segment: `sent` (or will be, as soon as a link is up), `waiting` for room in the peer's window,
 * refused because too much waits (`full`) or because the session is `over`.
 */
export type SendOutcome = "sent" | "waiting" | "full" | "over";

/**
 * Why a session is over: its owner or the peer ended it (`closed`), no link was up for `sessionTimeoutMs` (`lost`), the peer's
 * process is another (`restarted`), or the peer broke the protocol too often (`broken`).
 */
export type SessionEndReason = "closed" | "lost" | "restarted" | "broken";

/** What a session leaves. */
export interface SessionEnd {
	readonly reason: SessionEndReason;
	/**
	 * Frames of the segments that were sent and of which the peer did not say that they were handed on. Some may have
	 * been: to send them again may double them.
	 */
	readonly unconfirmed: readonly Buffer[];
	/** Frames of the segments that were not sent at all: another session may carry them. In order, after the others. */
	readonly unsent: readonly Buffer[];
}

/** What a session tells its owner. None may throw; all may call the session. */
export interface SessionHandlers {
	/** Takes the frames of the next segment, a view that the owner may keep. */
	deliver(frames: Buffer): void;
	/** What waited for room in the peer's window is sent: writers may go on. */
	writable(): void;
	/** The peer may have handed on more, or granted more: called often, so it must be quick. */
	advanced?(): void;
	/** A link acknowledges nothing while others do (true), or does again (false). */
	suspected(link: number, incarnation: number, isSuspect: boolean): void;
	/** A link has to be closed: the session has dropped it already. `ERR_LINK_PROTOCOL` or `ERR_LINK_STALLED`. */
	closeLink(link: number, incarnation: number, error: TrunklineError): void;
	/** The session is over: every link that is left may be closed. Called once. */
	ended(end: SessionEnd): void;
}

/** What a {@link Session} is made of. */
export interface SessionSetup {
	readonly clock: Clock;
	readonly options: ResolvedSessionOptions;
	readonly handlers: SessionHandlers;
}

/** What a session has done so far, and what it holds now. */
export interface SessionCounters {
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
	/** Segments that were handed on. */
	readonly delivered: number;
	/** Segments of ours that the peer has handed on. */
	readonly confirmed: number;
	/** Acks that travelled alone. */
	readonly lonelyAcks: number;
	/** Links that are up. */
	readonly links: number;
	/** Links that went, whoever closed them. */
	readonly linksLost: number;
	/** Times that a link became suspect. */
	readonly suspicions: number;
	/** Times that the peer broke the protocol. */
	readonly violations: number;
	/** Bytes of ours that are kept, sent or waiting, until the peer says that it handed them on. */
	readonly keptBytes: number;
	/** Bytes of ours that wait for room in the peer's window. */
	readonly waitingBytes: number;
	/** Bytes that came before their turn and are kept. */
	readonly earlyBytes: number;
	/** Smoothed round trip in milliseconds, what the peer's acks wait included; 0 until one was measured. */
	readonly roundTripMs: number;
}
