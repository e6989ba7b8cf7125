import {
	booleanOption,
	type Clock,
	countOption,
	durationOption,
	functionOption,
	type Log,
	limitOption,
	logOption,
	randomName,
	refuseUnknown,
	systemClock,
} from "../base/index.js";
import { TrunklineError } from "../errors/index.js";
import { resolveEndpointOptions } from "../transports/index.js";
import type { HubOptions } from "./options.js";
import * as defaults from "./options.js";

/** The options of a hub that are its transports', which check and default them. */
export type TransportSettings = Pick<
	HubOptions,
	| "authenticate"
	| "authenticateTimeoutMs"
	| "authorize"
	| "redirect"
	| "allowedOrigins"
	| "trustProxy"
	| "tokenSecrets"
	| "transports"
	| "allowStatefulReconnects"
	| "disconnectTimeoutMs"
	| "longPollTimeoutMs"
	| "maxConnections"
	| "maxConnectsPerSecond"
	| "maxWaitingConnects"
	| "maxBufferedBytes"
>;

/** {@link HubOptions} with every default applied. */
export interface ResolvedHubOptions {
	readonly detailedErrors: boolean;
	readonly handshakeTimeoutMs: number;
	readonly keepAliveIntervalMs: number;
	readonly clientTimeoutMs: number;
	readonly listenerTimeoutMs: number;
	readonly clientResultTimeoutMs: number;
	readonly maxMessageBytes: number;
	readonly maximumParallelInvocations: number;
	readonly maxGroupsPerConnection: number;
	readonly maxStreamsPerConnection: number;
	readonly maxPendingClientResults: number;
	readonly streamBufferCapacity: number;
	readonly statefulReconnectBufferBytes: number;
	readonly closeOnAuthenticationExpiration: boolean;
	readonly recovery: "reopen" | "close";
	readonly sharedTypes: readonly string[];
	readonly route: HubOptions["route"];
	readonly serverId: string;
	readonly log: Log;
	readonly clock: Clock;
	/** What the transports check and default themselves. */
	readonly transport: TransportSettings;
}

/**
 * Checks the options of a hub and applies the defaults.
 * @throws TrunklineError ERR_OPTION that names the option, what was expected and what was found.
 */
export function resolveHubOptions(options: HubOptions): ResolvedHubOptions {
	const transport = transportSettings(options);
	// Checked here as well, so that a mistake shows where the hub is made and not where it is mounted.
	resolveEndpointOptions({ ...transport, path: "/", serverId: "-", onConnection: () => {} });
	const resolved = {
		detailedErrors: booleanOption("detailedErrors", options.detailedErrors, false),
		closeOnAuthenticationExpiration: booleanOption(
			"closeOnAuthenticationExpiration",
			options.closeOnAuthenticationExpiration,
			false,
		),
		...resolveTimes(options),
		...resolveLimits(options),
		recovery: recoveryOption(options.recovery),
		sharedTypes: namesOption("sharedTypes", options.sharedTypes),
		route: functionOption("route", options.route),
		serverId: serverIdOption(options.serverId),
		log: logOption(options.log),
		clock: options.clock ?? systemClock,
	};
	const known = Object.keys({ ...resolved, ...transport, methods: undefined });
	refuseUnknown(options, known, { owner: "A hub", help: "docs/hubs.md#options has them all." });
	return Object.freeze({ ...resolved, transport });
}

function transportSettings(options: HubOptions): TransportSettings {
	const { authenticate, authenticateTimeoutMs, authorize, redirect, allowedOrigins, trustProxy } = options;
	const { tokenSecrets, transports, allowStatefulReconnects, disconnectTimeoutMs, longPollTimeoutMs } =
		options;
	const { maxConnections, maxConnectsPerSecond, maxWaitingConnects, maxBufferedBytes } = options;
	return {
		...{ authenticate, authenticateTimeoutMs, authorize, redirect, allowedOrigins, trustProxy },
		...{ tokenSecrets, transports, allowStatefulReconnects, disconnectTimeoutMs, longPollTimeoutMs },
		...{ maxConnections, maxConnectsPerSecond, maxWaitingConnects, maxBufferedBytes },
	};
}

