import { once } from "node:events";
import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import type { ContractClient } from "../../contracts/connection.js";
import { ReceivingClient } from "../receiving-client.js";

/** Where a client's connection is: the port, and the path with its token. */
export interface Address {
	readonly port: number;
	readonly path: string;
}

/** What the clients of both HTTP transports have in common: POSTs one after another, and what arrived. */
abstract class HttpClient extends ReceivingClient implements ContractClient {
	/** Statuses of the POSTs, in order. */
	readonly posted: number[] = [];
	protected readonly address: Address;
	protected readonly agent: Agent = new Agent({ keepAlive: true });
	#lastPost: Promise<void> = Promise.resolve();

	constructor(address: Address) {
		super();
		this.address = address;
	}

	abstract vanish(): void;
	abstract stopReading(): void;
	protected abstract end(): void;

	send(bytes: Buffer): void {
		this.#lastPost = this.#lastPost.then(async () => {
			try {
				this.posted.push((await this.ask("POST", bytes)).status);
			} catch {
				// The server has ended it, or the client has vanished.
				this.posted.push(0);
			}
		});
	}

	/** All that was sent is answered. */
	get settled(): Promise<void> {
		return this.#lastPost;
	}

	leave(): void {
		void this.#lastPost.then(() => this.end());
	}

	protected override isOver(): void {
		this.agent.destroy();
		super.isOver();
	}

	protected start(method: string, headers: Record<string, string> = {}): ClientRequest {
		const { port, path } = this.address;
		return request({ host: "127.0.0.1", port, path, method, headers, agent: this.agent });
	}

	async ask(method: string, body?: Buffer): Promise<{ status: number; body: Buffer }> {
		const req = this.start(method);
		req.end(body);
		const [res] = (await once(req, "response")) as [IncomingMessage];
		const parts: Buffer[] = [];
		for await (const part of res) parts.push(part as Buffer);
		return { status: res.statusCode ?? 0, body: Buffer.concat(parts) };
	}
}

/** A client of Server-Sent Events, read as the HTML Standard says. */
export class ServerSentEventsClient extends HttpClient {
	/** Status and headers of the stream. */
	response: IncomingMessage | undefined;
	/** All bytes of the stream. */
	raw = "";
	#rest = "";
	#lines: string[] = [];
	#req: ClientRequest | undefined;

	async open(headers: Record<string, string> = {}): Promise<this> {
		this.#req = this.start("GET", { Accept: "text/event-stream", ...headers });
		this.#req.on("error", () => this.isOver());
		this.#req.end();
		const [res] = (await once(this.#req, "response")) as [IncomingMessage];
		this.response = res;
		res.setEncoding("utf8");
		res.on("data", (text: string) => this.#read(text));
		res.on("error", () => {});
		res.on("close", () => this.isOver());
		return this;
	}

	vanish(): void {
		this.#req?.destroy();
	}

	stopReading(): void {
		this.response?.pause();
	}

	protected end(): void {
		this.#req?.destroy();
	}

	#read(text: string): void {
		if (this.raw.length < 10_000) this.raw += text;
		this.#rest += text;
		// Looking through all of a large event with each piece of it would take seconds.
		if (!text.includes("\n")) return;
		const lines = this.#rest.split("\r\n");
		this.#rest = lines.pop() ?? "";
		for (const line of lines) this.#readLine(line);
	}

	#readLine(line: string): void {
		if (line.startsWith("data: ")) this.#lines.push(line.slice(6));
		else if (line === "" && this.#lines.length > 0) {
			this.took(Buffer.from(this.#lines.join("\n")));
			this.#lines = [];
		}
	}
}

/** A client of long polling. */
export class LongPollingClient extends HttpClient {
	/** Statuses of the polls, in order. */
	readonly polled: number[] = [];
	readonly #abandon: () => void;
	#poll: ClientRequest | undefined;
	#isPolling = true;

	/** `abandon`: makes the server notice that nobody polls any more. */
	constructor(address: Address, abandon: () => void = () => {}) {
		super(address);
		this.#abandon = abandon;
	}

	/** The first poll, which is answered at once; then one after another. */
	async open(): Promise<this> {
		await this.ask("GET");
		void this.#pollOn();
		return this;
	}

	vanish(): void {
		this.#isPolling = false;
		this.#poll?.destroy();
		this.agent.destroy();
		this.#abandon();
	}

	stopReading(): void {
		this.#isPolling = false;
		this.#poll?.destroy();
	}

	protected end(): void {
		this.stopReading();
		void this.ask("DELETE").then(() => this.isOver());
	}

	async #pollOn(): Promise<void> {
		while (this.#isPolling) {
			const status = await this.#pollOnce().catch(() => 0);
			this.polled.push(status);
			if (status !== 200) break;
		}
		if (this.#isPolling) this.isOver();
	}

	async #pollOnce(): Promise<number> {
		this.#poll = this.start("GET");
		this.#poll.end();
		const [res] = (await once(this.#poll, "response")) as [IncomingMessage];
		const parts: Buffer[] = [];
		for await (const part of res) parts.push(part as Buffer);
		const body = Buffer.concat(parts);
		if (body.length > 0) this.took(body);
		return res.statusCode ?? 0;
	}
}
