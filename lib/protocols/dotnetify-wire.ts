import { TrunklineError } from "../errors/index.js";
import { MAX_READ_DEPTH } from "./hub-message.js";
import { isTooDeep } from "./values/json-value.js";

/** Targets of dotNetify's hub, and its one target at the client (`Response`). */
export const HubTarget = {
	Request: "Request_VM",
	Update: "Update_VM",
	Dispose: "Dispose_VM",
	Invoke: "Invoke",
	Response: "Response_VM",
} as const;
export type HubTarget = (typeof HubTarget)[keyof typeof HubTarget];

const OBSOLETE_TARGETS: ReadonlyMap<string, HubTarget> = new Map([
	["Request_VM_Obsolete", HubTarget.Request],
	["Update_VM_Obsolete", HubTarget.Update],
	["Dispose_VM_Obsolete", HubTarget.Dispose],
]);

/** The present name of a target: dotNetify still answers to three `…_Obsolete` names; other names stay as they are. */
export function currentTarget(target: string): string {
	return OBSOLETE_TARGETS.get(target) ?? target;
}

/** The method name by which a proxy tells the app server that a client is gone. */
export const DISCONNECTED_METHOD = "OnDisconnectedAsync";
/** By this a proxy asks again for a view model with a snapshot (JSON text): `[vmId, data, state]`. No client may call it. */
export const RESTORE_METHOD = "Restore_VM";
/** Metadata of `Invoke`: the client's context, JSON text. */
export const CONTEXT_KEY = "$fwdConnContext";
/** Metadata of a response: for whom it is, an id or the JSON text of an array. */
export const RECIPIENT_KEY = "$fwdConnId";
/** Longest context text that is read, in characters. */
export const MAX_CONTEXT_LENGTH: number = 64 * 1_024;
/** Longest id of a hub or connection that is read, in characters. */
export const MAX_ID_LENGTH = 128;

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
		throw refuse(`${CONTEXT_KEY} must be text of at most ${MAX_CONTEXT_LENGTH} characters`);
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

/** What a proxy asks of an app server by `Invoke`. */
export interface ForwardedCall {
	/** A method of dotNetify's hub, {@link DISCONNECTED_METHOD}, or any other name. */
	readonly method: string;
	readonly args: readonly unknown[];
	/** The client that it is from; absent where the peer did not say. */
	readonly context: ForwardedContext | undefined;
	/** All metadata as it came, the context's text included. */
	readonly metadata: Readonly<Record<string, unknown>> | null;
}

/** The arguments of `Invoke`: method, its arguments, metadata with the text of {@link writeForwardedContext}. */
export function writeInvokeArguments(
	method: string,
	args: readonly unknown[],
	contextText: string,
	extraMetadata?: Readonly<Record<string, unknown>>,
): unknown[] {
	// Set again, so that metadata which came from a client cannot speak for another one.
	const metadata: Record<string, unknown> = { [CONTEXT_KEY]: contextText, ...extraMetadata };
	metadata[CONTEXT_KEY] = contextText;
	return [method, args, metadata];
}

/**
 * Checks the arguments of `Invoke` as they came. Metadata may be missing or null, and arguments null. `readContext`
 * stands in for {@link parseForwardedContext} where a context that was read before is remembered by its text.
 * @throws TrunklineError ERR_LINK_PROTOCOL
 */
export function parseInvokeArguments(
	args: readonly unknown[],
	readContext: (text: unknown) => ForwardedContext = parseForwardedContext,
): ForwardedCall {
	if (args.length < 2 || args.length > 3) throw refuse("Invoke takes a method, its arguments and metadata");
	const metadata = optional(args[2], "the metadata of Invoke", asFields) ?? null;
	return {
		method: asText(args[0], "the method of Invoke"),
		args: optional(args[1], "the arguments of Invoke", asArray) ?? [],
		context: optional(metadata?.[CONTEXT_KEY], CONTEXT_KEY, readContext),
		metadata,
	};
}

/** A view model's data on its way to clients: what an app server sends by `Response_VM`. */
interface ViewModelData {
	/** `null` answers a request whose id was null. */
	readonly vmId: string | null;
	/** JSON text, or what the peer sent in its place. */
	readonly data: unknown;
}

/** What an app server asks a proxy to do; the kinds are methods of dotNetify's response context. */
export type LinkResponse =
	| ({ readonly kind: "SendAsync"; readonly connectionId: string } & ViewModelData)
	| ({ readonly kind: "SendToManyAsync"; readonly connectionIds: readonly string[] } & ViewModelData)
	| ({ readonly kind: "SendToGroupAsync"; readonly group: string } & ViewModelData)
	| ({
			readonly kind: "SendToGroupExceptAsync";
			readonly group: string;
			readonly except: readonly string[];
	  } & ViewModelData)
	| ({ readonly kind: "SendToUsersAsync"; readonly userIds: readonly string[] } & ViewModelData)
	| { readonly kind: "AddToGroupAsync"; readonly group: string; readonly connectionId: string }
	| { readonly kind: "RemoveFromGroupAsync"; readonly group: string; readonly connectionId: string };

/** The one argument of `Response_VM` to a proxy: kind, arguments, metadata. */
export function writeLinkResponse(response: LinkResponse): unknown[] {
	switch (response.kind) {
		case "SendAsync":
			return [response.kind, [response.vmId, response.data], { [RECIPIENT_KEY]: response.connectionId }];
		case "SendToManyAsync":
			return [response.kind, [response.vmId, response.data], recipients(response.connectionIds)];
		case "SendToGroupAsync":
			return [response.kind, [response.group, response.vmId, response.data], null];
		case "SendToGroupExceptAsync": {
			// With nobody to leave out, the list that dotNetify sends holds one null.
			const except = response.except.length === 0 ? [null] : response.except;
			return [response.kind, [response.group, response.vmId, response.data], recipients(except)];
		}
		case "SendToUsersAsync":
			return [response.kind, [response.userIds, response.vmId, response.data], recipients(response.userIds)];
		case "AddToGroupAsync":
		case "RemoveFromGroupAsync":
			return [response.kind, [response.group], { [RECIPIENT_KEY]: response.connectionId }];
	}
}

