import { EventEmitter } from "node:events";
import {
	type ClientRequest,
	createServer,
	type IncomingMessage,
	type RequestOptions,
	request,
	type Server,
	type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

/** A server behind the front; all are on this machine. */
export interface FrontTarget {
	/** What the tokens of this server begin with (its server id). */
	readonly name: string;
	readonly port: number;
	/** @defaultValue 127.0.0.1 */
	readonly host?: string;
}

/** What stands behind the front. */
export interface FrontTargets {
	readonly proxies: readonly FrontTarget[];
	/** Gets everything that is not hub traffic. */
	readonly pages: FrontTarget;
	/** @defaultValue "/dotnetify" */
	readonly hubPath?: string;
}

/** How long a server behind the front may take to accept a connection or to answer an upgrade, in milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Headers of one hop, and those that only the front may say. */
const DROPPED = new Set(
	(
		"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade expect " +
		"forwarded x-real-ip x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port x-forwarded-prefix"
	).split(" "),
);

/** Headers as alternating names and values, without those of one hop (also the ones that `Connection` names). */
function passedHeaders(message: IncomingMessage): string[] {
	const named = new Set((message.headers.connection ?? "").toLowerCase().split(/[\s,]+/));
	const passed: string[] = [];
	for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
		const name = message.rawHeaders[at] as string;
		const lower = name.toLowerCase();
		if (!DROPPED.has(lower) && !named.has(lower)) passed.push(name, message.rawHeaders[at + 1] as string);
	}
	return passed;
}

function forwardedHeaders(message: IncomingMessage): string[] {
	const headers = passedHeaders(message);
	headers.push("X-Forwarded-For", message.socket.remoteAddress ?? "", "X-Forwarded-Proto", "http");
	if (message.headers.host !== undefined) headers.push("X-Forwarded-Host", message.headers.host);
	// A body whose length is not known goes on in chunks, as it came.
	if (message.headers["transfer-encoding"] !== undefined) headers.push("Transfer-Encoding", "chunked");
	return headers;
}

function plainAnswer(status: string): string {
	return `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
}

function answerHead(answer: IncomingMessage, headers: readonly string[]): string {
	let head = `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n`;
	for (let at = 0; at + 1 < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`;
	return `${head}\r\n`;
}

/** Two sockets that carry each other's bytes at the pace of the slower one, and end together. */
function join(near: Duplex, far: Duplex): void {
	for (const [socket, other] of [
		[near, far],
		[far, near],
	] as const) {
		socket.on("error", () => other.destroy());
		socket.on("close", () => other.destroy());
		socket.pipe(other);
	}
}

/**
 * The development-only address of `npm start`: relays hub traffic to the proxies (by the server id that a connection
 * token begins with, else to the proxy with the fewest connections) and everything else to the app server's pages.
 * It says who the client is with X-Forwarded-… headers, and drops what the client says about that itself.
 */
export class Front {
	readonly #server: Server;
	readonly #targets: FrontTargets;
	readonly #hubPath: string;
	/** What each target carries at the moment: requests and upgraded connections. */
	readonly #carried = new Map<FrontTarget, number>();
	readonly #upgraded = new Set<Duplex>();
	#turn = 0;

	constructor(targets: FrontTargets) {
		this.#targets = targets;
		this.#hubPath = targets.hubPath ?? "/dotnetify";
		this.#server = createServer((message, answer) => this.#relay(message, answer));
		this.#server.on("upgrade", (message, socket, head) => this.#relayUpgrade(message, socket, head));
	}

