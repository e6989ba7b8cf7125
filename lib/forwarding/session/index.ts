export {
	DEFAULT_SESSION_TIMEOUT_MS,
	type ResolvedSessionOptions,
	resolveSessionOptions,
	type SessionOptions,
} from "./options.js";
export { Session } from "./session.js";
export type {
	Greeting,
	LinkPort,
	SendOutcome,
	SessionCounters,
	SessionEnd,
	SessionEndReason,
} from "./terms.js";
