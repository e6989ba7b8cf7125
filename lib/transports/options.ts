import {
	booleanOption,
	type Clock,
	countOption,
	durationOption,
	functionOption,
	type Log,
	limitOption,
	logOption,
	systemClock,
} from "../base/index.js";
import { TrunklineError } from "../errors/index.js";
import type { Connection, ConnectionRequest, TransportName, User } from "./connection.js";
import { compileTrust, type Trust, type TrustProxy } from "./request/client-address.js";
import { Origins } from "./request/origins.js";
import { checkTokenSecrets } from "./tokens.js";

/** Bytes that may wait for a client that reads slowly before its connection is aborted. */
export const DEFAULT_MAX_BUFFERED_BYTES: number = 1024 * 1024;
/** How long the client may take over the closing handshake, in milliseconds (ASP.NET Core's `WebSockets.CloseTimeout`). */
export const DEFAULT_CLOSE_TIMEOUT_MS = 5_000;
/** Bytes of one WebSocket message from a client. */
export const DEFAULT_MAX_FRAME_BYTES: number = 1024 * 1024;
/** Connections of one endpoint, those being opened included. */
export const DEFAULT_MAX_CONNECTIONS = 100_000;
/** How long `authenticate` may take, in milliseconds. */
export const DEFAULT_AUTHENTICATE_TIMEOUT_MS = 10_000;

/** Connects per second, before others wait. */
export const DEFAULT_MAX_CONNECTS_PER_SECOND = 1_000;
/** Connects that wait their turn. */
export const DEFAULT_MAX_WAITING_CONNECTS = 10_000;
/** How long a client without a request or socket may take to come back, in milliseconds (`DisconnectTimeout`). */
export const DEFAULT_DISCONNECT_TIMEOUT_MS = 15_000;
/** How long a poll waits, in milliseconds (`LongPolling.PollTimeout`); stock clients give up at 100 s. */
export const DEFAULT_LONG_POLL_TIMEOUT_MS = 90_000;

const TRANSPORTS: readonly TransportName[] = ["WebSockets", "ServerSentEvents", "LongPolling"];

/** Where a client is sent by negotiate, or why it is refused. */
export type Redirection =
	| { readonly url: string; readonly accessToken?: string | undefined }
	| { readonly error: string };

