import type { IncomingHttpHeaders } from "node:http";
import type { ClientConnection, ConnectionRequest } from "../hub/index.js";
import { CONTEXT_KEY, type ForwardedContext, writeForwardedContext } from "../protocols/index.js";

/** What RFC 9110 §7.6.1 and the WebSocket handshake mean for one hop only; it never crosses. */
const HOP_BY_HOP = new Set([
	"connection",
	"keep-alive",
	"proxy-authenticate",
	"proxy-authorization",
	"proxy-connection",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"content-length",
	"sec-websocket-key",
	"sec-websocket-version",
	"sec-websocket-extensions",
	"sec-websocket-protocol",
	"trunkline-link",
]);
/** What a client's headers may be long, as JSON: they are written with every message of it. */
const MAX_HEADERS_LENGTH = 8 * 1024;
const MAX_VIA_LENGTH = 512;
const MAX_HOST_LENGTH = 512;
/** Written by ourselves, whatever the client sent. */
const OURS = new Set(["via", "x-forwarded-proto", "x-forwarded-host"]);
/** Once we have authenticated the client, what it proved itself with stays here. */
const CREDENTIALS = new Set(["cookie", "authorization"]);

/** Who forwards: the process (one id for its life) and the name that it has in `Via`. */
export interface Forwarder {
	readonly hubId: string;
	readonly serverId: string;
}

/** Describes a client to an app server, as JSON text. Made once per client and app server. */
export function contextTextOf(client: ClientConnection, forwarder: Forwarder, now: number): string {
	const { request, user } = client;
	return writeForwardedContext({
		hubId: forwarder.hubId,
		connectionId: client.connectionId,
		timeStamp: new Date(now).toISOString(),
		httpConnection: {
			connectionId: client.connectionId,
			localIpAddress: request.localAddress,
			remoteIpAddress: request.ip,
			localPort: request.localPort,
			remotePort: request.remotePort,
		},
		headers: forwardedHeaders(request, forwarder.serverId, user !== undefined),
		userAgent: textOf(request.headers["user-agent"]),
		items: itemsOf(client),
		user: user && { id: user.id, claims: user.claims },
	});
}

/** In a chain, dotNetify nests the context of the hop before in the items. */
function itemsOf(client: ClientConnection): Record<string, unknown> {
	const previous = client.items.get(CONTEXT_KEY);
	return previous === undefined ? {} : { [CONTEXT_KEY]: previous };
}

/** A client's headers as they cross: without those of one hop, and bounded. */
export function forwardedHeaders(
	request: ConnectionRequest,
	serverId: string,
	isAuthenticated: boolean,
): Record<string, readonly string[]> {
	const forwarded: Record<string, readonly string[]> = {};
	// Connection names further headers that are for this hop only.
	const named = new Set(
		(request.headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase()),
	);
	const stays = (name: string): boolean =>
		HOP_BY_HOP.has(name) || named.has(name) || (isAuthenticated && CREDENTIALS.has(name));
	let left = MAX_HEADERS_LENGTH;
	for (const [name, value] of Object.entries(request.headers)) {
		if (value === undefined || stays(name) || OURS.has(name)) continue;
		const values = typeof value === "string" ? [value] : value;
		left -= name.length + JSON.stringify(values).length;
		if (left >= 0) forwarded[wireName(name)] = values;
	}
	const via = request.headers.via?.slice(0, MAX_VIA_LENGTH);
	return {
		...forwarded,
		Via: [...(via === undefined ? [] : [via]), `1.1 ${serverId}`],
		"X-Forwarded-Proto": [request.protocol],
		"X-Forwarded-Host": [request.host.slice(0, MAX_HOST_LENGTH)],
	};
}

/** `user-agent` → `User-Agent`: .NET readers look names up as ASP.NET Core spells them. */
function wireName(name: string): string {
	return name.replace(/(^|-)([a-z])/g, (letter) => letter.toUpperCase());
}

function textOf(value: string | readonly string[] | undefined): string | undefined {
	return typeof value === "string" || value === undefined ? value : value.join(", ");
}

/** A forwarded client's request as the app server's hub shows it: the browser's, not the link's. */
export function requestOf(context: ForwardedContext, link: ConnectionRequest): ConnectionRequest {
	const headers = receivedHeaders(context.headers);
	const http = context.httpConnection;
	const address = http?.remoteIpAddress ?? "";
	const protocol = textOf(headers["x-forwarded-proto"]) === "https" ? "https" : "http";
	return {
		method: "GET",
		url: link.path,
		path: link.path,
		query: new URLSearchParams(),
		headers,
		remoteAddress: address,
		remotePort: http?.remotePort ?? 0,
		localAddress: http?.localIpAddress ?? "",
		localPort: http?.localPort ?? 0,
		ip: address,
		ips: address === "" ? [] : [address],
		protocol,
		secure: protocol === "https",
		host: textOf(headers["x-forwarded-host"]) ?? textOf(headers.host) ?? "",
	};
}

/** A client's headers as Node shows them, from the lists that crossed. */
export function receivedHeaders(forwarded: Readonly<Record<string, readonly string[]>>): IncomingHttpHeaders {
	const headers: IncomingHttpHeaders = Object.create(null);
	for (const [name, values] of Object.entries(forwarded)) {
		const key = name.toLowerCase();
		headers[key] = key === "set-cookie" ? [...values] : values.join(", ");
	}
	return headers;
}
