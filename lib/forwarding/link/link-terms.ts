import { MAX_FEATURES, MAX_NAME_BYTES } from "../wire/index.js";

/** The native link's name in SignalR's handshake. */
export const LINK_PROTOCOL = "trunkline-link";
/** Its version there; the versions that count stand in HELLO. */
export const LINK_PROTOCOL_VERSION = 1;

/** Silence after which a PING is sent, in milliseconds. */
export const LINK_PING_MS = 5_000;
/** Silence after which a link is given up, in milliseconds. */
export const LINK_SILENCE_MS = 15_000;

/** What BYE says of a session that is not there (any more): for logs, nothing else goes by it. */
export const UNKNOWN_SESSION = "The session is not known here.";

/** What an app server names in HELLO whose clients outlive it: they are opened again at the next one. */
export const REOPEN_FEATURE = "reopen";
/** What a proxy names in HELLO that answers DRAIN by DRAINED. */
export const DRAINED_FEATURE = "drained";
/** What an app server names in HELLO that lets clients in itself, and says so by ADMITTED, where their proxy does not know them. */
export const ADMITS_FEATURE = "admits";
/** Largest call that is kept to be made again, in bytes of its arguments. */
export const MAX_RETAINED_BYTES: number = 16 * 1024;
/** Before each type of view models that an app server names in HELLO because clients share one. */
export const SHARED_FEATURE = "shared:";
/** Types that HELLO has room for, beside `reopen`, `admits` and a proof. */
const MAX_SHARED_TYPES = MAX_FEATURES - 3;

/** The features that tell of shared types; undefined where HELLO has no room for them. */
export function sharedFeatures(types: readonly string[]): readonly string[] | undefined {
	const features = [...new Set(types)].map((type) => SHARED_FEATURE + type);
	const isShort = features.every((feature) => Buffer.byteLength(feature) <= MAX_NAME_BYTES);
	return isShort && features.length <= MAX_SHARED_TYPES ? features : undefined;
}
