import { messageOf, TrunklineError } from "../errors/index.js";
import type { ConnectionRequest, User } from "./connection.js";
import type { ResolvedEndpointOptions } from "./options.js";
import type { Answer } from "./request/answer.js";
import { forbidden, Refusal, UNAUTHORIZED, UNAVAILABLE } from "./request/refusal.js";

/** The functions of the application, and how long they may take. */
export type AuthenticationTerms = Pick<
	ResolvedEndpointOptions,
	"authenticate" | "authorize" | "authenticateTimeoutMs" | "clock" | "log"
>;

/**
 * Who asks, once they are known and allowed to.
 * @throws (rejects) Refusal: 401 nobody, 403 somebody who may not, 503 who cannot be told now; what `authorize` throws
 */
export async function authenticateRequest(
	request: ConnectionRequest,
	terms: AuthenticationTerms,
): Promise<User | undefined> {
	const { authenticate, authorize } = terms;
	let user: User | undefined;
	try {
		user = await inTime(authenticate(request), terms);
	} catch (error) {
		if (error instanceof Refusal) throw error;
		throw new Refusal(refusalOf(error, request, terms));
	}
	if (authorize && !(await inTime(authorize(user, request), terms))) {
		throw new Refusal(user === undefined ? UNAUTHORIZED : forbidden("authorize answered false"));
	}
	return user;
}

/** Who cannot be authenticated now may be somebody: 503, and not the 401 that makes a client ask for a new password. */
function refusalOf(error: unknown, { ip }: ConnectionRequest, { log }: AuthenticationTerms): Answer {
	const fields = { error: messageOf(error), ip };
	if (error instanceof TrunklineError && error.code === "ERR_AUTHENTICATION_UNAVAILABLE") {
		log.warn(fields, "A request could not be authenticated.");
		return UNAVAILABLE;
	}
	log.debug(fields, "A request was not authenticated.");
	return UNAUTHORIZED;
}

/** What a function of the application answers. @throws (rejects) Refusal 503 where it takes too long */
export function inTime<T>(
	found: Promise<T> | T,
	{ authenticateTimeoutMs, clock }: Pick<AuthenticationTerms, "authenticateTimeoutMs" | "clock">,
): Promise<T> | T {
	if (!isThenable(found)) return found;
	return new Promise<T>((resolve, reject) => {
		const timer = clock.schedule(authenticateTimeoutMs, () => reject(new Refusal(UNAVAILABLE)));
		Promise.resolve(found)
			.finally(() => timer.cancel())
			.then(resolve, reject);
	});
}

function isThenable<T>(value: Promise<T> | T): value is Promise<T> {
	return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
