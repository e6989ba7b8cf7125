import { type ConnectionRequest, queryValue } from "../../transports/index.js";

const BEARER = /^bearer +(\S.*)$/i;

/** What {@link bearerToken} looks at. */
export type TokenRequest = Pick<ConnectionRequest, "method" | "headers" | "query">;

/**
 * The bearer token of a request, as it came: nothing about it is checked. It stands in `Authorization: Bearer …`, or in
 * the query as `access_token` where a browser cannot set headers: on the upgrade to a WebSocket and on Server-Sent
 * Events. Elsewhere (negotiate, polls, what clients send) the query is not looked at: stock clients set the header there,
 * and a query ends up in the access logs of proxies. The header is preferred where both are there.
 * @returns undefined where there is none
 */
export function bearerToken(request: TokenRequest): string | undefined {
	const inHeader = BEARER.exec(request.headers.authorization?.trim() ?? "")?.[1];
	if (inHeader !== undefined) return inHeader;
	if (!isWithoutHeaders(request)) return undefined;
	return queryValue(request.query, "access_token") || undefined;
}

/** Whether a browser would make this request by an API that takes no headers: `WebSocket` or `EventSource`. */
function isWithoutHeaders({ method, headers }: TokenRequest): boolean {
	if (method !== "GET") return false;
	if (headers.upgrade?.trim().toLowerCase() === "websocket") return true;
	return headers.accept?.split(",").some((entry) => entry.trim() === "text/event-stream") === true;
}
