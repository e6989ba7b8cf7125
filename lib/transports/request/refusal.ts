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
export const FORBIDDEN: Answer = { status: 403 };
export const INTERNAL: Answer = { status: 500 };
/** Stock clients come back by themselves; a second is enough for another server to be picked. */
export const UNAVAILABLE: Answer = { status: 503, headers: { "Retry-After": "1" } };

/** A transport that the endpoint does not offer. */
export function notOffered(transport: TransportName): Answer {
	return { status: 404, body: `${transport} transport not supported by this end point type` };
}

/** An {@link Answer} that is thrown to end the handling of a request. */
export class Refusal extends Error {
	readonly answer: Answer;

	constructor(answer: Answer) {
		super(`HTTP ${answer.status}`);
		this.answer = answer;
	}
}
