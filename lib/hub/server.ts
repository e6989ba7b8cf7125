import { once } from "node:events";
import {
	createServer as createHttpServer,
	type Server as HttpServer,
	type IncomingMessage,
	type RequestListener,
	type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer, type ServerOptions as TlsOptions } from "node:https";
import type { AddressInfo } from "node:net";
import Koa from "koa";
import { durationOption, settledWithin, systemClock, type Timer } from "../base/index.js";
import { messageOf, TrunklineError } from "../errors/index.js";
import type { Endpoint } from "../transports/index.js";
import type { Hub } from "./hub.js";
import { attachUpgrades } from "./mount.js";
import { type CloseOptions, Deadline, SHUTDOWN_GRACE_MS } from "./shutdown/deadline.js";
import { SilentSockets } from "./shutdown/silent-sockets.js";

/** How long the end of a server waits for calls that run and requests that are being answered, in milliseconds. */
export const DEFAULT_SERVER_CLOSE_TIMEOUT_MS = 5_000;

/** How often a server that ends looks whether its clients know, in milliseconds. */
const HEARD_CHECK_MS = 20;

/** Settings of a server. */
export interface ServerOptions {
	/** A Koa application of yours that answers what no hub takes. @defaultValue a new one */
	readonly app?: Koa | undefined;
	/** What `close` takes as `timeoutMs` where it is given none. @defaultValue 5_000 ms */
	readonly closeTimeoutMs?: number | undefined;
	/**
	 * Serves TLS: what Node's `https.createServer` takes, such as `cert` and `key` in PEM. With `requestCert` and `ca` it
	 * asks clients for certificates: `request.certificate`. @defaultValue none: plain HTTP
	 */
	readonly tls?: TlsOptions | undefined;
}

/** Where a server listens. */
export interface Listening {
	readonly port: number;
	/** `http://host:port` of this machine, `https` with TLS. */
	readonly url: string;
}

interface Mapped {
	readonly hub: { close(options: CloseOptions): Promise<void>; cut(): void };
	readonly endpoint: Endpoint;
}

/** An HTTP server with hubs on it: `createServer().map("/chat", hub).listen(5000)`. */
export class Server {
	/** Answers what no hub takes; add your own middleware to it. */
	readonly app: Koa;
	readonly http: HttpServer;
	readonly #closeTimeoutMs: number;
	readonly #mapped: Mapped[] = [];
	readonly #silent: SilentSockets;
	readonly #protocol: "http" | "https";
	#timer: Timer | undefined;
	#deadline: Deadline | undefined;
	#closed: Promise<void> | undefined;
	#callback: ReturnType<Koa["callback"]> | undefined;

