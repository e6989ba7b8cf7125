import type { Log } from "../../base/index.js";
import { type ErrorCode, TrunklineError } from "../../errors/index.js";

/** What happens all day where networks come and go. */
const COMMON_LOSSES: ReadonlySet<ErrorCode> = new Set(["ERR_CLIENT_TIMEOUT", "ERR_TRANSPORT"]);

/** One line without a stack: anybody can break a connection as often as he likes. */
export function tellLoss(log: Log, connectionId: string, error: Error | undefined): void {
	if (!(error instanceof TrunklineError)) {
		log.warn({ err: error, connectionId }, "A connection failed and is closed.");
		return;
	}
	const { code, message: reason } = error;
	log[COMMON_LOSSES.has(code) ? "debug" : "warn"]({ code, reason, connectionId }, "A client was lost.");
}

/** What was thrown, as an error. */
export function asError(thrown: unknown): Error {
	return thrown instanceof Error
		? thrown
		: new Error("Something else than an Error was thrown.", { cause: thrown });
}