function recipients(ids: readonly (string | null)[]): Record<string, string> {
	return { [RECIPIENT_KEY]: JSON.stringify(ids) };
}

/**
 * Reads the one argument of `Response_VM` that came over a link; `undefined` for an array of two, which is an answer to
 * the link's own connection and not to a client of the proxy.
 * @throws TrunklineError ERR_LINK_PROTOCOL for anything else that is not one of the seven kinds.
 */
export function parseLinkResponse(argument: unknown): LinkResponse | undefined {
	const items = asArray(argument, "a response");
	if (items.length === 2) return undefined;
	if (items.length !== 3) throw refuse("a response must have three items");
	const kind = asText(items[0], "the kind of a response");
	const read = RESPONSE_READERS.get(kind);
	if (!read) throw refuse("the kind of a response is not known");
	const metadata = optional(items[2], "the metadata of a response", asFields);
	return read(asArray(items[1], "the arguments of a response"), metadata?.[RECIPIENT_KEY]);
}

type ResponseReader = (args: readonly unknown[], recipient: unknown) => LinkResponse;

const RESPONSE_READERS: ReadonlyMap<string, ResponseReader> = new Map<LinkResponse["kind"], ResponseReader>([
	[
		"SendAsync",
		(args, to) => ({ kind: "SendAsync", connectionId: asId(to, RECIPIENT_KEY), ...readData(args, 0) }),
	],
	[
		"SendToManyAsync",
		(args, to) => ({ kind: "SendToManyAsync", connectionIds: readIds(to), ...readData(args, 0) }),
	],
	[
		"SendToGroupAsync",
		(args) => ({ kind: "SendToGroupAsync", group: readGroup(args), ...readData(args, 1) }),
	],
	[
		"SendToGroupExceptAsync",
		(args, to) => ({
			kind: "SendToGroupExceptAsync",
			group: readGroup(args),
			except: readIds(to),
			...readData(args, 1),
		}),
	],
	[
		"SendToUsersAsync",
		(args) => ({
			kind: "SendToUsersAsync",
			userIds: asTexts(args[0], "the users of a response"),
			...readData(args, 1),
		}),
	],
	[
		"AddToGroupAsync",
		(args, to) => ({
			kind: "AddToGroupAsync",
			group: readGroup(args),
			connectionId: asId(to, RECIPIENT_KEY),
		}),
	],
	[
		"RemoveFromGroupAsync",
		(args, to) => ({
			kind: "RemoveFromGroupAsync",
			group: readGroup(args),
			connectionId: asId(to, RECIPIENT_KEY),
		}),
	],
]);

function readGroup(args: readonly unknown[]): string {
	return asText(args[0], "the group of a response");
}

function readData(args: readonly unknown[], from: number): ViewModelData {
	if (args.length !== from + 2) throw refuse(`the arguments of this kind of response must be ${from + 2}`);
	return {
		vmId: optional(args[from], "the view-model id of a response", asText) ?? null,
		data: args[from + 1],
	};
}

/** A list of ids in JSON text; nulls stand for nobody. */
function readIds(value: unknown): string[] {
	const ids = asArray(parseJson(asText(value, RECIPIENT_KEY), RECIPIENT_KEY), RECIPIENT_KEY);
	return ids.filter((id) => id !== null).map((id) => asId(id, RECIPIENT_KEY));
}

function refuse(message: string): TrunklineError {
	const text = `The peer of a link broke dotNetify's protocol: ${message}.`;
	return new TrunklineError("ERR_LINK_PROTOCOL", text);
}

function parseJson(text: string, name: string): unknown {
	if (isTooDeep(text)) throw refuse(`${name} is nested deeper than ${MAX_READ_DEPTH}`);
	try {
		return JSON.parse(text);
	} catch {
		// The parser's error quotes the text, and contexts hold cookies.
		throw refuse(`${name} is not JSON`);
	}
}

function optional<T>(value: unknown, name: string, read: (value: unknown, name: string) => T): T | undefined {
	return value === undefined || value === null ? undefined : read(value, name);
}

function named<K extends string, V>(name: K, value: V | undefined): { [name in K]?: V } | undefined {
	return value === undefined ? undefined : ({ [name]: value } as { [name in K]?: V });
}

function asText(value: unknown, name: string): string {
	if (typeof value !== "string") throw refuse(`${name} must be text`);
	return value;
}

function asShortText(value: unknown, name: string): string {
	const text = asText(value, name);
	if (text.length > MAX_ID_LENGTH) throw refuse(`${name} has more than ${MAX_ID_LENGTH} characters`);
	return text;
}

function asId(value: unknown, name: string): string {
	const id = asShortText(value, name);
	if (id === "") throw refuse(`${name} is empty`);
	return id;
}

function asPort(value: unknown, name: string): number {
	if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
	throw refuse(`${name} must be a port number`);
}

function asArray(value: unknown, name: string): readonly unknown[] {
	if (!Array.isArray(value)) throw refuse(`${name} must be an array`);
	return value;
}

function asTexts(value: unknown, name: string): string[] {
	return asArray(value, name).map((text) => asText(text, name));
}

function asFields(value: unknown, name: string): Readonly<Record<string, unknown>> {
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw refuse(`${name} must be an object`);
	return value as Readonly<Record<string, unknown>>;
}