type Times = Pick<
	ResolvedHubOptions,
	| "handshakeTimeoutMs"
	| "keepAliveIntervalMs"
	| "clientTimeoutMs"
	| "listenerTimeoutMs"
	| "clientResultTimeoutMs"
>;

function resolveTimes(options: HubOptions): Times {
	const { handshakeTimeoutMs, keepAliveIntervalMs, clientTimeoutMs, listenerTimeoutMs } = options;
	const { clientResultTimeoutMs: result } = options;
	return {
		handshakeTimeoutMs: durationOption(
			"handshakeTimeoutMs",
			handshakeTimeoutMs,
			defaults.DEFAULT_HANDSHAKE_TIMEOUT_MS,
		),
		keepAliveIntervalMs: durationOption(
			"keepAliveIntervalMs",
			keepAliveIntervalMs,
			defaults.DEFAULT_KEEP_ALIVE_INTERVAL_MS,
		),
		clientTimeoutMs: durationOption("clientTimeoutMs", clientTimeoutMs, defaults.DEFAULT_CLIENT_TIMEOUT_MS),
		listenerTimeoutMs: durationOption(
			"listenerTimeoutMs",
			listenerTimeoutMs,
			defaults.DEFAULT_LISTENER_TIMEOUT_MS,
		),
		clientResultTimeoutMs:
			result === null
				? Number.POSITIVE_INFINITY
				: durationOption("clientResultTimeoutMs", result, defaults.DEFAULT_CLIENT_RESULT_TIMEOUT_MS),
	};
}

/** Counts of at least 1, and their defaults. */
const COUNTS = {
	maximumParallelInvocations: defaults.DEFAULT_MAXIMUM_PARALLEL_INVOCATIONS,
	maxGroupsPerConnection: defaults.DEFAULT_MAX_GROUPS_PER_CONNECTION,
	maxStreamsPerConnection: defaults.DEFAULT_MAX_STREAMS_PER_CONNECTION,
	maxPendingClientResults: defaults.DEFAULT_MAX_PENDING_CLIENT_RESULTS,
	streamBufferCapacity: defaults.DEFAULT_STREAM_BUFFER_CAPACITY,
	statefulReconnectBufferBytes: defaults.DEFAULT_STATEFUL_RECONNECT_BUFFER_BYTES,
} as const;

type Limits = Pick<ResolvedHubOptions, "maxMessageBytes" | keyof typeof COUNTS>;

function resolveLimits(options: HubOptions): Limits {
	const counts = Object.entries(COUNTS).map(([name, byDefault]) => {
		return [name, countOption(name, options[name as keyof typeof COUNTS], byDefault)];
	});
	return {
		maxMessageBytes: limitOption(
			"maxMessageBytes",
			options.maxMessageBytes,
			defaults.DEFAULT_MAX_MESSAGE_BYTES,
		),
		...(Object.fromEntries(counts) as Record<keyof typeof COUNTS, number>),
	};
}

function recoveryOption(recovery: HubOptions["recovery"] = "close"): "reopen" | "close" {
	if (recovery === "reopen" || recovery === "close") return recovery;
	throw new TrunklineError(
		"ERR_OPTION",
		`Option "recovery" must be "reopen" or "close"; found ${JSON.stringify(recovery)}.`,
	);
}

function namesOption(name: string, names: readonly string[] = []): readonly string[] {
	if (Array.isArray(names) && names.every((each) => typeof each === "string" && each !== ""))
		return [...names];
	throw new TrunklineError(
		"ERR_OPTION",
		`Option "${name}" must be a list of names; found ${JSON.stringify(names)}.`,
	);
}

function serverIdOption(serverId: string | undefined): string {
	if (serverId === undefined) return randomName();
	if (/^[A-Za-z0-9_-]{1,32}$/.test(serverId)) return serverId;
	throw new TrunklineError(
		"ERR_OPTION",
		`Option "serverId" must be 1 to 32 letters, digits, "-" or "_"; found ${JSON.stringify(serverId)}.`,
	);
}
