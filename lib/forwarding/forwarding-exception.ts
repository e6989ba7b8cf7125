import type { ErrorCode } from "../errors/index.js";
import { invocationOf, PreparedMessage } from "../hub/index.js";
import { HubTarget } from "../protocols/index.js";

/**
 * Tells a page that a view model's message was not delivered: it has no other place for an error, as a Completion's
 * would be an unhandled rejection in the stock client.
 */
export function forwardingException(vmId: string | undefined, code: ErrorCode): PreparedMessage {
	const Message = `The message could not be delivered (${code}).`;
	const text = JSON.stringify({ ExceptionType: "ForwardingException", Message });
	return new PreparedMessage(invocationOf(HubTarget.Response, [[vmId ?? null, text]]));
}
