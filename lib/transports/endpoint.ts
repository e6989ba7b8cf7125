import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { messageOf } from "../errors/index.js";
import { Admission } from "./admission.js";
import type { CarrierConnection, CarrierParts, CarrierSettings } from "./carriers/carrier-connection.js";
import { HttpConnection } from "./carriers/http-connection.js";
import { LongPollingConnection } from "./carriers/long-polling.js";
import { ServerSentEventsConnection } from "./carriers/server-sent-events.js";
import { type Upgrade, WebSocketUpgrades } from "./carriers/upgrade.js";
import { WebSocketConnection } from "./carriers/web-socket.js";
import type { ConnectionRequest, TransportName, User } from "./connection.js";
import { Gatekeeper } from "./gatekeeper.js";
import { type Claim, OpenConnections } from "./open-connections.js";
import {
	comparablePath,
	type EndpointOptions,
	type ResolvedEndpointOptions,
	resolveEndpointOptions,
} from "./options.js";
import { type Answer, drainBody, ignoreErrors, NO_CACHE, responseOn, writeAnswer } from "./request/answer.js";
import { parseQuery, queryValue, splitUrl } from "./request/client-address.js";
import { negotiate } from "./request/negotiate.js";
import { isUnanswered, noteRequest } from "./request/pipelining.js";
import {
	CONFLICT,
	INTERNAL,
	NO_DELETE,
	NO_ID,
	NO_POST,
	NOT_ALLOWED,
	NOT_NEGOTIABLE,
	notOffered,
	OTHER_TRANSPORT,
	Refusal,
	reasonOf,
	UNAVAILABLE,
	UNKNOWN_ID,
} from "./request/refusal.js";
import { type ConnectionTokens, createTokens } from "./tokens.js";

/** A request on its way to an answer. */
interface Visit {
	readonly req: IncomingMessage;
	readonly res: ServerResponse;
	readonly request: ConnectionRequest;
	/** What CORS adds to the answer. */
	readonly headers: OutgoingHttpHeaders;
}

/** A {@link Visit} by somebody. */
interface Call extends Visit {
	readonly user: User | undefined;
	/** The connection's token. */
	readonly id: string;
}

/** `undefined`: a connection has the response now. */
type Answered = Answer | undefined;

/**
 * The HTTP side of one mounted hub: negotiate, and the requests and upgrades that carry connections
 * (SignalR's TransportProtocols.md; statuses and texts as measured on ASP.NET Core 10). It owns no server: whoever has
 * one passes on what {@link matches}. Nothing that a client sends makes its methods throw.
 */
export class Endpoint {
	readonly #options: ResolvedEndpointOptions;
	readonly #serverId: string;
	readonly #tokens: ConnectionTokens;
	readonly #admission: Admission;
	readonly #gatekeeper: Gatekeeper;
	readonly #connections: OpenConnections;
	readonly #webSockets: WebSocketUpgrades;
	readonly #carrierSettings: CarrierSettings;
	#opening = 0;
	#isClosed = false;

