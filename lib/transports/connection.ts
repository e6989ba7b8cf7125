import type { IncomingHttpHeaders } from "node:http";
import type { ClientCertificate } from "./request/client-certificate.js";

/** Names of the transports as negotiate spells them. */
export type TransportName = "WebSockets" | "ServerSentEvents" | "LongPolling";

/** Whether bytes are UTF-8 text or anything. */
export type PayloadFormat = "Text" | "Binary";

/** Who a connection speaks for, as `authenticate` found out. */
export interface User {
	/** What `ctx.clients.user(id)` addresses; compared exactly. */
	readonly id?: string | undefined;
	/** Anything else that is known of the user (the claims of a token). */
	readonly claims?: Readonly<Record<string, unknown>> | undefined;
	/** When what proved the user expires, in milliseconds since 1970; see the hub's `closeOnAuthenticationExpiration`. */
	readonly expiresAt?: number | undefined;
}

/** What the HTTP request that opened a connection told. Read it early: it does not change afterwards. */
export interface ConnectionRequest {
	/** `GET` for upgrades, `POST` for negotiate and for what clients send over Server-Sent Events and long polling. */
	readonly method: string;
	/** Path and query as they came. */
	readonly url: string;
	readonly path: string;
	readonly query: URLSearchParams;
	readonly headers: IncomingHttpHeaders;
	/** The address of the socket's other end: the client's, or the nearest proxy's. Never from a header. */
	readonly remoteAddress: string;
	readonly remotePort: number;
	readonly localAddress: string;
	readonly localPort: number;
	/** The client's address as far as `trustProxy` lets forwarding headers be believed. */
	readonly ip: string;
	/** The believed entries of `X-Forwarded-For`, client first, nearest proxy last; empty where none is believed (as Express). */
	readonly ips: readonly string[];
	readonly protocol: "http" | "https";
	readonly secure: boolean;
	/** Host and port as the client asked for them. */
	readonly host: string;
	/**
	 * The certificate of the socket's other end, where it is TLS and the server asks for one: the client's, or the
	 * nearest proxy's. Never from a header, and never a forwarded client's.
	 */
	readonly certificate?: ClientCertificate | undefined;
}

/** What the owner of a {@link Connection} hears. Calls never overlap and never come after `closed`. */
export interface ConnectionListener {
	/** Bytes from the client; boundaries mean nothing. Not called while the connection is paused, nor once it was ended. */
	data(chunk: Buffer): void;
	/**
	 * The connection is over; `error` is absent when either side ended it or the socket just went away, and tells of a
	 * client that broke the transport's rules (`ERR_TRANSPORT`) or did not read (`ERR_SLOW_CLIENT`). Called once, never
	 * from inside `close` or `abort`. Bytes that came before the end are delivered first: while paused, for up to 5 s.
	 */
	closed(error?: Error): void;
	/**
	 * More waits than `maxBufferedBytes`, and what was sent since is dropped: the owner says its last words (they are taken
	 * whatever waits) and ends the connection by `close`, so that a client that does read gets all of it. Never called from
	 * inside `send`. Absent: the connection is aborted.
	 */
	tooSlow?(error: Error): void;
	/** {@link Connection.isFull} was true and is not any more. */
	drained?(): void;
	/**
	 * Only after {@link Connection.enableReconnect}: the socket is gone, and the client may come back within
	 * `disconnectTimeoutMs`; if it does not, `closed` follows. Until `resumed`, `send` drops what it is given.
	 */
	interrupted?(): void;
	/**
	 * The client is back on another socket, on which nothing was sent yet. Bytes start anew: half a message of the old
	 * socket is never completed. Called after `interrupted`, also where the old socket seemed alive (it is ended then).
	 */
	resumed?(): void;
}

/**
 * One client's byte stream in both directions, whatever carries it. WebSockets, Server-Sent Events and long polling
 * all look like this; the contract suite in test/contracts runs against each.
 *
 * Ownership: the transport makes it and hands it over once (`onConnection`); the owner calls `listen` exactly once,
 * in the same turn, and must end it by `close` or `abort`, or hand it to another owner by `release`.
 */
export interface Connection {
	/** Public id, the one that negotiate gave (derived from the token), or a fresh one without negotiate. */
	readonly connectionId: string;
	readonly transport: TransportName;
	/** What it can carry: `Binary` needs WebSockets or long polling. */
	readonly formats: readonly PayloadFormat[];
	/** True where silence is normal and no pings are sent (long polling). */
	readonly hasInherentKeepAlive: boolean;
	readonly request: ConnectionRequest;
	readonly user: User | undefined;
	/** Bytes accepted by `send` that the operating system has not taken yet. */
	readonly bufferedBytes: number;
	/** Bytes that may wait in {@link bufferedBytes} before the connection is aborted; whoever owns it may change it. */
	maxBufferedBytes: number;
	/** So much waits (64 KiB, or a quarter of `maxBufferedBytes`) that a sender who can wait should, for `drained`. Nothing is dropped because of it. */
	readonly isFull: boolean;
	/** So much waits (a quarter of `maxBufferedBytes`) that what can be left out should be, until it is not full any more. */
	readonly isSlow: boolean;
	/** The client negotiated stateful reconnect, and this connection can outlive its socket. */
	readonly isReconnectable: boolean;
	listen(listener: ConnectionListener): void;
	/** The listener hears no more: another owner calls `listen` before the present call of a listener returns, or turn ends. */
	release(): void;
	/**
	 * Queues bytes (kept, not copied: do not change them). All that is sent in one turn of the event loop leaves in one
	 * write, bytes of one format in one frame. Ignored once closed. When more than `maxBufferedBytes` wait already, the
	 * connection ends with `ERR_SLOW_CLIENT`: see {@link ConnectionListener.tooSlow}.
	 */
	send(bytes: Buffer, format: PayloadFormat): void;
	/**
	 * From now on the loss of a socket interrupts the connection instead of ending it. A closing handshake by the client
	 * ends it all the same. Does nothing where it is not {@link isReconnectable}.
	 */
	enableReconnect(): void;
	/** Stops reading from the client (back-pressure); `data` is not called until `resume`. */
	pause(): void;
	resume(): void;
	/** Flushes what was sent, then ends the connection in order (WebSocket close 1000); aborts if the peer takes over 5 s. */
	close(): void;
	/** Ends the connection at once, dropping what is queued. */
	abort(): void;
}
