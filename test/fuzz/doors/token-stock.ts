import { Agent, request } from "node:http";
import type { Target } from "../report.js";

const STOCK = 64;
const AT_ONCE = 4;

/** Connection tokens for stateful reconnect, asked for ahead of time. */
export class TokenStock {
	readonly #url: string;
	readonly #agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
	readonly #tokens: string[] = [];
	readonly #waiting: ((token: string) => void)[] = [];
	#asked = 0;
	#isClosed = false;

	constructor({ port, path }: Target) {
		this.#url = `http://127.0.0.1:${port}${path}/negotiate?negotiateVersion=1&useStatefulReconnect=true`;
	}

	/** Calls `use` with a token, as soon as there is one. */
	take(use: (token: string) => void): void {
		const token = this.#tokens.shift();
		if (token === undefined) this.#waiting.push(use);
		else use(token);
		this.#fill();
	}

	close(): void {
		this.#isClosed = true;
		this.#agent.destroy();
	}

	#fill(): void {
		while (!this.#isClosed && this.#tokens.length + this.#asked < STOCK + this.#waiting.length) this.#ask();
	}

	#ask(): void {
		this.#asked++;
		const asked = request(this.#url, { method: "POST", agent: this.#agent }, (response) => {
			let body = "";
			response.on("data", (chunk: Buffer) => {
				body += chunk.toString();
			});
			response.on("end", () => this.#got(/"connectionToken":"([^"]+)"/.exec(body)?.[1]));
		});
		// The server is gone, which is seen elsewhere; or its socket, and the next try gets another one.
		asked.on("error", () => setTimeout(() => this.#got(undefined), 100));
		asked.end();
	}

	#got(token: string | undefined): void {
		this.#asked--;
		const use = token === undefined ? undefined : this.#waiting.shift();
		if (use && token !== undefined) use(token);
		else if (token !== undefined) this.#tokens.push(token);
		this.#fill();
	}
}
