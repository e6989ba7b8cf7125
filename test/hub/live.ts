import { once } from "node:events";
import { type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { WebSocket } from "ws";
import { deferred } from "../../lib/base/index.js";
import { type CreateHubOptions, createHub, createServer, type Hub, type Server } from "../../lib/index.js";

/** The client methods of hubs in tests: any. */
export type AnyClient = Record<string, (...args: readonly unknown[]) => void>;

/** What a stock client is like. */
export interface ClientOptions {
	readonly messagePack?: boolean;
	/** Sent in the header X-User. */
	readonly user?: string;
	readonly reconnect?: boolean;
}

/** A hub on a server on a free port. */
export interface Live {
	readonly hub: Hub<AnyClient>;
	readonly server: Server;
	readonly port: number;
	readonly url: string;
	/** A stock client, started. */
	client(options?: ClientOptions): Promise<HubConnection>;
	/** A plain WebSocket with the json handshake done. */
	raw(): Promise<RawClient>;
	close(): Promise<void>;
}

export async function live(options: CreateHubOptions<AnyClient> = {}): Promise<Live> {
	const hub = createHub<AnyClient>()(options);
	const server = createServer().map("/chat", hub);
	const { port } = await server.listen(0, "127.0.0.1");
	const url = `http://127.0.0.1:${port}/chat`;
	const clients: HubConnection[] = [];
	const raws: RawClient[] = [];
	return {
		...{ hub, server, port, url },
		async client(wanted = {}) {
			const connection = build(url, wanted);
			clients.push(connection);
			await connection.start();
			return connection;
		},
		async raw() {
			const raw = await RawClient.open(port);
			raws.push(raw);
			await raw.handshake();
			return raw;
		},
		async close() {
			await Promise.all(clients.map((connection) => connection.stop()));
			for (const raw of raws) raw.webSocket.terminate();
			await server.close();
		},
	};
}

function build(url: string, wanted: ClientOptions): HubConnection {
	const builder = new HubConnectionBuilder()
		.withUrl(url, wanted.user === undefined ? {} : { headers: { "X-User": wanted.user } })
		.configureLogging(LogLevel.None);
	if (wanted.messagePack) builder.withHubProtocol(new MessagePackHubProtocol());
	if (wanted.reconnect) builder.withAutomaticReconnect([0]);
	return builder.build();
}

/** A WebSocket that speaks the json hub protocol by hand. */
export class RawClient {
	readonly webSocket: WebSocket;
	/** Records that arrived and were not taken yet. */
	readonly records: string[] = [];
	readonly closed: Promise<number>;
	#rest = "";
	#wake = deferred();

	constructor(webSocket: WebSocket) {
		this.webSocket = webSocket;
		const closed = deferred<number>();
		this.closed = closed.promise;
		webSocket.on("error", () => {});
		webSocket.on("close", (code) => {
			closed.resolve(code);
			this.#wake.resolve();
		});
		webSocket.on("message", (data: Buffer) => this.#take(data));
	}

	static async open(port: number, path = "/chat"): Promise<RawClient> {
		const raw = new RawClient(new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false }));
		await once(raw.webSocket, "open");
		return raw;
	}

	async handshake(): Promise<void> {
		this.send({ protocol: "json", version: 1 });
		await this.next();
	}

	/** Sends a record, its separator added. */
	send(message: object | string): void {
		this.webSocket.send(`${typeof message === "string" ? message : JSON.stringify(message)}\u001e`);
	}

	invoke(invocationId: string, target: string, ...args: readonly unknown[]): void {
		this.send({ type: 1, invocationId, target, arguments: args });
	}

	/** The next record; rejects when the connection ends before. */
	async next(): Promise<unknown> {
		while (this.records.length === 0) {
			if (this.webSocket.readyState >= WebSocket.CLOSING) throw new Error("The connection is over.");
			await this.#wake.promise;
		}
		return JSON.parse(this.records.shift() ?? "");
	}

	#take(data: Buffer): void {
		const parts = (this.#rest + data.toString()).split("\u001e");
		this.#rest = parts.pop() ?? "";
		this.records.push(...parts);
		this.#wake.resolve();
		this.#wake = deferred();
	}
}

/** Resolves when `condition` holds; looks after every turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
	while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** The text that a stock client's invocation fails with. */
export async function failureOf(call: Promise<unknown>): Promise<string> {
	try {
		await call;
	} catch (error) {
		return (error as Error).message;
	}
	throw new Error("The invocation did not fail.");
}
