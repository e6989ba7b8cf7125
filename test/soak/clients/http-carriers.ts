import { Agent, type ClientRequest, request } from "node:http";
import { type Address, type Carrier, negotiate, type Violence } from "./carrier.js";
import { answerTo, bodyOf, responseTo, start } from "./http-request.js";

/** What Server-Sent Events and long polling have in common: a token, and POSTs one after another. */
abstract class HttpCarrier implements Carrier {
	onBytes: (bytes: Buffer) => void = () => {};
	onClosed: () => void = () => {};
	protected readonly url: string;
	protected isOver = false;
	#posts: Promise<void> = Promise.resolve();

	constructor({ port, path }: Address, token: string) {
		this.url = `http://127.0.0.1:${port}${path}?id=${token}`;
	}

	send(bytes: Buffer): void {
		this.#posts = this.#posts.then(() => this.#post(bytes));
	}

	abstract kill(how: Violence): void;
	abstract close(): void;

	protected over(): void {
		if (this.isOver) return;
		this.isOver = true;
		this.onClosed();
	}

	/** Half of a POST, and nothing more. */
	protected abortPost(): void {
		const asked = start(this.url, { method: "POST", headers: { "Content-Length": "1000" }, isAlone: true });
		asked.on("error", () => undefined);
		asked.write("{", () => asked.destroy());
	}

	async #post(bytes: Buffer): Promise<void> {
		if (this.isOver) return;
		try {
			const { statusCode } = await answerTo(this.url, { method: "POST", body: bytes });
			if (statusCode !== 200) this.over();
		} catch {
			this.over();
		}
	}
}

/** A connection whose server speaks in one long response. */
export class ServerSentEventsCarrier extends HttpCarrier {
	#stream: ClientRequest | undefined;
	#rest = "";

	static async open(address: Address): Promise<ServerSentEventsCarrier> {
		const carrier = new ServerSentEventsCarrier(address, (await negotiate(address)).token);
		const headers = { Accept: "text/event-stream" };
		carrier.#stream = start(carrier.url, { method: "GET", headers, isAlone: true });
		const response = await responseTo(carrier.#stream);
		if (response.statusCode !== 200) throw new Error(`server-sent events: HTTP ${response.statusCode}`);
		response.setEncoding("utf8");
		response.on("data", (text: string) => carrier.#read(text));
		response.on("error", () => carrier.over());
		response.on("close", () => carrier.over());
		return carrier;
	}

	kill(how: Violence): void {
		const socket = this.#stream?.socket;
		if (how === "mid-message") this.abortPost();
		if (how === "reset") socket?.resetAndDestroy();
		else if (how === "half-close") socket?.end();
		else socket?.destroy();
	}

	close(): void {
		this.#stream?.destroy();
	}

	#read(text: string): void {
		const events = (this.#rest + text).split("\r\n\r\n");
		this.#rest = events.pop() ?? "";
		for (const event of events) {
			const lines = event.split("\r\n").filter((line) => line.startsWith("data: "));
			if (lines.length > 0) this.onBytes(Buffer.from(lines.map((line) => line.slice(6)).join("\n")));
		}
	}
}

/** A connection whose client asks again and again. */
export class LongPollingCarrier extends HttpCarrier {
	readonly #polls = new Agent({ keepAlive: true });
	#poll: ClientRequest | undefined;

	static async open(address: Address): Promise<LongPollingCarrier> {
		const carrier = new LongPollingCarrier(address, (await negotiate(address)).token);
		const { statusCode } = await carrier.#ask();
		if (statusCode !== 200) throw new Error(`long polling: HTTP ${statusCode}`);
		void carrier.#loop();
		return carrier;
	}

	kill(how: Violence): void {
		const socket = this.#poll?.socket;
		if (how === "mid-message") this.abortPost();
		if (how === "reset") socket?.resetAndDestroy();
		else if (how === "half-close") socket?.end();
		else socket?.destroy();
		this.#polls.destroy();
		this.over();
	}

	close(): void {
		answerTo(this.url, { method: "DELETE" })
			.catch(() => undefined)
			.finally(() => {
				this.#polls.destroy();
				this.over();
			});
	}

	async #ask(): Promise<{ statusCode: number | undefined; body: Buffer }> {
		this.#poll = request(this.url, { method: "GET", agent: this.#polls });
		const response = await responseTo(this.#poll);
		return { statusCode: response.statusCode, body: await bodyOf(response) };
	}

	async #loop(): Promise<void> {
		try {
			while (!this.isOver) {
				const { statusCode, body } = await this.#ask();
				if (statusCode !== 200) break;
				if (body.length > 0) this.onBytes(body);
			}
		} catch {
			// Killed, by us or by the server.
		}
		this.#polls.destroy();
		this.over();
	}
}