	/** The port that the front listens on. */
	get port(): number {
		return (this.#server.address() as AddressInfo | null)?.port ?? 0;
	}

	/** Starts to listen; rejects with the error of `net` (EADDRINUSE, EACCES). */
	async listen(port: number, host = "127.0.0.1"): Promise<void> {
		this.#server.listen(port, host);
		await EventEmitter.once(this.#server, "listening");
	}

	/** Stops listening and cuts every connection. */
	async close(): Promise<void> {
		const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
		this.#server.closeAllConnections();
		for (const socket of this.#upgraded) socket.destroy();
		await closed;
	}

	/** The server that a request goes to. */
	targetOf(url: string): FrontTarget {
		const [path = "", query = ""] = url.split("?", 2);
		if (path !== this.#hubPath && !path.startsWith(`${this.#hubPath}/`)) return this.#targets.pages;
		const token = new URLSearchParams(query).get("id") ?? "";
		const { proxies } = this.#targets;
		return proxies.find((proxy) => token.startsWith(`${proxy.name}.`)) ?? this.#leastLoaded(proxies);
	}

	/**
	 * Fewest connections first, equal ones in turn. Turns alone would put every WebSocket on one of two proxies,
	 * because a negotiate and its WebSocket take turns too.
	 */
	#leastLoaded(proxies: readonly FrontTarget[]): FrontTarget {
		const least = Math.min(...proxies.map((proxy) => this.#load(proxy)));
		const equal = proxies.filter((proxy) => this.#load(proxy) === least);
		return equal[this.#turn++ % equal.length] ?? this.#targets.pages;
	}

	#load(target: FrontTarget): number {
		return this.#carried.get(target) ?? 0;
	}

	#count(target: FrontTarget, carrier: Duplex | ServerResponse): void {
		this.#carried.set(target, this.#load(target) + 1);
		carrier.once("close", () => this.#carried.set(target, this.#load(target) - 1));
	}

	#requestTo(target: FrontTarget, message: IncomingMessage, headers: string[]): ClientRequest {
		const options: RequestOptions = {
			host: target.host ?? "127.0.0.1",
			port: target.port,
			method: message.method ?? "GET",
			path: message.url ?? "/",
			setHost: false,
			agent: false,
			headers,
		};
		const onward = request(options);
		const timer = setTimeout(() => onward.destroy(new Error("no answer in time")), ANSWER_TIMEOUT_MS);
		for (const event of ["close", "upgrade", "response"]) onward.once(event, () => clearTimeout(timer));
		// A request waits only for the connection: a long poll may be silent for minutes.
		if (message.headers.upgrade === undefined) {
			onward.once("socket", (socket) => socket.once("connect", () => clearTimeout(timer)));
		}
		return onward;
	}

	#relay(message: IncomingMessage, answer: ServerResponse): void {
		if (!message.url?.startsWith("/")) {
			answer.writeHead(400, { connection: "close" }).end();
			return;
		}
		const target = this.targetOf(message.url);
		this.#count(target, answer);
		const onward = this.#requestTo(target, message, forwardedHeaders(message));
		onward.on("response", (received) => {
			answer.writeHead(received.statusCode ?? 502, received.statusMessage, passedHeaders(received));
			answer.flushHeaders();
			received.on("error", () => answer.destroy());
			received.pipe(answer);
		});
		onward.on("error", () => {
			if (answer.headersSent) answer.destroy();
			else answer.writeHead(502, { "content-type": "text/plain" }).end(`No answer from ${target.name}.\n`);
		});
		answer.on("close", () => onward.destroy());
		message.on("error", () => onward.destroy());
		message.pipe(onward);
	}

	#relayUpgrade(message: IncomingMessage, socket: Duplex, head: Buffer): void {
		this.#upgraded.add(socket);
		socket.on("close", () => this.#upgraded.delete(socket));
		socket.on("error", () => socket.destroy());
		if (!message.url?.startsWith("/") || message.headers.upgrade?.toLowerCase() !== "websocket") {
			socket.end(plainAnswer("400 Bad Request"));
			return;
		}
		const target = this.targetOf(message.url);
		this.#count(target, socket);
		let answered = false;
		const headers = [...forwardedHeaders(message), "Connection", "Upgrade", "Upgrade", "websocket"];
		const onward = this.#requestTo(target, message, headers);
		socket.on("close", () => onward.destroy());
		onward.on("error", () => (answered ? socket.destroy() : socket.end(plainAnswer("502 Bad Gateway"))));
		onward.on("response", (refusal) => {
			answered = true;
			socket.write(answerHead(refusal, [...passedHeaders(refusal), "Connection", "close"]));
			refusal.on("error", () => socket.destroy());
			refusal.pipe(socket);
		});
		onward.on("upgrade", (accepted, far, farHead) => {
			answered = true;
			socket.write(answerHead(accepted, accepted.rawHeaders));
			if (farHead.length > 0) socket.write(farHead);
			if (head.length > 0) far.write(head);
			join(socket, far);
		});
		onward.end();
	}
}
