export {
	DEFAULT_SESSION_TIMEOUT_MS,
	DEFAULT_WINDOW_BYTES,
	type ResolvedSessionOptions,
	resolveSessionOptions,
} from "./options.js";
export { Session } from "./session.js";
export type { LinkPort, SessionCounters, SessionEnd } from "./terms.js";
