import {
	type Clock,
	countOption,
	durationOption,
	type Log,
	limitOption,
	randomName,
	silentLog,
	systemClock,
} from "../base/index.js";
import { TrunklineError } from "../errors/index.js";
import type { Arguments } from "../protocols/index.js";
import type { ConnectionRequest, TrustProxy, User } from "../transports/index.js";
import type { Route } from "./dispatch/invocation-context.js";

/** Time for the client's handshake, in milliseconds. */
export const DEFAULT_HANDSHAKE_TIMEOUT_MS = 15_000;
/** Time between the server's pings, in milliseconds. */
export const DEFAULT_KEEP_ALIVE_INTERVAL_MS = 15_000;
/** How long a client that pings may be silent, in milliseconds. */
export const DEFAULT_CLIENT_TIMEOUT_MS = 30_000;
/** How long the end of a client waits for listeners that do not settle, in milliseconds. */
export const DEFAULT_LISTENER_TIMEOUT_MS = 10_000;
/** Largest message of a client, in bytes. */
export const DEFAULT_MAX_MESSAGE_BYTES = 32_768;
/** Invocations of one client that run at the same time. */
export const DEFAULT_MAXIMUM_PARALLEL_INVOCATIONS = 1;
/** Groups that one connection may be in. */
export const DEFAULT_MAX_GROUPS_PER_CONNECTION = 1_000;

/** Settings of a hub. The defaults are ASP.NET Core's where it has the setting. */
export interface HubOptions {
	/**
	 * Shows clients the messages of unexpected errors. Leave it off in production: they may hold secrets.
	 * @defaultValue false
	 */
	readonly detailedErrors?: boolean | undefined;
	/** Time for the client's handshake. @defaultValue 15_000 ms */
	readonly handshakeTimeoutMs?: number | undefined;
	/** Time between pings; clients give up after 30 s of silence by default. @defaultValue 15_000 ms */
	readonly keepAliveIntervalMs?: number | undefined;
	/** Silence after which a client that has pinged before is closed; twice its ping interval at least. @defaultValue 30_000 ms */
	readonly clientTimeoutMs?: number | undefined;
	/**
	 * How long the end of a client (and of the hub) waits for connected and disconnected listeners that have not settled.
	 * Afterwards the client is forgotten without them: a connected listener that takes longer may still run when the
	 * disconnected ones do. @defaultValue 10_000 ms
	 */
	readonly listenerTimeoutMs?: number | undefined;
	/** Largest message of a client, with its framing; `null` for no limit, which lets one client use all memory. @defaultValue 32_768 bytes */
	readonly maxMessageBytes?: number | null | undefined;
	/** Invocations of one client that run at the same time; above 1 they may overtake each other. @defaultValue 1 */
	readonly maximumParallelInvocations?: number | undefined;
	/** Groups that one connection may be in. @defaultValue 1_000 */
	readonly maxGroupsPerConnection?: number | undefined;
	/** Bytes that wait for a slow reader before it is closed. @defaultValue that of the transports, 1 MiB */
	readonly maxBufferedBytes?: number | undefined;
	/** Connections at each path of this hub; more are answered 503 at negotiate and upgrade. @defaultValue that of the transports, 100_000 */
	readonly maxConnections?: number | undefined;
	/** Tells what a call is about, for middleware that routes by it. @defaultValue nothing */
	readonly route?: ((target: string, args: Arguments) => Route | undefined) | undefined;
	/** Finds out who connects; throwing answers 401. @defaultValue everybody is anonymous */
	readonly authenticate?:
		| ((request: ConnectionRequest) => Promise<User | undefined> | User | undefined)
		| undefined;
	/** Origins of browsers that may connect beside the hub's own host; `"*"` for all. @defaultValue the same host only */
	readonly allowedOrigins?: readonly string[] | "*" | undefined;
	/** Whose forwarding headers are believed; Express's meaning. @defaultValue false: nobody's */
	readonly trustProxy?: TrustProxy | undefined;
	/** Keys of connection tokens: the first signs, all verify. Give every process of one address the same. @defaultValue random per process */
	readonly tokenSecrets?: readonly string[] | undefined;
	/** Name of this process in connection tokens, for load balancers that route by it. @defaultValue random */
	readonly serverId?: string | undefined;
	/** @defaultValue silence */
	readonly log?: Log | undefined;
	/** @defaultValue the system's */
	readonly clock?: Clock | undefined;
}

