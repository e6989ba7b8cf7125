import {
	HttpTransportType,
	type HubConnection,
	HubConnectionBuilder,
	type IHttpConnectionOptions,
	type IHubProtocol,
	LogLevel,
} from "@microsoft/signalr";
import type { WebSocket } from "ws";
import type { BackoffOptions, Log } from "../../base/index.js";
import { messageOf } from "../../errors/index.js";
import { LINK_HEADER } from "../link-proof.js";
import { PROOF_REFUSED } from "../link-terms.js";
import { type LinkCredentials, refusalText } from "./link-tls.js";

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
/** Attempts between two warnings: an app server that stays away must not fill the disk. */
const ATTEMPTS_PER_WARNING = 12;
const UNREACHABLE = "An app server cannot be reached; trying again.";
const LOST = "A link to an app server was lost; connecting again.";

/** How an app server is connected to, whichever wire is spoken. */
export interface DialSettings extends LinkCredentials {
	readonly url: string;
	readonly reconnect: BackoffOptions;
	/** How long an address may take to answer the upgrade before another attempt. @defaultValue 10_000 ms */
	readonly connectTimeoutMs?: number | undefined;
	readonly log: Log;
}

/** The client makes its socket by `new`, so that it can be given one that is remembered, and of ws 8. */
export type SocketClass = new (address: string, protocols: undefined, options: object) => WebSocket;

/** What differs from one wire to the other. */
export interface DialedConnection {
	readonly protocol: IHubProtocol;
	/** What this end proves itself with; empty where that is nothing. */
	readonly proof: string;
	readonly socketClass: SocketClass;
	/** How often the connection shows that it is alive, in milliseconds. */
	readonly keepAliveMs: number;
	/** Silence after which it is given up, in milliseconds. */
	readonly silenceMs: number;
}

/** Makes a connection to an app server; it is not started yet. */
export function dialedConnection(url: string, dialed: DialedConnection): HubConnection {
	const { protocol, proof, socketClass, keepAliveMs, silenceMs } = dialed;
	const options: IHttpConnectionOptions & { readonly WebSocket: SocketClass } = {
		skipNegotiation: true,
		transport: HttpTransportType.WebSockets,
		headers: proof === "" ? {} : { [LINK_HEADER]: proof },
		// Not in the client's declarations, but how it takes another socket class.
		WebSocket: socketClass,
	};
	const connection = new HubConnectionBuilder()
		.withUrl(url, options)
		.withHubProtocol(protocol)
		.configureLogging(LogLevel.None)
		.build();
	connection.keepAliveIntervalInMilliseconds = keepAliveMs;
	connection.serverTimeoutInMilliseconds = silenceMs;
	return connection;
}

/** How long an upgrade may take, in milliseconds. */
export function connectTimeoutOf({ connectTimeoutMs }: DialSettings): number {
	return connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
}

/** An attempt to connect that failed. */
export interface FailedAttempt {
	readonly attempt: number;
	readonly cause: unknown;
	/** What the socket said: SignalR's own text says no more than that it did not work. */
	readonly socketError: Error | undefined;
	/** False where another link to the same address tells of it. */
	readonly isTold: boolean;
}

/** Says at once, and then now and then, that an app server cannot be connected to. */
export function tellFailed(settings: DialSettings, failed: FailedAttempt): void {
	const { url, log } = settings;
	const { attempt, cause, socketError } = failed;
	const isTold = failed.isTold && (attempt === 1 || attempt % ATTEMPTS_PER_WARNING === 0);
	const reason = reasonOf(socketError, cause);
	const text = messageOf(cause).includes(PROOF_REFUSED) ? refusalText(settings) : UNREACHABLE;
	log[isTold ? "warn" : "debug"]({ url, attempt, reason }, text);
}

/** In one line, also where OpenSSL says it. */
function reasonOf(socketError: Error | undefined, cause: unknown): string {
	const text = (socketError?.message ?? messageOf(cause)).trim().replaceAll(/\s*[\r\n]+\s*/g, " ");
	return /wrong version number|packet length too long/.test(text)
		? `The port answers, but not in TLS: use http, or the port that serves https (${text}).`
		: text;
}

/** Says that a connection was lost. */
export function tellLost({ url, log }: DialSettings, error: Error | undefined): void {
	log.debug({ url, reason: error?.message }, LOST);
}
