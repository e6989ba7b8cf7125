import { STATUS_CODES } from "node:http";
import type { TransportName } from "../connection.js";
import type { Answer } from "./answer.js";

// Statuses and texts as measured on ASP.NET Core 10.
export const NO_ID: Answer = { status: 400, body: "Connection ID required" };
export const UNKNOWN_ID: Answer = { status: 404, body: "No Connection with that ID" };
export const OTHER_TRANSPORT: Answer = { status: 400, body: "Cannot change transports mid-connection" };
export const CONFLICT: Answer = { status: 409 };
export const NO_POST: Answer = {
	status: 405,
	body: "POST requests are not allowed for WebSocket connections.",
};
export const NO_DELETE: Answer = {
	status: 400,
	body: "Cannot terminate this connection using the DELETE endpoint.",
};
export const NOT_NEGOTIABLE: Answer = { status: 405, headers: { Allow: "POST" } };
export const NOT_ALLOWED: Answer = { status: 405, headers: { Allow: "GET, POST, DELETE" } };
export const UNAUTHORIZED: Answer = { status: 401 };
export const INTERNAL: Answer = { status: 500 };
/** Stock clients come back by themselves; a second is enough for another server to be picked. */
export const UNAVAILABLE: Answer = { status: 503, headers: { "Retry-After": "1" } };

/** A transport that the endpoint does not offer. */
export function notOffered(transport: TransportName): Answer {
	return { status: 404, body: `${transport} transport not supported by this end point type` };
}

/** Somebody who is known may not. */
export function forbidden(reason: string): Answer {
	return { status: 403, reason };
}

/** What the log says of a refusal. Of the token only the process that made it: that part is meant to be read. */
export function reasonOf(answer: Answer, token: string | undefined, serverId: string): string {
	if (answer === UNKNOWN_ID) return unknownReason(MAKER.exec(token ?? "")?.[1], serverId);
	if (answer === UNAVAILABLE) return "no room (maxConnections, maxWaitingConnects), or closing";
	return answer.reason ?? (answer.body?.toString() || (STATUS_CODES[answer.status] ?? ""));
}

/** The process that made a token; see `createTokens`. */
const MAKER = /^([\w-]{1,32})\./;

function unknownReason(maker: string | undefined, serverId: string): string {
	const lost =
		"no connection has this token: it is over, was not opened within 15 s, or belongs to another user";
	if (maker === serverId || maker === undefined) return lost;
	return `negotiated at process "${maker}", and this is "${serverId}": give both the same tokenSecrets, and send Server-Sent Events and long polling to the process that the token names (docs/load-balancers.md)`;
}

/** An {@link Answer} that is thrown to end the handling of a request. */
export class Refusal extends Error {
	readonly answer: Answer;

	constructor(answer: Answer) {
		super(`HTTP ${answer.status}`);
		this.answer = answer;
	}
}