/** Options of {@link Endpoint}. */
export interface EndpointOptions {
	/**
	 * Where the hub is mounted, `/chat`. Compared as ASP.NET Core routes do: without regard to case, a trailing slash
	 * ignored, percent-encoding undone (an encoded slash stays encoded).
	 */
	readonly path: string;
	/** Prefix of this process's connection tokens, 1 to 32 of `A-Z a-z 0-9 _ -`; a load balancer can route by it. */
	readonly serverId: string;
	/** The new connection's owner; must call `connection.listen` before it returns. */
	readonly onConnection: (connection: Connection) => void;
	/** Hears the HTTP status of each negotiate, connect or poll that is refused. Must not throw. @defaultValue nobody */
	readonly onRefused?: ((status: number) => void) | undefined;
	/** Keys of the connection tokens, 16 characters at least: the first signs, all verify. @defaultValue random per process */
	readonly tokenSecrets?: readonly string[] | undefined;
	/**
	 * Finds out who asks; called for every request. Throwing (or rejecting) answers 401, nothing is anonymous.
	 * A token that one user negotiated opens no connection for another. @defaultValue everybody is anonymous
	 */
	readonly authenticate?:
		| ((request: ConnectionRequest) => Promise<User | undefined> | User | undefined)
		| undefined;
	/** Milliseconds that `authenticate` may take before 503 is answered. @defaultValue 10,000 ms */
	readonly authenticateTimeoutMs?: number | undefined;
	/**
	 * Browser pages that may connect besides those of the same host. `"*"` lets every page on the web use the cookies
	 * of your users: ask for it only where no cookie means anything. @defaultValue same host only
	 */
	readonly allowedOrigins?: readonly string[] | "*" | undefined;
	/** Whose forwarding headers are believed; trust too much and a client chooses its own address. @defaultValue false */
	readonly trustProxy?: TrustProxy | undefined;
	/**
	 * Bytes that may wait when more is sent; above, the connection is aborted with `ERR_SLOW_CLIENT`. One message of any
	 * size passes when nothing waits. Each client can hold this much memory. @defaultValue 1,048,576 bytes
	 */
	readonly maxBufferedBytes?: number | undefined;
	/** Milliseconds until a connection whose client does not answer a close is aborted. @defaultValue 5,000 ms */
	readonly closeTimeoutMs?: number | undefined;
	/**
	 * Bytes of one WebSocket message from a client; above, the connection ends with close code 1009. It holds whole in
	 * memory, and may carry many hub messages, so this must not be below the hub's own message limit. `null`: no limit.
	 * @defaultValue 1,048,576 bytes
	 */
	readonly maxFrameBytes?: number | null | undefined;
	/** Connections at once; above, negotiate and upgrades get 503. `null`: no limit. @defaultValue 100,000 */
	readonly maxConnections?: number | null | undefined;
	/** Connects per second; more wait their turn. `null`: no limit. @defaultValue 1,000 */
	readonly maxConnectsPerSecond?: number | null | undefined;
	/** Connects that wait their turn; more get 503 with `Retry-After`. @defaultValue 10,000 */
	readonly maxWaitingConnects?: number | undefined;
	/** What negotiate offers; clients try them in the order of the default, whatever the order here. @defaultValue WebSockets, ServerSentEvents, LongPolling */
	readonly transports?: readonly TransportName[] | undefined;
	/** Milliseconds that a client without a request or socket may take to come back. @defaultValue 15,000 ms */
	readonly disconnectTimeoutMs?: number | undefined;
	/** Milliseconds that a poll waits for bytes. @defaultValue 90,000 ms */
	readonly longPollTimeoutMs?: number | undefined;
	/** Grants stateful reconnect to clients that ask for it. @defaultValue false */
	readonly allowStatefulReconnects?: boolean | undefined;
	/** Whether who was authenticated may connect; asked for every request. False: 401 to nobody, 403 to somebody. @defaultValue yes */
	readonly authorize?:
		| ((user: User | undefined, request: ConnectionRequest) => Promise<boolean> | boolean)
		| undefined;
	/**
	 * Requests that neither `authenticate` nor `authorize` is asked about: what they open is refused later, or is no client
	 * (a link of a proxy). Must not throw. @defaultValue none
	 */
	readonly exempts?: ((request: ConnectionRequest) => boolean) | undefined;
	/** Sends a client that negotiates elsewhere, or refuses it with a text. @defaultValue nobody */
	readonly redirect?:
		| ((
				request: ConnectionRequest,
				user: User | undefined,
		  ) => Promise<Redirection | undefined> | Redirection | undefined)
		| undefined;
	/** Milliseconds from negotiate until the connection must be opened. @defaultValue 15,000 ms */
	readonly tokenLifetimeMs?: number | undefined;
	/** Used tokens to remember until they expire; at the bound upgrades get 503. @defaultValue 131,072 */
	readonly maxUsedTokens?: number | undefined;
	/** @defaultValue silent */
	readonly log?: Log | undefined;
	/** @defaultValue the system's clock */
	readonly clock?: Clock | undefined;
}

/** {@link EndpointOptions} checked and filled in. */
export interface ResolvedEndpointOptions {
	readonly path: string;
	readonly onConnection: (connection: Connection) => void;
	readonly onRefused: EndpointOptions["onRefused"];
	readonly authenticate: NonNullable<EndpointOptions["authenticate"]>;
	readonly authenticateTimeoutMs: number;
	readonly authorize: EndpointOptions["authorize"];
	readonly exempts: EndpointOptions["exempts"];
	readonly redirect: EndpointOptions["redirect"];
	readonly transports: readonly TransportName[];
	readonly allowStatefulReconnects: boolean;
	readonly origins: Origins;
	readonly trust: Trust;
	readonly maxBufferedBytes: number;
	readonly closeTimeoutMs: number;
	readonly maxFrameBytes: number;
	readonly maxConnections: number;
	readonly maxConnectsPerSecond: number;
	readonly maxWaitingConnects: number;
	readonly disconnectTimeoutMs: number;
	readonly longPollTimeoutMs: number;
	readonly log: Log;
	readonly clock: Clock;
}

