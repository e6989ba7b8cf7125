import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { WebSocket } from "ws";
import { type Connection, Endpoint, type EndpointOptions } from "../../lib/transports/index.js";
import { type ContractClient, Owner } from "../contracts/connection.js";
import { ReceivingClient } from "./receiving-client.js";

/** A server with one endpoint at /chat, on a free port of 127.0.0.1. */
export interface Served {
	readonly endpoint: Endpoint;
	readonly server: Server;
	readonly port: number;
	/** Owners of the connections that were opened, in order (where no `onConnection` was given). */
	readonly owners: Owner[];
	close(): Promise<void>;
}

/** Makes the server that the endpoint is on: one with TLS, for instance. */
export type MakeServer = (listener: RequestListener) => Server;

export async function serve(
	options: Partial<EndpointOptions> = {},
	makeServer: MakeServer = createServer,
): Promise<Served> {
	const owners: Owner[] = [];
	const connections = new Set<Connection>();
	const onConnection =
		options.onConnection ??
		((connection: Connection) => {
			const owner = new Owner(connection);
			owners.push(owner);
			connection.listen(owner);
		});
	const endpoint = new Endpoint({
		path: "/chat",
		serverId: "s1",
		...options,
		onConnection(connection) {
			connections.add(connection);
			onConnection(connection);
		},
	});
	const server = makeServer((req, res) => {
		if (endpoint.matches(req.url)) endpoint.handleRequest(req, res);
		else res.writeHead(418).end();
	});
	server.on("upgrade", (req, socket, head) => endpoint.handleUpgrade(req, socket, head));
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return {
		endpoint,
		server,
		owners,
		port: (server.address() as AddressInfo).port,
		async close() {
			for (const connection of connections) connection.abort();
			server.close();
			server.closeAllConnections();
			await once(server, "close");
		},
	};
}

/** An HTTP answer. */
export interface Answered {
	readonly status: number;
	readonly headers: IncomingMessage["headers"];
	readonly body: string;
}

export async function ask(
	port: number,
	path: string,
	options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answered> {
	const { method = "POST", headers = {}, body } = options;
	const req = request({ host: "127.0.0.1", port, path, method, headers, agent: false });
	req.end(body);
	const [res] = (await once(req, "response")) as [IncomingMessage];
	res.setEncoding("utf8");
	let text = "";
	for await (const part of res) text += part;
	return { status: res.statusCode ?? 0, headers: res.headers, body: text };
}

/** What negotiate version 1 answers. */
export interface Negotiated {
	readonly connectionId: string;
	readonly connectionToken: string;
}

export async function negotiated(
	port: number,
	query = "negotiateVersion=1",
	headers = {},
): Promise<Negotiated> {
	const { body } = await ask(port, `/chat/negotiate?${query}`, { headers });
	return JSON.parse(body) as Negotiated;
}

/** Opens a WebSocket; resolves when it is open, rejects with the status text of a refusal. */
export async function openWebSocket(
	port: number,
	query = "",
	headers: Record<string, string> = {},
): Promise<WebSocket> {
	const webSocket = new WebSocket(`ws://127.0.0.1:${port}/chat${query}`, {
		headers,
		perMessageDeflate: false,
	});
	await once(webSocket, "open");
	return webSocket;
}

/** Asks for an upgrade and reads the plain HTTP answer (or the 101) until the connection ends or `until` has come. */
export async function upgradeRaw(
	port: number,
	target: string,
	lines: readonly string[] = [],
): Promise<string> {
	const socket = rawSocket(port);
	socket.write(upgradeRequest(target, lines));
	return readAll(socket);
}

export function upgradeRequest(target: string, lines: readonly string[] = []): string {
	return [
		`GET ${target} HTTP/1.1`,
		"Host: 127.0.0.1",
		"Connection: Upgrade",
		"Upgrade: websocket",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		...lines,
		"",
		"",
	].join("\r\n");
}

export function rawSocket(port: number): Socket {
	const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
	socket.on("error", () => {});
	return socket;
}

/** All that comes until the other end closes. */
export async function readAll(socket: Socket): Promise<string> {
	let text = "";
	socket.on("data", (data) => {
		text += data.toString("latin1");
	});
	socket.on("end", () => socket.destroy());
	await once(socket, "close");
	return text;
}

/** A WebSocket as the contract suite wants a client. */
export class WebSocketClient extends ReceivingClient implements ContractClient {
	readonly webSocket: WebSocket;

	constructor(webSocket: WebSocket) {
		super();
		this.webSocket = webSocket;
		webSocket.on("error", () => {});
		webSocket.on("close", () => this.isOver());
		webSocket.on("message", (data: Buffer) => this.took(data));
	}

	send(bytes: Buffer): void {
		this.webSocket.send(bytes);
	}

	leave(): void {
		this.webSocket.close(1000);
	}

	vanish(): void {
		this.webSocket.terminate();
	}

	stopReading(): void {
		this.webSocket.pause();
	}
}