	/** @throws TrunklineError `ERR_OPTION` */
	constructor(options: EndpointOptions) {
		this.#options = resolveEndpointOptions(options);
		this.#serverId = options.serverId;
		this.#tokens = createTokens({
			serverId: options.serverId,
			secrets: options.tokenSecrets,
			lifetimeMs: options.tokenLifetimeMs,
			maxUsed: options.maxUsedTokens,
			clock: options.clock,
		});
		this.#admission = new Admission(this.#options);
		this.#gatekeeper = new Gatekeeper(this.#options, this.#admission);
		this.#connections = new OpenConnections(this.#options, this.#tokens);
		this.#carrierSettings = { ...this.#options, open: this.#connections };
		this.#webSockets = new WebSocketUpgrades(this.#options);
	}

	/** Connections that are open. */
	get connections(): number {
		return this.#connections.size;
	}

	/** Connects that wait their turn (`maxConnectsPerSecond`). */
	get waitingConnects(): number {
		return this.#admission.waiting;
	}

	/** Whether `url` (path and query, as in `req.url`) is this endpoint's: its path, or that and `/negotiate`. */
	matches(url: string | undefined): boolean {
		return this.#place(url) !== undefined;
	}

	/** Stops accepting: negotiate and upgrades get 503. Open connections stay; end them by `close` or `abort`. */
	close(): void {
		this.#isClosed = true;
		this.#admission.close();
	}

	/** Answers a request that {@link matches}. */
	handleRequest(req: IncomingMessage, res: ServerResponse): void {
		if (!noteRequest(req, res)) return;
		res.on("error", () => req.destroy());
		const isData = req.method === "POST" && this.#place(req.url) === "connection";
		if (!isData) drainBody(req);
		const request = this.#gatekeeper.describe(req);
		const headers = this.#options.origins.headers(request);
		const { origin } = request.headers;
		if (origin !== undefined && headers["Access-Control-Allow-Origin"] === undefined) {
			this.#gatekeeper.noteOrigin(request);
		}
		this.#answer({ req, res, request, headers })
			.catch((error: unknown) => this.#answerTo(error))
			.then((answer) => {
				if (isData) drainBody(req);
				if (answer) this.#tellRefusal(req, answer, isData);
				const caching = req.method === "GET" ? NO_CACHE : {};
				if (answer) writeAnswer(res, { ...answer, headers: { ...caching, ...headers, ...answer.headers } });
			})
			.catch((error: unknown) => {
				this.#options.log.error({ error: messageOf(error) }, "A request could not be answered.");
				res.destroy();
			});
	}

	/** Answers an upgrade that {@link matches}: opens a WebSocket, or refuses with a plain HTTP answer. */
	handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
		ignoreErrors(socket);
		if (isUnanswered(socket)) {
			// The answer to the request before it would come out of the middle of the WebSocket.
			socket.destroy();
			return;
		}
		const isWebSocket = req.headers.upgrade?.trim().toLowerCase() === "websocket";
		if (!isWebSocket || this.#place(req.url) === "negotiate") {
			this.#ignoreUpgrade(req, socket);
			return;
		}
		this.#opening++;
		this.#upgrade({ req, socket, head })
			.catch((error: unknown) => this.#refuseUpgrade(req, socket, this.#answerTo(error)))
			.finally(() => this.#opening--);
	}

	/** Some HTTP clients offer `Upgrade: h2c` with every request; RFC 9110 §7.8 lets it be answered as if they did not. */
	#ignoreUpgrade(req: IncomingMessage, socket: Duplex): void {
		const res = this.#responseOn(req, socket);
		if (!res) return;
		const hasBody =
			req.headers["transfer-encoding"] !== undefined || Number(req.headers["content-length"]) > 0;
		// Node stops parsing at an upgrade: the body is not there, and must not be taken for an empty one.
		if (hasBody) writeAnswer(res, { status: 400, body: "A request with a body cannot be an upgrade." });
		else this.handleRequest(req, res);
	}

	/** Data and the end of a connection are no connects, whatever becomes of them. */
	#tellRefusal({ method, url }: IncomingMessage, answer: Answer, isData = false): void {
		const { status } = answer;
		if (status < 400) return;
		if (!isData && method !== "DELETE") this.#options.onRefused?.(status);
		const reason = reasonOf(answer, queryValue(parseQuery(url ?? ""), "id"), this.#serverId);
		this.#options.log.debug({ status, method, reason }, "A request was refused.");
	}

	#refuseUpgrade(req: IncomingMessage, socket: Duplex, answer: Answer): void {
		this.#tellRefusal(req, answer);
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

	#answerTo(error: unknown): Answer {
		if (error instanceof Refusal) return error.answer;
		this.#options.log.error({ error: messageOf(error) }, "A request failed.");
		return INTERNAL;
	}

	async #answer(visit: Visit): Promise<Answered> {
		const { req, request } = visit;
		if (req.method === "OPTIONS" && req.headers["access-control-request-method"] !== undefined) {
			return { status: 204, headers: this.#options.origins.preflightHeaders(request) };
		}
		if (this.#place(req.url) === "negotiate") {
			return req.method === "POST" ? this.#negotiate(visit) : NOT_NEGOTIABLE;
		}
		if (req.method !== "GET" && req.method !== "POST" && req.method !== "DELETE") return NOT_ALLOWED;
		const user = await this.#gatekeeper.admit(request);
		const id = queryValue(parseQuery(request.url), "id");
		return id ? this.#carry({ ...visit, user, id }) : NO_ID;
	}

	/** Whether there is no room for `more` connections beyond those open or being opened. */
	#isFull(more: number): boolean {
		return this.#isClosed || this.#connections.size + this.#opening + more > this.#options.maxConnections;
	}

	async #negotiate({ res, request }: Visit): Promise<Answer> {
		if (this.#isFull(1)) return UNAVAILABLE;
		await this.#gatekeeper.pace(res);
		const user = await this.#gatekeeper.admit(request);
		const query = parseQuery(request.url);
		const answer =
			(await this.#gatekeeper.redirection(request, user)) ??
			negotiate({
				version: queryValue(query, "negotiateVersion"),
				statefulReconnect: queryValue(query, "useStatefulReconnect"),
				transports: this.#options.transports,
				allowStatefulReconnects: this.#options.allowStatefulReconnects,
				issue: (kind) => this.#tokens.issue(user?.id, kind),
			});
		const headers: OutgoingHttpHeaders = { "Cache-Control": "no-store" };
		return { status: 200, contentType: "application/json", body: JSON.stringify(answer), headers };
	}

	/** GET, POST and DELETE without an upgrade: Server-Sent Events and long polling. */
	#carry(call: Call): Answered | Promise<Answered> {
		const { req, user, id } = call;
		const connection = this.#connections.find(id, user);
		connection?.renewUser(user);
		if (req.method === "GET") return this.#get(call, connection);
		if (!connection) return UNKNOWN_ID;
		if (req.method === "POST") return connection instanceof HttpConnection ? connection.post(req) : NO_POST;
		if (!(connection instanceof LongPollingConnection)) return NO_DELETE;
		connection.leave();
		return { status: 202 };
	}

	#get(call: Call, connection: CarrierConnection | undefined): Answered {
		const { req, res, user, id } = call;
		const isStream = acceptsEvents(req.headers.accept);
		const transport: TransportName = isStream ? "ServerSentEvents" : "LongPolling";
		if (connection && connection.transport !== transport) return OTHER_TRANSPORT;
		if (connection instanceof LongPollingConnection) {
			connection.poll(res, call.headers);
			return undefined;
		}
		if (connection) return CONFLICT;
		this.#connections.check(id, user);
		if (!this.#options.transports.includes(transport)) return notOffered(transport);
		if (this.#isFull(1)) return UNAVAILABLE;
		// Whoever asked has gone while they were looked up.
		if (!res.destroyed) this.#openHttp(call, isStream ? ServerSentEventsConnection : LongPollingConnection);
		return undefined;
	}

	#openHttp(call: Call, Transport: typeof ServerSentEventsConnection | typeof LongPollingConnection): void {
		const claim = this.#connections.claim(call.id, call.user);
		this.#connections.add(Transport.open(this.#parts(claim, call), call.res, call.headers));
	}

	#parts(claim: Claim, { request, user }: Pick<Call, "request" | "user">): CarrierParts {
		return { connectionId: claim.connectionId, request, user, settings: this.#carrierSettings };
	}

	async #upgrade(upgrade: Upgrade): Promise<void> {
		this.#webSockets.check(upgrade.req);
		const request = this.#gatekeeper.describe(upgrade.req);
		if (this.#isFull(0)) throw new Refusal(UNAVAILABLE);
		this.#gatekeeper.checkOrigin(request);
		const id = queryValue(parseQuery(request.url), "id");
		if (!id) await this.#gatekeeper.pace(upgrade.socket);
		const user = await this.#gatekeeper.admit(request);
		if (this.#isClosed) throw new Refusal(UNAVAILABLE);
		const connection = id ? this.#connections.find(id, user) : undefined;
		if (connection) this.#reopen(connection, upgrade, { request, user });
		else this.#openWebSocket(id, upgrade, { request, user });
	}

	#openWebSocket(id: string | undefined, upgrade: Upgrade, call: Pick<Call, "request" | "user">): void {
		if (id) this.#connections.check(id, call.user);
		if (!this.#options.transports.includes("WebSockets")) throw new Refusal(notOffered("WebSockets"));
		const claim = id ? this.#connections.claim(id, call.user) : this.#connections.anonymous();
		const { connectionId, isReconnectable } = claim;
		const opened = this.#webSockets.complete(upgrade);
		if (!opened) return;
		const { request, user } = call;
		const settings = this.#carrierSettings;
		const parts = { connectionId, request, user, settings, isReconnectable };
		this.#connections.add(new WebSocketConnection(parts, opened));
	}

	/** Stateful reconnect: another socket for a connection that lost its own, or will soon find out. */
	#reopen(connection: CarrierConnection, upgrade: Upgrade, call: Pick<Call, "request" | "user">): void {
		if (!(connection instanceof WebSocketConnection)) throw new Refusal(OTHER_TRANSPORT);
		if (!connection.canReopen) throw new Refusal(CONFLICT);
		const opened = this.#webSockets.complete(upgrade);
		if (!opened) return;
		connection.renewUser(call.user);
		connection.reopen(opened, call.request);
	}
}

/** Whether an `Accept` header names event streams, without parameters: with them ASP.NET Core takes it for a poll. */
function acceptsEvents(accept = ""): boolean {
	return accept.split(",").some((entry) => entry.trim().toLowerCase() === "text/event-stream");
}
