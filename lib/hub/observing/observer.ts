import type { ErrorCode } from "../../errors/index.js";
import type { TransportName } from "../../transports/index.js";
import type { DisconnectReason } from "../clients/client-connection.js";
import type { DownloadEnd } from "../streams/download.js";
import type {
	LinkEndFacts,
	LinkFacts,
	LinkLoadFacts,
	LinkSessionEndFacts,
	RecoveryFacts,
} from "./link-facts.js";

/**
 * Why a call failed: the code of a `TrunklineError`; a `HubException`; `UnknownMethod`, where nobody takes the call;
 * `Refused` by `authorize`, as a stream that is none (or the other way round), or as one stream too many; else `Error`.
 */
export type CallFailure = ErrorCode | "HubException" | "UnknownMethod" | "Refused" | "Error";

/** What is said of a client's connection. All values are few, so that they can be labels. */
export interface ConnectionFacts {
	/** `Link` for a client that a proxy holds. */
	readonly transport: TransportName | "Link";
	/** The hub protocol: `json`, `messagepack`, `dotnetify-link`. */
	readonly protocol: string;
}

/** The end of a client's connection. */
export interface ConnectionEnd extends ConnectionFacts {
	/** Milliseconds since its handshake. */
	readonly durationMs: number;
	/** `refused`: by a connected listener or filter. The others as `disconnected` tells them. */
	readonly reason: DisconnectReason["kind"] | "refused";
	/** What went wrong, where it was found out: `ERR_CLIENT_TIMEOUT`, `ERR_SLOW_CLIENT`, `ERR_PROTOCOL`… */
	readonly code: ErrorCode | undefined;
}

/** A connection that never became a client. */
export interface HandshakeFailure {
	readonly transport: TransportName;
	/** `ERR_HANDSHAKE` where it was refused or did not come; else how its connection ended. */
	readonly code: ErrorCode;
}

/** A negotiate, a connect or a poll that was refused. */
export interface ConnectRefusal {
	/** HTTP's: 400, 401 not authenticated, 403 not allowed (also its origin), 404 no such token, 409, 503 full or closing. */
	readonly status: number;
}

/** A message of the hub protocol on a connection that ends here: calls, answers, items, pings and all others. */
export interface TrafficFacts {
	readonly transport: TransportName;
	/** Its length; what is sent counts with its framing. */
	readonly bytes: number;
}

/** A call of a client. */
export interface CallFacts {
	/** The method's name as it was declared; undefined where the hub has none of that name. Never the client's text. */
	readonly method: string | undefined;
}

/** The end of a call. */
export interface CallEnd extends CallFacts {
	/** Milliseconds since the call was taken. */
	readonly durationMs: number;
	/** Undefined where it went well. */
	readonly failure: CallFailure | undefined;
}

/** The end of a stream to a client. */
export interface StreamEnd extends CallEnd {
	/** Items that were sent. */
	readonly items: number;
	/** `cancelled` by the client; `lost` with it, or where a middleware answered in place of a stream. */
	readonly end: DownloadEnd;
}

/** A call of ours that a client is to answer. */
export interface ClientResultFacts {
	/** The client's method that was asked for. */
	readonly method: string;
}

/** The end of such a call. */
export interface ClientResultEnd extends ClientResultFacts {
	/** Milliseconds since the client was asked. */
	readonly durationMs: number;
	/** Undefined where the client answered; `HubException` where it answered with an error. */
	readonly failure: CallFailure | undefined;
}

/**
 * Hears what a hub does, to count and to measure: `hub.observe(observer)`. Every member may be left out. Members are called
 * in the middle of the work: they must be quick, and what they throw is logged once and harms nobody. Times are in
 * milliseconds of the hub's clock.
 */
export interface HubObserver {
	/** A client has done its handshake; its connected listeners run next. */
	connectionOpened?(facts: ConnectionFacts): void;
	/** A client is gone; its disconnected listeners run next. */
	connectionClosed?(facts: ConnectionEnd): void;
	/** A client was cut because it did not read (`ERR_SLOW_CLIENT`); `connectionClosed` follows. */
	slowClientClosed?(facts: ConnectionFacts): void;
	handshakeFailed?(facts: HandshakeFailure): void;
	connectRefused?(facts: ConnectRefusal): void;
	messageReceived?(facts: TrafficFacts): void;
	/** A message was handed to a connection; one for many is told for each. */
	messageSent?(facts: TrafficFacts): void;
	/** A call without a stream as its answer was taken from its connection. */
	invocationStarted?(facts: CallFacts): void;
	/** It was answered, or ended without anybody who waits. */
	invocationEnded?(facts: CallEnd): void;
	/** A call for a stream was taken from its connection. */
	streamStarted?(facts: CallFacts): void;
	streamEnded?(facts: StreamEnd): void;
	/** A client was asked for a result. */
	clientResultAsked?(facts: ClientResultFacts): void;
	clientResultEnded?(facts: ClientResultEnd): void;
	/** A link between a proxy and an app server is there: this hub is one of both. */
	linkUp?(facts: LinkFacts): void;
	/** It is gone. A proxy connects it anew. */
	linkDown?(facts: LinkEndFacts): void;
	/** The first native link between two instances is up. */
	linkSessionOpened?(facts: LinkFacts): void;
	/** A session of native links is over, with all that it did. */
	linkSessionEnded?(facts: LinkSessionEndFacts): void;
	/** An app server has told a proxy how busy it is: this hub is one of both. */
	linkLoad?(facts: LinkLoadFacts): void;
	/** At a proxy: all clients of a session that is over are opened again, as far as they are still there. */
	clientsRecovered?(facts: RecoveryFacts): void;
	/** At a proxy: an app server has handed a client over, which goes to another one. */
	clientMigrated?(facts: LinkFacts): void;
	/** Too much of a forwarded client waits at the app server: its proxy reads no more of it. */
	clientHeld?(facts: LinkFacts): void;
	/** It is read again, or gone. */
	clientReleased?(facts: LinkFacts): void;
}