/** Checks `options` and puts the defaults in. @throws TrunklineError `ERR_OPTION` */
export function resolveEndpointOptions(options: EndpointOptions): ResolvedEndpointOptions {
	checkTokenSecrets(options.tokenSecrets);
	return {
		path: checkPath(options.path),
		onConnection: options.onConnection,
		onRefused: options.onRefused,
		authenticate: functionOption("authenticate", options.authenticate) ?? (() => undefined),
		authorize: functionOption("authorize", options.authorize),
		exempts: functionOption("exempts", options.exempts),
		redirect: functionOption("redirect", options.redirect),
		transports: checkTransports(options.transports),
		allowStatefulReconnects: booleanOption("allowStatefulReconnects", options.allowStatefulReconnects, false),
		origins: new Origins(options.allowedOrigins),
		trust: compileTrust(options.trustProxy),
		...resolveTimes(options),
		...resolveLimits(options),
		log: logOption(options.log),
		clock: options.clock ?? systemClock,
	};
}

/** The options that are times, and their defaults. */
const TIMES = {
	authenticateTimeoutMs: DEFAULT_AUTHENTICATE_TIMEOUT_MS,
	closeTimeoutMs: DEFAULT_CLOSE_TIMEOUT_MS,
	disconnectTimeoutMs: DEFAULT_DISCONNECT_TIMEOUT_MS,
	longPollTimeoutMs: DEFAULT_LONG_POLL_TIMEOUT_MS,
} as const;

function resolveTimes(options: EndpointOptions): Record<keyof typeof TIMES, number> {
	const times = Object.entries(TIMES).map(([name, byDefault]) => {
		return [name, durationOption(name, options[name as keyof typeof TIMES], byDefault)];
	});
	return Object.fromEntries(times) as Record<keyof typeof TIMES, number>;
}

/** The options that `null` lifts, and their defaults. */
const LIMITS = {
	maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
	maxConnections: DEFAULT_MAX_CONNECTIONS,
	maxConnectsPerSecond: DEFAULT_MAX_CONNECTS_PER_SECOND,
} as const;

type Limits = Record<keyof typeof LIMITS | "maxBufferedBytes" | "maxWaitingConnects", number>;

function resolveLimits(options: EndpointOptions): Limits {
	const limits = Object.entries(LIMITS).map(([name, byDefault]) => {
		return [name, limitOption(name, options[name as keyof typeof LIMITS], byDefault)];
	});
	return {
		...(Object.fromEntries(limits) as Record<keyof typeof LIMITS, number>),
		maxBufferedBytes: countOption("maxBufferedBytes", options.maxBufferedBytes, DEFAULT_MAX_BUFFERED_BYTES),
		maxWaitingConnects: countOption(
			"maxWaitingConnects",
			options.maxWaitingConnects,
			DEFAULT_MAX_WAITING_CONNECTS,
			0,
		),
	};
}

/** In the order in which clients are to try them, whatever the order of the option. */
function checkTransports(transports: readonly TransportName[] | undefined): readonly TransportName[] {
	if (transports === undefined) return TRANSPORTS;
	const isKnown = Array.isArray(transports) && transports.every((name) => TRANSPORTS.includes(name));
	if (isKnown && transports.length > 0) return TRANSPORTS.filter((name) => transports.includes(name));
	throw new TrunklineError(
		"ERR_OPTION",
		`Option "transports" must name at least one of ${TRANSPORTS.join(", ")}; found ${JSON.stringify(transports)}.`,
	);
}

/** A path in the form in which paths are compared; undefined when its percent-encoding is broken. */
export function comparablePath(path: string): string | undefined {
	let decoded = path;
	if (path.includes("%")) {
		try {
			decoded = decodeURI(path);
		} catch {
			return undefined;
		}
	}
	return (decoded.length > 1 && decoded.endsWith("/") ? decoded.slice(0, -1) : decoded).toLowerCase();
}

function checkPath(path: string): string {
	const comparable = typeof path === "string" && /^\/[^?#\s]*$/.test(path) ? comparablePath(path) : undefined;
	if (comparable !== undefined) return comparable;
	throw new TrunklineError(
		"ERR_OPTION",
		`Option "path" must be a path like "/chat", without query; found ${JSON.stringify(path)}.`,
	);
}
