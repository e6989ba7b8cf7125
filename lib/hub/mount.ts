import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type Koa from "koa";
import { TrunklineError } from "../errors/index.js";
import type { Endpoint } from "../transports/index.js";

/** Where a hub is mounted in an application that exists already. */
export interface MountOptions {
	/** The server whose upgrades and requests of the path are the hub's; those of other paths are left alone. */
	readonly server: Server;
	/**
	 * The Koa application on that server. Requests of the hub's path do not pass its other middleware (upgrades never
	 * do), wherever it was put on the server: before or after.
	 */
	readonly app?: Koa | undefined;
	/** The hub's path, such as `/chat`. */
	readonly path: string;
}

/** The endpoints that take upgrades of a server: one listener for all, however many hubs are mounted there. */
const upgradable = new WeakMap<Server, Endpoint[]>();

/** Requests that an endpoint answers. */
const taken = new WeakSet<IncomingMessage>();

/** An application in place of its server would be taken without a word: it is an emitter as well, but of no upgrades. */
export function checkServer(server: unknown): void {
	const { on, address } = (server ?? {}) as Partial<Record<"on" | "address", unknown>>;
	if (typeof on === "function" && typeof address === "function") return;
	const message =
		'Option "server" must be the Node server that the application runs on: what http.createServer(app) or app.listen() returned, or app.server of Fastify';
	throw new TrunklineError(
		"ERR_OPTION",
		`${message}; found ${server === undefined ? "nothing" : `a ${typeof server}`}.`,
	);
}

/** Puts an endpoint into an application: its path's requests and upgrades, and nothing else. */
export function attach(endpoint: Endpoint, { app, server }: MountOptions): void {
	attachUpgrades(endpoint, server);
	takeRequests(server, endpoint);
	if (app) keepQuiet(app, endpoint);
}

/**
 * Takes the upgrades of an endpoint's path; others are left alone, and refused only where nobody else listens. `asked`
 * hears of every socket that asks for one, where it is given with the server's first endpoint.
 */
export function attachUpgrades(endpoint: Endpoint, server: Server, asked?: (socket: Duplex) => void): void {
	const known = upgradable.get(server);
	if (known) {
		known.push(endpoint);
		return;
	}
	const endpoints = [endpoint];
	upgradable.set(server, endpoints);
	server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
		asked?.(socket);
		const taker = endpoints.find((candidate) => candidate.matches(request.url));
		if (taker) taker.handleUpgrade(request, socket, head);
		// Node leaves a socket to the upgrade listeners: without another one it would stay open for ever.
		else if (server.listenerCount("upgrade") === 1) refuseUpgrade(socket);
	});
}

function refuseUpgrade(socket: Duplex): void {
	socket.on("error", () => socket.destroy());
	const answer = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
	socket.end(answer, () => socket.destroy());
}

/**
 * An application whose callback was made before gets no more middleware, one that is put on the server later answers
 * beside us: so the server's listener answers, and this only keeps Koa from doing it too.
 */
function keepQuiet(app: Koa, endpoint: Endpoint): void {
	app.use(async (ctx, next) => {
		if (!endpoint.matches(ctx.req.url)) return next();
		ctx.respond = false;
		if (!taken.has(ctx.req)) endpoint.handleRequest(ctx.req, ctx.res);
	});
}

/** Those who listened before get everything else: two answers to one request would spoil both. */
function takeRequests(server: Server, endpoint: Endpoint): void {
	const others = server.rawListeners("request") as RequestListener[];
	server.removeAllListeners("request");
	server.on("request", (request, response) => {
		if (endpoint.matches(request.url)) take(endpoint, request, response);
		else if (others.length > 0) for (const other of others) other.call(server, request, response);
		else if (server.listenerCount("request") === 1) response.writeHead(404).end();
	});
}

function take(endpoint: Endpoint, request: IncomingMessage, response: ServerResponse): void {
	taken.add(request);
	endpoint.handleRequest(request, response);
}
