import type { ErrorCode } from "../errors/index.js";
import type { ClientConnection, Completer } from "../hub/index.js";
import { currentTarget, HubTarget } from "../protocols/index.js";

/**
 * What a message is, for the case that it cannot be delivered: dotNetify's three, of which all but an update may be
 * sent twice; the end of a client; or another hub method, whose caller waits for the answer.
 */
export type ForwardedKind = "request" | "update" | "dispose" | "disconnect" | "method";

/** What is known of a message that was not delivered. */
export interface LostMessage {
	readonly client: ClientConnection;
	readonly kind: ForwardedKind;
	/** The hub method to run at the app server. */
	readonly method: string;
	readonly vmId: string | undefined;
	/** Takes the answer of a hub method; absent where nobody waits for one. */
	readonly completer: Completer | undefined;
	/** Whether the caller hears of a failure: not for a copy that somebody else answers. */
	readonly isCopy: boolean;
}

/** Why a message was not delivered. */
export interface ForwardingFailure {
	readonly code: ErrorCode;
	/** A sentence for the caller and the operator. */
	readonly reason: string;
}

/** A message still waited for its app server when the proxy stopped; `name`: what that is called in messages. */
export function stoppedFailure(name: string): ForwardingFailure {
	const reason = `The proxy was stopped before it could deliver the message to ${name}.`;
	return { code: "ERR_FORWARD_CLOSED", reason };
}

/** A message has waited `maxWaitMs` for its app server. */
export function expiredFailure(name: string, maxWaitMs: number): ForwardingFailure {
	const reason = `The app server ${name} could not be reached for ${maxWaitMs} ms (maxWaitMs).`;
	return { code: "ERR_FORWARD_EXPIRED", reason };
}

const KINDS: ReadonlyMap<string, ForwardedKind> = new Map<string, ForwardedKind>([
	[HubTarget.Request, "request"],
	[HubTarget.Update, "update"],
	[HubTarget.Dispose, "dispose"],
]);

/** What a call of this target is. */
export function kindOf(target: string): ForwardedKind {
	return KINDS.get(currentTarget(target)) ?? "method";
}

/** Whether a call of this target is one of dotNetify's three. */
export function isAboutViewModel(target: string): boolean {
	return kindOf(target) !== "method";
}
