import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { randomId } from "../base/index.js";
import { messageOf } from "../errors/index.js";
import { type Answer, drainBody, ignoreErrors, responseOn, writeAnswer } from "./answer.js";
import { describeRequest, parseQuery, queryValue, splitUrl } from "./client-address.js";
import type { Connection, ConnectionRequest, TransportName, User } from "./connection.js";
import { negotiate } from "./negotiate.js";
import {
	comparablePath,
	type EndpointOptions,
	type ResolvedEndpointOptions,
	resolveEndpointOptions,
} from "./options.js";
import { type ConnectionTokens, createTokens } from "./tokens.js";
import { WebSocketConnection } from "./web-socket.js";

const NO_ID: Answer = { status: 400, body: "Connection ID required" };
const UNKNOWN_ID: Answer = { status: 404, body: "No Connection with that ID" };
const UNAUTHORIZED: Answer = { status: 401 };
const FORBIDDEN: Answer = { status: 403 };
const CONFLICT: Answer = { status: 409 };
const INTERNAL: Answer = { status: 500 };
/** Stock clients come back by themselves; a second is enough for another server to be picked. */
const UNAVAILABLE: Answer = { status: 503, headers: { "Retry-After": "1" } };
const NOT_NEGOTIABLE: Answer = { status: 405, headers: { Allow: "POST" } };
const NOT_ALLOWED: Answer = { status: 405, headers: { Allow: "GET, POST, DELETE" } };
const NO_POST: Answer = { status: 405, body: "POST requests are not allowed for WebSocket connections." };
const NO_DELETE: Answer = {
	status: 400,
	body: "Cannot terminate this connection using the DELETE endpoint.",
};

const MAX_INT32 = 2_147_483_647;
/** What .NET's client writes per fragment: it sends the 4 KB segments of its pipe one by one, and an empty one last. */
const FRAGMENT_BYTES = 4_096;
/** Fragments that any message may have; each holds the whole chunk of up to 64 KB that it was read in. */
const LEAST_FRAGMENTS = 16;
/** No network cuts a frame into smaller pieces, but for a few. */
const CHUNK_BYTES = 512;
const LEAST_CHUNKS = 1_024;
/** ws's own bounds, for frames without a limit. */
const MOST_FRAGMENTS = 16_384;
const MOST_CHUNKS = 262_144;

/** A request with what was found out about it. */
interface Asked {
	readonly req: IncomingMessage;
	readonly request: ConnectionRequest;
	readonly user: User | undefined;
}

/** An {@link Answer} that was thrown to end the handling of a request. */
class Refusal extends Error {
	readonly answer: Answer;

	constructor(answer: Answer) {
		super(`HTTP ${answer.status}`);
		this.answer = answer;
	}
}

/**
 * The HTTP side of one mounted hub: negotiate, and the requests and upgrades that carry connections
 * (SignalR's TransportProtocols.md; statuses and texts as measured on ASP.NET Core 10). It owns no server: whoever has
 * one passes on what {@link matches}. Nothing that a client sends makes its methods throw.
 */
export class Endpoint {
	readonly #options: ResolvedEndpointOptions;
	readonly #tokens: ConnectionTokens;
	readonly #webSockets: WebSocketServer;
	readonly #connections = new Map<string, Connection>();
	#opening = 0;
	#isClosed = false;

