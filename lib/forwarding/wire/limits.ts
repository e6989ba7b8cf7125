import { TrunklineError, type TrunklineErrorOptions } from "../../errors/index.js";

/** The largest segment in bytes, its kind included and its length prefix not. */
export const MAX_SEGMENT_BYTES: number = 1_024 * 1_024;
/** What one segment holds of frames at most when it is written here, in bytes. */
export const MAX_BATCH_BYTES: number = 64 * 1_024;
/** The largest body of a frame in bytes, put together. */
export const MAX_FRAME_BYTES: number = 16 * 1_024 * 1_024;
/** The largest context of a client in bytes. */
export const MAX_CONTEXT_BYTES: number = 32 * 1_024;
/** The largest target, key or name of a group in bytes. */
export const MAX_NAME_BYTES = 256;
/** The most links of a session, and so of entries in acks; and one more than the highest place in a pool. */
export const MAX_SESSION_LINKS = 1_024;
/** The most features that a HELLO names. */
export const MAX_FEATURES = 64;

/** The peer broke the link's protocol. Nothing of a payload may stand in `message`: it goes to logs. */
export function violation(message: string, options?: TrunklineErrorOptions): TrunklineError {
	return new TrunklineError(
		"ERR_LINK_PROTOCOL",
		`The peer of a link broke its protocol: ${message}.`,
		options,
	);
}

/** Something of ours is larger than the link carries; nothing of it was written. */
export function tooLarge(what: string, maxBytes: number): TrunklineError {
	return new TrunklineError(
		"ERR_FORWARD_TOO_LARGE",
		`${what} has more than ${maxBytes} bytes, the most that a link carries.`,
	);
}