	/** @throws TrunklineError ERR_OPTION */
	constructor(options: ServerOptions = {}) {
		this.#closeTimeoutMs = durationOption(
			"closeTimeoutMs",
			options.closeTimeoutMs,
			DEFAULT_SERVER_CLOSE_TIMEOUT_MS,
		);
		this.app = options.app ?? new Koa();
		this.#protocol = options.tls ? "https" : "http";
		this.http = httpServer(options.tls, (request, response) => {
			this.#silent.heard(request.socket);
			// A connection that is kept alive would hold the end of the server back until it times out.
			response.once(
				"close",
				() => this.http.listening || setImmediate(() => this.http.closeIdleConnections()),
			);
			const endpoint = this.#endpointOf(request.url);
			if (endpoint) endpoint.handleRequest(request, response);
			else this.#answer(request, response);
		});
		this.#silent = new SilentSockets(this.http);
	}

	/** Puts a hub on a path. @throws TrunklineError ERR_OPTION where the path is none, or is taken, or the hub is none. */
	map<Client extends object>(path: string, hub: Hub<Client>): this {
		if (this.#endpointOf(path)) {
			throw new TrunklineError("ERR_OPTION", `Path "${path}" has a hub already; give each hub its own path.`);
		}
		if (typeof hub.endpoint !== "function") throw noHub(path, typeof hub);
		const endpoint = hub.endpoint(path);
		attachUpgrades(endpoint, this.http, (socket) => this.#silent.heard(socket));
		this.#mapped.push({ hub, endpoint });
		return this;
	}

	/**
	 * Starts to listen: port 0 takes a free one; without a host on all addresses.
	 * @throws TrunklineError ERR_ADDRESS_IN_USE where somebody else listens there; ERR_OPTION where nobody can.
	 */
	async listen(port = 0, host?: string): Promise<Listening> {
		try {
			this.#deadline = undefined;
			this.#closed = undefined;
			this.http.listen(port, host);
			await once(this.http, "listening");
		} catch (cause) {
			throw listenError(cause as NodeJS.ErrnoException, port, host);
		}
		const { port: bound } = this.http.address() as AddressInfo;
		const shown = host === undefined || host === "0.0.0.0" || host === "::" ? "localhost" : host;
		return { port: bound, url: `${this.#protocol}://${shown.includes(":") ? `[${shown}]` : shown}:${bound}` };
	}

	/**
	 * Closes the hubs as their `close` says: every client gets Close with `allowReconnect` as soon as its calls are
	 * answered, one after another over `spreadMs` where that is given. Then it stops listening. Requests that are being answered have the same time; what is left after
	 * `timeoutMs`, or when `signal` is aborted, is cut, within a second or two. Later calls return the same promise; they
	 * can draw the end nearer.
	 * @throws (rejects) TrunklineError ERR_OPTION
	 */
	close({ timeoutMs, signal, spreadMs }: CloseOptions = {}): Promise<void> {
		const deadline = this.#deadline ?? new Deadline(systemClock, this.#closeTimeoutMs);
		try {
			deadline.set({ timeoutMs, signal, spreadMs });
		} catch (cause) {
			return Promise.reject(cause);
		}
		const timeoutForHubs = timeoutMs ?? (this.#closed ? undefined : this.#closeTimeoutMs);
		const forHubs = { timeoutMs: timeoutForHubs, signal, spreadMs };
		const hubs = this.#mapped.map(({ hub }) => hub.close(forHubs));
		this.#deadline = deadline;
		this.#closed ??= this.#close(deadline, Promise.all(hubs));
		return this.#closed;
	}

	async #close(deadline: Deadline, hubs: Promise<unknown>): Promise<void> {
		// Requests carry what clients of Server-Sent Events and long polling still have to say and to hear: those come first.
		await hubs;
		const closed = new Promise<void>((resolve) => this.http.close(() => resolve()));
		this.http.closeIdleConnections();
		this.#endSilent();
		if (!(await deadline.within(closed))) {
			// Those whom the hubs have sent away at the last moment are still to hear it.
			if (!this.#isHeard) await settledWithin(systemClock, SHUTDOWN_GRACE_MS, closed);
			this.http.closeAllConnections();
			for (const { hub } of this.#mapped) hub.cut();
		}
		this.#timer?.cancel();
		deadline.release();
	}

	/** Whether every client has heard that it is over. */
	get #isHeard(): boolean {
		return this.#mapped.every(({ endpoint }) => endpoint.connections === 0);
	}

	/** Not before all have heard of the end: the poll of one that has not may be on its way over such a socket. */
	#endSilent(): void {
		if (this.#isHeard) this.#silent.destroy();
		else this.#timer = systemClock.schedule(HEARD_CHECK_MS, () => this.#endSilent());
	}

	#answer(request: IncomingMessage, response: ServerResponse): void {
		// Koa copies its middleware here: not before the first request, so that it can be added until then.
		this.#callback ??= this.app.callback();
		void this.#callback(request, response);
	}

	#endpointOf(url: string | undefined): Endpoint | undefined {
		return this.#mapped.find(({ endpoint }) => endpoint.matches(url))?.endpoint;
	}
}

/** Makes a server to put hubs on. */
export function createServer(options: ServerOptions = {}): Server {
	return new Server(options);
}

/** @throws TrunklineError ERR_OPTION */
function httpServer(tls: TlsOptions | undefined, listener: RequestListener): HttpServer {
	if (!tls) return createHttpServer(listener);
	try {
		return createHttpsServer(tls, listener);
	} catch (cause) {
		throw new TrunklineError("ERR_OPTION", `Option "tls" cannot be used: ${messageOf(cause)}.`, { cause });
	}
}

/** In JavaScript the second call of `createHub()()` is easily forgotten. */
function noHub(path: string, found: string): TrunklineError {
	const message = `What stands at "${path}" must be a hub, made by createHub()({ … }) with two calls; found ${found}.`;
	return new TrunklineError("ERR_OPTION", message);
}

function listenError(cause: NodeJS.ErrnoException, port: number, host: string | undefined): TrunklineError {
	const where = `${host ?? "all addresses"}, port ${port}`;
	if (cause.code === "EADDRINUSE") {
		const message = `Another program listens on ${where} already. Stop it, or choose another port.`;
		return new TrunklineError("ERR_ADDRESS_IN_USE", message, { cause });
	}
	return new TrunklineError("ERR_OPTION", `Cannot listen on ${where}: ${cause.message.replace(/\.$/, "")}.`, {
		cause,
	});
}
