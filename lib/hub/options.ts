import type { Clock, Log } from "../base/index.js";
import type { Arguments } from "../protocols/index.js";
import type { ConnectionRequest, Redirection, TransportName, TrustProxy, User } from "../transports/index.js";
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
/** Bytes of a lost client's messages that are kept before what can wait has to (ASP.NET Core's `StatefulReconnectBufferSize`). */
export const DEFAULT_STATEFUL_RECONNECT_BUFFER_BYTES = 100_000;
/** Items of an upload that wait for the method that reads it (ASP.NET Core's `StreamBufferCapacity`). */
export const DEFAULT_STREAM_BUFFER_CAPACITY = 10;
/** Streams of one connection at the same time, both directions together. */
export const DEFAULT_MAX_STREAMS_PER_CONNECTION = 100;
/** How long a client may take to answer an invocation of ours, in milliseconds. */
export const DEFAULT_CLIENT_RESULT_TIMEOUT_MS = 30_000;
/** Invocations of ours that one client has not answered yet. */
export const DEFAULT_MAX_PENDING_CLIENT_RESULTS = 100;

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
	/**
	 * Bytes that wait for a slow reader before it is closed. From a quarter of them on state is left out and sent anew when
	 * there is room: make it four times the largest full state of your view models, or more.
	 * @defaultValue that of the transports, 1 MiB
	 */
	readonly maxBufferedBytes?: number | undefined;
	/** Connections at each path of this hub; more are answered 503 at negotiate and upgrade. @defaultValue that of the transports, 100_000 */
	readonly maxConnections?: number | undefined;
	/** Connects that are let in per second; more wait their turn. `null` for no limit. @defaultValue that of the transports, 1_000 */
	readonly maxConnectsPerSecond?: number | null | undefined;
	/** Connects that may wait; more are answered 503 with `Retry-After`. @defaultValue that of the transports, 10_000 */
	readonly maxWaitingConnects?: number | undefined;
	/** What clients may use; they try it in the order of the default, whatever the order here. @defaultValue WebSockets, ServerSentEvents, LongPolling */
	readonly transports?: readonly TransportName[] | undefined;
	/** How long a client without a socket (between two polls, or after a loss) may take to come back. @defaultValue 15_000 ms */
	readonly disconnectTimeoutMs?: number | undefined;
	/** How long a poll waits for something to send; stock clients give up after 100 s. @defaultValue 90_000 ms */
	readonly longPollTimeoutMs?: number | undefined;
	/** Lets clients that ask for it keep their connection through lost sockets. @defaultValue false */
	readonly allowStatefulReconnects?: boolean | undefined;
	/** Unacknowledged bytes kept for one such client before its streams wait. @defaultValue 100_000 bytes */
	readonly statefulReconnectBufferBytes?: number | undefined;
	/** Items of an upload that wait for their method before its client is not read any more. @defaultValue 10 */
	readonly streamBufferCapacity?: number | undefined;
	/** Streams of one connection at once, both directions; more fail. @defaultValue 100 */
	readonly maxStreamsPerConnection?: number | undefined;
	/** How long a client may take to answer `clients.client(id).invoke(…)`; `null` for as long as it is there. @defaultValue 30_000 ms */
	readonly clientResultTimeoutMs?: number | null | undefined;
	/** Such calls that one client has not answered yet; more fail. @defaultValue 100 */
	readonly maxPendingClientResults?: number | undefined;
	/**
	 * What becomes of a client that a proxy holds when this server goes away: `reopen` keeps it connected, opens it anew at
	 * the server that comes back (or at a replica) and makes the retained calls again; `close` ends it with `allowReconnect`.
	 * View models need the former, whatever keeps state in a connection the latter. @defaultValue close
	 */
	readonly recovery?: "reopen" | "close" | undefined;
	/**
	 * Types of view models of which clients share one: where app servers share the clients of a proxy, all clients of such
	 * a view model are brought together at one of them. A hub for view models knows its classes. @defaultValue none
	 */
	readonly sharedTypes?: readonly string[] | undefined;
	/** Tells what a call is about, for middleware that routes by it. @defaultValue nothing */
	readonly route?: ((target: string, args: Arguments) => Route | undefined) | undefined;
	/** Finds out who connects; throwing answers 401 (503 for the code `ERR_AUTHENTICATION_UNAVAILABLE`). @defaultValue everybody is anonymous */
	readonly authenticate?:
		| ((request: ConnectionRequest) => Promise<User | undefined> | User | undefined)
		| undefined;
	/** How long `authenticate` may take before 503 is answered. @defaultValue that of the transports, 10_000 ms */
	readonly authenticateTimeoutMs?: number | undefined;
	/**
	 * Decides whether who was authenticated may use this hub, at every HTTP request: false answers 401 to nobody, 403 to
	 * somebody. @defaultValue everybody may
	 */
	readonly authorize?:
		| ((user: User | undefined, request: ConnectionRequest) => Promise<boolean> | boolean)
		| undefined;
	/** Ends a connection (with `allowReconnect`) when its user's `expiresAt` has come. @defaultValue false */
	readonly closeOnAuthenticationExpiration?: boolean | undefined;
	/** Sends a client that negotiates elsewhere, or refuses it with a text. @defaultValue nobody */
	readonly redirect?:
		| ((
				request: ConnectionRequest,
				user: User | undefined,
		  ) => Promise<Redirection | undefined> | Redirection | undefined)
		| undefined;
	/** Origins of browsers that may connect beside the hub's own host; `"*"` for all. @defaultValue the same host only */
	readonly allowedOrigins?: readonly string[] | "*" | undefined;
	/** Whose forwarding headers are believed; Express's meaning. @defaultValue false: nobody's */
	readonly trustProxy?: TrustProxy | undefined;
	/** Keys of connection tokens, 16 characters at least: the first signs, all verify. Give every process of one address the same. @defaultValue random per process */
	readonly tokenSecrets?: readonly string[] | undefined;
	/** Name of this process in connection tokens, for load balancers that route by it. @defaultValue random */
	readonly serverId?: string | undefined;
	/** @defaultValue silence */
	readonly log?: Log | undefined;
	/** @defaultValue the system's */
	readonly clock?: Clock | undefined;
}
