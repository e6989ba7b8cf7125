import { messageOf, TrunklineError } from "../../errors/index.js";
import {
	type AuthenticationTerms,
	authenticateRequest,
	type ConnectionRequest,
	Refusal,
	type User,
} from "../../transports/index.js";

/**
 * Who a client is that came through a proxy, by the same functions and with the same results as at an endpoint.
 * @throws (rejects) TrunklineError ERR_AUTHENTICATION where an endpoint answers 401, 403, or 500 because `authorize`
 * failed; ERR_AUTHENTICATION_UNAVAILABLE where it answers 503
 */
export async function authenticateForwarded(
	request: ConnectionRequest,
	terms: AuthenticationTerms,
): Promise<User | undefined> {
	try {
		return await authenticateRequest(request, terms);
	} catch (cause) {
		if (!(cause instanceof Refusal)) terms.log.error({ error: messageOf(cause) }, "A request failed.");
		throw refused(cause);
	}
}

function refused(cause: unknown): TrunklineError {
	const status = cause instanceof Refusal ? cause.answer.status : 500;
	if (status === 503) {
		const message = "A forwarded client cannot be authenticated now.";
		return new TrunklineError("ERR_AUTHENTICATION_UNAVAILABLE", message, { cause });
	}
	const why = status === 403 ? "may not use this hub" : "was not authenticated";
	return new TrunklineError("ERR_AUTHENTICATION", `A forwarded client ${why}.`, { cause });
}
