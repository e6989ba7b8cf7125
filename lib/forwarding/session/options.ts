import { countOption, durationOption } from "../../base/index.js";

/** How long a session outlives its last link, in milliseconds. */
export const DEFAULT_SESSION_TIMEOUT_MS = 15_000;
/** Age at which a segment is sent again past which others were acknowledged, in milliseconds. */
export const DEFAULT_COPY_AFTER_MS = 20;
/** The same on links with a long round trip, in milliseconds. */
export const DEFAULT_MAX_COPY_AFTER_MS = 250;
/** How long an ack waits for a segment to travel with, in milliseconds. */
export const DEFAULT_ACK_DELAY_MS = 5;
/** Bytes that came since the last ack and make the next one due at once. */
export const DEFAULT_ACK_BYTES: number = 64 * 1024;
/** Bytes that the peer may send beyond what was handed on. */
export const DEFAULT_WINDOW_BYTES: number = 8 * 1024 * 1024;
/** How long a link may acknowledge nothing while others do, in milliseconds. */
export const DEFAULT_SUSPECT_TIMEOUT_MS = 15_000;
/** Bytes that may wait for room in the peer's window. */
export const DEFAULT_MAX_WAITING_BYTES: number = 16 * 1024 * 1024;
/** Places of links. */
export const DEFAULT_MAX_LINKS = 1_024;

/** Settings of a {@link Session}; both ends may have their own. */
export interface SessionOptions {
	/** How long the session waits without any link before it is over. @defaultValue 15_000 ms */
	readonly sessionTimeoutMs?: number | undefined;
	/**
	 * Age at which a segment is sent again on another link, once something that was sent later has been acknowledged;
	 * four times the measured round trip where that is more. Less than the peer takes to get round to its links makes
	 * copies of what was not lost. @defaultValue 20 ms
	 */
	readonly copyAfterMs?: number | undefined;
	/** The most that a long round trip makes of `copyAfterMs`. @defaultValue 250 ms */
	readonly maxCopyAfterMs?: number | undefined;
	/** How long an ack waits for a segment to travel with. @defaultValue 5 ms */
	readonly ackDelayMs?: number | undefined;
	/** Bytes that came since the last ack and make the next one due at once. @defaultValue 65_536 bytes */
	readonly ackBytes?: number | undefined;
	/**
	 * What the peer may send beyond what was handed on here, and so what is kept of segments that came too early; and what
	 * is sent beyond what was handed on there, if the peer grants more. Less than a round trip's traffic slows both down.
	 * @defaultValue 8_388_608 bytes
	 */
	readonly windowBytes?: number | undefined;
	/** How long a link may acknowledge nothing, while others do, before it is closed. @defaultValue 15_000 ms */
	readonly suspectTimeoutMs?: number | undefined;
	/** What may wait for room in the peer's window; beyond it, segments are refused. @defaultValue 16_777_216 bytes */
	readonly maxWaitingBytes?: number | undefined;
	/** Links that the session takes; their places are numbered from 0. @defaultValue 1_024 */
	readonly maxLinks?: number | undefined;
}

/** {@link SessionOptions} with every default applied. */
export type ResolvedSessionOptions = Readonly<Record<keyof SessionOptions, number>>;

/** Checks the options and applies the defaults. @throws TrunklineError ERR_OPTION */
export function resolveSessionOptions(options: SessionOptions = {}): ResolvedSessionOptions {
	const duration = (name: keyof SessionOptions, byDefault: number): number =>
		durationOption(name, options[name], byDefault);
	const count = (name: keyof SessionOptions, byDefault: number): number =>
		countOption(name, options[name], byDefault);
	const copyAfterMs = duration("copyAfterMs", DEFAULT_COPY_AFTER_MS);
	return Object.freeze({
		sessionTimeoutMs: duration("sessionTimeoutMs", DEFAULT_SESSION_TIMEOUT_MS),
		copyAfterMs,
		maxCopyAfterMs: Math.max(copyAfterMs, duration("maxCopyAfterMs", DEFAULT_MAX_COPY_AFTER_MS)),
		ackDelayMs: duration("ackDelayMs", DEFAULT_ACK_DELAY_MS),
		ackBytes: count("ackBytes", DEFAULT_ACK_BYTES),
		windowBytes: count("windowBytes", DEFAULT_WINDOW_BYTES),
		suspectTimeoutMs: duration("suspectTimeoutMs", DEFAULT_SUSPECT_TIMEOUT_MS),
		maxWaitingBytes: count("maxWaitingBytes", DEFAULT_MAX_WAITING_BYTES),
		maxLinks: count("maxLinks", DEFAULT_MAX_LINKS),
	});
}
