import type { ErrorCode } from "../../errors/index.js";
import type { ClientConnection, Completer } from "../../hub/index.js";

/**
 * What a message is, for the case that it cannot be delivered: dotNetify's three, of which all but an update may be
 * sent twice; the end of a client; or another hub method, whose caller waits for the answer.
 */
export type ForwardedKind = "request" | "update" | "dispose" | "disconnect" | "method";

/** A client's message on its way to an app server. */
export interface ForwardedMessage {
	readonly client: ClientConnection;
	readonly kind: ForwardedKind;
	/** The hub method to run over there. */
	readonly method: string;
	readonly args: readonly unknown[];
	readonly vmId: string | undefined;
	/** The arguments' size, for the limits on what waits and what is unconfirmed. */
	readonly bytes: number;
	/** When it was queued. */
	readonly queuedAt: number;
	/** Takes the answer of a hub method; absent where nobody waits for one. */
	readonly completer: Completer | undefined;
	/** Whether the caller hears of a failure: not for a copy that somebody else answers. */
	readonly isCopy: boolean;
	/** A request that the proxy makes again by itself; nobody waits for it, and it is tried until it succeeds. */
	readonly isReplay?: boolean | undefined;
}

/** Why a message was not delivered. */
export interface ForwardingFailure {
	readonly code: ErrorCode;
	/** A sentence for the caller and the operator. */
	readonly reason: string;
}

/** Whether running it twice does no harm, so that it may be sent again when nobody knows if it arrived. */
export function isRepeatable(message: ForwardedMessage): boolean {
	return message.kind === "request" || message.kind === "dispose" || message.kind === "disconnect";
}