	/** @throws TrunklineError `ERR_OPTION` */
	constructor(options: EndpointOptions) {
		this.#options = resolveEndpointOptions(options);
		this.#tokens = createTokens({
			serverId: options.serverId,
			secrets: options.tokenSecrets,
			lifetimeMs: options.tokenLifetimeMs,
			maxUsed: options.maxUsedTokens,
			clock: options.clock,
		});
		this.#webSockets = new WebSocketServer({
			noServer: true,
			clientTracking: false,
			perMessageDeflate: false,
			...partBounds(this.#options.maxFrameBytes),
			handleProtocols: () => false,
		});
	}

	/** Connections that are open. */
	get connections(): number {
		return this.#connections.size;
	}

	/** Whether `url` (path and query, as in `req.url`) is this endpoint's: its path, or that and `/negotiate`. */
	matches(url: string | undefined): boolean {
		return this.#place(url) !== undefined;
	}

	/** Stops accepting: negotiate and upgrades get 503. Open connections stay; end them by `close` or `abort`. */
	close(): void {
		this.#isClosed = true;
	}

	/** Answers a request that {@link matches}. */
	handleRequest(req: IncomingMessage, res: ServerResponse): void {
		res.on("error", () => req.destroy());
		drainBody(req);
		const request = this.#describe(req);
		this.#answer(req, request)
			.catch((error: unknown) => this.#answerTo(error))
			.then((answer) => {
				const headers = { ...this.#options.origins.headers(request), ...answer.headers };
				writeAnswer(res, { ...answer, headers });
			})
			.catch((error: unknown) => {
				this.#options.log.error({ error: messageOf(error) }, "A request could not be answered.");
				res.destroy();
			});
	}

	/** Answers an upgrade that {@link matches}: opens a WebSocket, or refuses with a plain HTTP answer. */
	handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
		ignoreErrors(socket);
		const isWebSocket = req.headers.upgrade?.trim().toLowerCase() === "websocket";
		if (!isWebSocket || this.#place(req.url) === "negotiate") {
			this.#ignoreUpgrade(req, socket);
			return;
		}
		this.#opening++;
		this.#upgrade(req, socket, head)
			.catch((error: unknown) => this.#refuseUpgrade(req, socket, this.#answerTo(error)))
			.finally(() => this.#opening--);
	}

	/** Some HTTP clients offer `Upgrade: h2c` with every request; RFC 9110 §7.8 lets it be answered as if they did not. */
	#ignoreUpgrade(req: IncomingMessage, socket: Duplex): void {
		const res = this.#responseOn(req, socket);
		if (res) this.handleRequest(req, res);
	}

	#refuseUpgrade(req: IncomingMessage, socket: Duplex, answer: Answer): void {
		if (socket.destroyed) return;
		const res = this.#responseOn(req, socket);
		if (res) writeAnswer(res, answer);
	}

	/** Undefined, and the socket destroyed, when an earlier request on the socket still waits for its response. */
	#responseOn(req: IncomingMessage, socket: Duplex): ServerResponse | undefined {
		try {
			return responseOn(req, socket);
		} catch (error) {
			this.#options.log.debug({ error: messageOf(error) }, "An upgrade could not be answered.");
			socket.destroy();
			return undefined;
		}
	}

	#place(url: string | undefined): "negotiate" | "connection" | undefined {
		const path = comparablePath(splitUrl(url ?? "").path);
		if (path === this.#options.path) return "connection";
		const { path: own } = this.#options;
		return path === (own === "/" ? "/negotiate" : `${own}/negotiate`) ? "negotiate" : undefined;
	}

	#describe(req: IncomingMessage): ConnectionRequest {
		return describeRequest(req, (address, hop) => {
			try {
				return this.#options.trust(address, hop);
			} catch (error) {
				this.#options.log.error(
					{ error: messageOf(error) },
					"The function trustProxy threw; nothing is trusted.",
				);
				return false;
			}
		});
	}

	#answerTo(error: unknown): Answer {
		if (error instanceof Refusal) return error.answer;
		this.#options.log.error({ error: messageOf(error) }, "A request failed.");
		return INTERNAL;
	}

	async #answer(req: IncomingMessage, request: ConnectionRequest): Promise<Answer> {
		if (req.method === "OPTIONS" && req.headers["access-control-request-method"] !== undefined) {
			return { status: 204, headers: this.#options.origins.preflightHeaders(request) };
		}
		if (this.#place(req.url) === "negotiate") {
			if (req.method !== "POST") return NOT_NEGOTIABLE;
			if (this.#isFull(1)) return UNAVAILABLE;
			return this.#negotiate(request, await this.#authenticate(request));
		}
		if (req.method !== "GET" && req.method !== "POST" && req.method !== "DELETE") return NOT_ALLOWED;
		return this.#answerConnection({ req, request, user: await this.#authenticate(request) });
	}

	/** Whether there is no room for `more` connections beyond those open or being opened. */
	#isFull(more: number): boolean {
		return this.#isClosed || this.#connections.size + this.#opening + more > this.#options.maxConnections;
	}

	#negotiate(request: ConnectionRequest, user: User | undefined): Answer {
		const asked = queryValue(parseQuery(request.url), "negotiateVersion");
		const answer = negotiate(asked, (version) => this.#tokens.issue(user?.id, version));
		const headers: OutgoingHttpHeaders = { "Cache-Control": "no-store" };
		return { status: 200, contentType: "application/json", body: JSON.stringify(answer), headers };
	}

	/** GET, POST and DELETE without an upgrade: what the transports that are not offered would use. */
	#answerConnection({ req, request, user }: Asked): Answer {
		const id = queryValue(parseQuery(request.url), "id");
		if (id === undefined || id === "") return NO_ID;
		const token = this.#tokens.read(id, user?.id);
		const isOpen = token !== undefined && this.#connections.has(token.connectionId);
		if (!isOpen && (token === undefined || token.isExpired || req.method !== "GET")) return UNKNOWN_ID;
		if (req.method === "POST") return NO_POST;
		if (req.method === "DELETE") return NO_DELETE;
		const isStream =
			req.headers.accept?.split(",").some((entry) => entry.trim() === "text/event-stream") === true;
		const transport: TransportName = isStream ? "ServerSentEvents" : "LongPolling";
		return { status: 404, body: `${transport} transport not supported by this end point type` };
	}

	async #authenticate(request: ConnectionRequest): Promise<User | undefined> {
		const { authenticate, authenticateTimeoutMs, clock, log } = this.#options;
		try {
			const found = authenticate(request);
			if (!isThenable(found)) return found;
			return await new Promise<User | undefined>((resolve, reject) => {
				const timer = clock.schedule(authenticateTimeoutMs, () => reject(new Refusal(UNAVAILABLE)));
				Promise.resolve(found)
					.finally(() => timer.cancel())
					.then(resolve, reject);
			});
		} catch (error) {
			if (error instanceof Refusal) throw error;
			log.debug({ error: messageOf(error), ip: request.ip }, "A request was not authenticated.");
			throw new Refusal(UNAUTHORIZED);
		}
	}

	async #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
		const request = this.#describe(req);
		if (this.#isFull(0)) throw new Refusal(UNAVAILABLE);
		if (!this.#options.origins.allows(request)) throw new Refusal(FORBIDDEN);
		const user = await this.#authenticate(request);
		if (this.#isClosed) throw new Refusal(UNAVAILABLE);
		const connectionId = this.#claim(queryValue(parseQuery(request.url), "id"), user);
		this.#webSockets.handleUpgrade(req, socket, head, (webSocket) =>
			this.#open(webSocket, { connectionId, request, user, socket }),
		);
	}

	/** The id of the connection that `id` may open. @throws Refusal */
	#claim(id: string | undefined, user: User | undefined): string {
		if (id === undefined || id === "") return randomId();
		const token = this.#tokens.read(id, user?.id);
		if (token === undefined) throw new Refusal(UNKNOWN_ID);
		if (this.#connections.has(token.connectionId)) throw new Refusal(CONFLICT);
		if (token.isExpired) throw new Refusal(UNKNOWN_ID);
		if (!this.#use(token.connectionId)) throw new Refusal(UNKNOWN_ID);
		return token.connectionId;
	}

	#use(connectionId: string): boolean {
		try {
			return this.#tokens.use(connectionId);
		} catch (error) {
			this.#options.log.warn({ error: messageOf(error) }, "A connection was refused.");
			throw new Refusal(UNAVAILABLE);
		}
	}

	#open(webSocket: WebSocket, parts: OpenedParts): void {
		const { connectionId } = parts;
		const { onConnection, log } = this.#options;
		const connection = new WebSocketConnection({
			...parts,
			webSocket,
			settings: this.#options,
			onClosed: () => this.#connections.delete(connectionId),
		});
		this.#connections.set(connectionId, connection);
		log.debug({ connectionId, ip: parts.request.ip }, "A WebSocket connection was opened.");
		try {
			onConnection(connection);
			if (connection.isOwned) return;
			log.error({ connectionId }, "A connection's owner did not listen to it.");
		} catch (error) {
			log.error({ connectionId, error: messageOf(error) }, "onConnection threw.");
		}
		connection.abort();
	}
}

/** How many parts a message of at most `maxFrameBytes` may come in. */
function partBounds(
	maxFrameBytes: number,
): Pick<ServerOptions, "maxPayload" | "maxFragments" | "maxBufferedChunks"> {
	return {
		// ws takes 32 bits, and 0 for no limit.
		maxPayload: maxFrameBytes > MAX_INT32 ? 0 : maxFrameBytes,
		maxFragments: Math.min(MOST_FRAGMENTS, LEAST_FRAGMENTS + Math.ceil(maxFrameBytes / FRAGMENT_BYTES)),
		maxBufferedChunks: Math.min(MOST_CHUNKS, LEAST_CHUNKS + Math.ceil(maxFrameBytes / CHUNK_BYTES)),
	};
}

function isThenable<T>(value: Promise<T> | T): value is Promise<T> {
	return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

interface OpenedParts {
	readonly connectionId: string;
	readonly request: ConnectionRequest;
	readonly user: User | undefined;
	readonly socket: Duplex;
}
