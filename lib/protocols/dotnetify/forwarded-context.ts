import {
	asFields,
	asId,
	asPort,
	asShortText,
	asText,
	asTexts,
	named,
	optional,
	parseJson,
	refusal,
} from "./wire-values.js";

/** Metadata of `Invoke`: the client's context, JSON text. */
export const CONTEXT_KEY = "$fwdConnContext";
/** Longest context text that is read, in characters. */
export const MAX_CONTEXT_LENGTH: number = 64 * 1_024;

/** Addresses of a client's HTTP connection to its proxy. */
export interface ForwardedHttpConnection {
	readonly connectionId?: string | undefined;
	readonly localIpAddress?: string | undefined;
	readonly remoteIpAddress?: string | undefined;
	readonly localPort?: number | undefined;
	readonly remotePort?: number | undefined;
}

/** Who a client is; an addition of ours, which dotNetify's own servers ignore. */
export interface ForwardedUser {
	readonly id?: string | undefined;
	readonly claims?: Readonly<Record<string, unknown>> | undefined;
}

/** A client's connection as its proxy describes it to the app server. */
export interface ForwardedContext {
	/** The process that holds the client: one value per proxy process. */
	readonly hubId: string;
	/** The client's connection id at that proxy. */
	readonly connectionId: string;
	/** When the proxy wrote this, ISO 8601. */
	readonly timeStamp?: string | undefined;
	readonly httpConnection?: ForwardedHttpConnection | undefined;
	readonly headers: Readonly<Record<string, readonly string[]>>;
	readonly userAgent?: string | undefined;
	/** Items of the caller; in a chain of proxies the context of the proxy before stands here. */
	readonly items: Readonly<Record<string, unknown>>;
	readonly user?: ForwardedUser | undefined;
}

/** Writes the value of {@link CONTEXT_KEY}, as dotNetify 5.4 does. */
export function writeForwardedContext(context: ForwardedContext): string {
	const { httpConnection: http, user } = context;
	return JSON.stringify({
		HubId: context.hubId,
		TimeStamp: context.timeStamp,
		ConnectionId: context.connectionId,
		HttpConnection: http && {
			ConnectionId: http.connectionId,
			LocalIpAddressString: http.localIpAddress,
			RemoteIpAddressString: http.remoteIpAddress,
			LocalPort: http.localPort,
			RemotePort: http.remotePort,
		},
		HttpRequestHeaders: { AllHeaders: context.headers, UserAgent: context.userAgent },
		Items: context.items,
		User: user && { Id: user.id, Claims: user.claims },
	});
}

/** The names on the wire; nothing is known of the values. */
interface WireContext {
	readonly HubId?: unknown;
	readonly TimeStamp?: unknown;
	readonly ConnectionId?: unknown;
	readonly HttpConnection?: unknown;
	readonly HttpRequestHeaders?: unknown;
	readonly Items?: unknown;
	readonly User?: unknown;
}

interface WireHttpConnection {
	readonly ConnectionId?: unknown;
	readonly LocalIpAddressString?: unknown;
	readonly RemoteIpAddressString?: unknown;
	readonly LocalPort?: unknown;
	readonly RemotePort?: unknown;
}

interface WireHeaders {
	readonly AllHeaders?: unknown;
	readonly UserAgent?: unknown;
}

/**
 * Reads the value of {@link CONTEXT_KEY}. Optional members may be missing or null.
 * @throws TrunklineError ERR_LINK_PROTOCOL where the text is too long, is not JSON, lacks an id or has a member of
 * another type.
 */
export function parseForwardedContext(text: unknown): ForwardedContext {
	if (typeof text !== "string" || text.length > MAX_CONTEXT_LENGTH) {
		throw refusal(`${CONTEXT_KEY} must be text of at most ${MAX_CONTEXT_LENGTH} characters`);
	}
	const fields: WireContext = asFields(parseJson(text, CONTEXT_KEY), CONTEXT_KEY);
	const headers: WireHeaders = optional(fields.HttpRequestHeaders, "HttpRequestHeaders", asFields) ?? {};
	return {
		hubId: asId(fields.HubId, "HubId"),
		connectionId: asId(fields.ConnectionId, "ConnectionId"),
		...named("timeStamp", optional(fields.TimeStamp, "TimeStamp", asText)),
		...named("httpConnection", optional(fields.HttpConnection, "HttpConnection", readHttpConnection)),
		headers: optional(headers.AllHeaders, "AllHeaders", readHeaders) ?? {},
		...named("userAgent", optional(headers.UserAgent, "UserAgent", asText)),
		items: optional(fields.Items, "Items", asFields) ?? {},
		...named("user", optional(fields.User, "User", readUser)),
	};
}

function readHttpConnection(value: unknown, name: string): ForwardedHttpConnection {
	const fields: WireHttpConnection = asFields(value, name);
	return {
		...named("connectionId", optional(fields.ConnectionId, `${name}.ConnectionId`, asShortText)),
		...named(
			"localIpAddress",
			optional(fields.LocalIpAddressString, `${name}.LocalIpAddressString`, asShortText),
		),
		...named(
			"remoteIpAddress",
			optional(fields.RemoteIpAddressString, `${name}.RemoteIpAddressString`, asShortText),
		),
		...named("localPort", optional(fields.LocalPort, `${name}.LocalPort`, asPort)),
		...named("remotePort", optional(fields.RemotePort, `${name}.RemotePort`, asPort)),
	};
}

function readHeaders(value: unknown, name: string): Record<string, string[]> {
	const entries = Object.entries(asFields(value, name)).map(([key, texts]) => [key, asTexts(texts, name)]);
	return Object.fromEntries(entries) as Record<string, string[]>;
}

function readUser(value: unknown, name: string): ForwardedUser {
	const fields: { readonly Id?: unknown; readonly Claims?: unknown } = asFields(value, name);
	return {
		...named("id", optional(fields.Id, `${name}.Id`, asText)),
		...named("claims", optional(fields.Claims, `${name}.Claims`, asFields)),
	};
}