/** {@link HubOptions} with every default applied. */
export interface ResolvedHubOptions {
	readonly detailedErrors: boolean;
	readonly handshakeTimeoutMs: number;
	readonly keepAliveIntervalMs: number;
	readonly clientTimeoutMs: number;
	readonly listenerTimeoutMs: number;
	readonly maxMessageBytes: number;
	readonly maximumParallelInvocations: number;
	readonly maxGroupsPerConnection: number;
	readonly maxBufferedBytes: number | undefined;
	readonly maxConnections: number | undefined;
	readonly route: HubOptions["route"];
	readonly authenticate: HubOptions["authenticate"];
	readonly allowedOrigins: HubOptions["allowedOrigins"];
	readonly trustProxy: HubOptions["trustProxy"];
	readonly tokenSecrets: readonly string[] | undefined;
	readonly serverId: string;
	readonly log: Log;
	readonly clock: Clock;
}

/**
 * Checks the options of a hub and applies the defaults.
 * @throws TrunklineError ERR_OPTION that names the option, what was expected and what was found.
 */
export function resolveHubOptions(options: HubOptions): ResolvedHubOptions {
	return Object.freeze({
		detailedErrors: options.detailedErrors ?? false,
		...resolveTimes(options),
		...resolveLimits(options),
		route: options.route,
		authenticate: options.authenticate,
		allowedOrigins: options.allowedOrigins,
		trustProxy: options.trustProxy,
		tokenSecrets: options.tokenSecrets,
		serverId: serverIdOption(options.serverId),
		log: options.log ?? silentLog,
		clock: options.clock ?? systemClock,
	});
}

function resolveTimes(
	options: HubOptions,
): Pick<
	ResolvedHubOptions,
	"handshakeTimeoutMs" | "keepAliveIntervalMs" | "clientTimeoutMs" | "listenerTimeoutMs"
> {
	return {
		handshakeTimeoutMs: durationOption(
			"handshakeTimeoutMs",
			options.handshakeTimeoutMs,
			DEFAULT_HANDSHAKE_TIMEOUT_MS,
		),
		keepAliveIntervalMs: durationOption(
			"keepAliveIntervalMs",
			options.keepAliveIntervalMs,
			DEFAULT_KEEP_ALIVE_INTERVAL_MS,
		),
		clientTimeoutMs: durationOption("clientTimeoutMs", options.clientTimeoutMs, DEFAULT_CLIENT_TIMEOUT_MS),
		listenerTimeoutMs: durationOption(
			"listenerTimeoutMs",
			options.listenerTimeoutMs,
			DEFAULT_LISTENER_TIMEOUT_MS,
		),
	};
}

function resolveLimits(
	options: HubOptions,
): Pick<
	ResolvedHubOptions,
	| "maxMessageBytes"
	| "maximumParallelInvocations"
	| "maxGroupsPerConnection"
	| "maxBufferedBytes"
	| "maxConnections"
> {
	const { maximumParallelInvocations: parallel, maxGroupsPerConnection: groups } = options;
	return {
		maxMessageBytes: limitOption("maxMessageBytes", options.maxMessageBytes, DEFAULT_MAX_MESSAGE_BYTES),
		maximumParallelInvocations: countOption(
			"maximumParallelInvocations",
			parallel,
			DEFAULT_MAXIMUM_PARALLEL_INVOCATIONS,
		),
		maxGroupsPerConnection: countOption("maxGroupsPerConnection", groups, DEFAULT_MAX_GROUPS_PER_CONNECTION),
		maxBufferedBytes: optionalCount("maxBufferedBytes", options.maxBufferedBytes),
		maxConnections: optionalCount("maxConnections", options.maxConnections),
	};
}

function optionalCount(name: string, value: number | undefined): number | undefined {
	return value === undefined ? undefined : countOption(name, value, value);
}

function serverIdOption(serverId: string | undefined): string {
	if (serverId === undefined) return randomName();
	if (/^[A-Za-z0-9_-]{1,32}$/.test(serverId)) return serverId;
	throw new TrunklineError(
		"ERR_OPTION",
		`Option "serverId" must be 1 to 32 letters, digits, "-" or "_"; found ${JSON.stringify(serverId)}.`,
	);
}
