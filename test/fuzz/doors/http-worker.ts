import { connect, type Socket } from "node:net";
import { TOKEN } from "../frames/http-requests.js";
import type { SentFrame, Supply, Target, Worker } from "../report.js";

const HEAD_END = "\r\n\r\n";
/** A request that is not whole waits for its rest: its end is told after this time, and it is given up after the next. */
const PATIENCE_MS = 30;
const NEGOTIATED = /"connectionToken":"([^"]+)"/;
const KEPT_TOKENS = 32;

/** Tokens that the server gave out lately, of which requests take one. */
export class Tokens {
	readonly #tokens: string[] = [];
	#next = 0;

	found(answer: string): void {
		const [, token] = NEGOTIATED.exec(answer) ?? [];
		if (token !== undefined) this.#tokens[this.#next++ % KEPT_TOKENS] = token;
	}

	/** The bytes with a token where one goes. */
	put(bytes: Buffer): Buffer {
		if (!bytes.includes(TOKEN)) return bytes;
		const token = this.#tokens[this.#next++ % Math.max(1, this.#tokens.length)] ?? "none";
		return Buffer.from(bytes.toString("latin1").replaceAll(TOKEN, token), "latin1");
	}
}

/** Sends requests, one after the other, on one socket after another. */
export class HttpWorker implements Worker {
	readonly #target: Target;
	readonly #supply: Supply;
	readonly #tokens: Tokens;
	#socket: Socket | undefined;
	#answer = "";
	#sent: SentFrame | undefined;
	#sentAt = 0;
	#isHalfClosed = false;
	connections = 0;
	held = 0;

	constructor(target: Target, tokens: Tokens, supply: Supply) {
		this.#target = target;
		this.#tokens = tokens;
		this.#supply = supply;
	}

	start(): void {
		this.#next();
	}

	stop(): void {
		const socket = this.#socket;
		this.#socket = undefined;
		socket?.destroy();
	}

	tick(now: number): void {
		if (!this.#sent || now - this.#sentAt < PATIENCE_MS) return;
		if (this.#isHalfClosed) {
			this.held++;
			this.#over();
			return;
		}
		this.#isHalfClosed = true;
		this.#sentAt = now;
		this.#socket?.end();
	}

	#next(): void {
		this.#sent = this.#supply.take();
		if (!this.#sent) {
			this.stop();
			return;
		}
		this.#answer = "";
		this.#isHalfClosed = false;
		this.#sentAt = performance.now();
		this.#socket ??= this.#open();
		this.#socket.write(this.#tokens.put(this.#sent.bytes));
	}

	#open(): Socket {
		this.connections++;
		const socket = connect({ host: "127.0.0.1", port: this.#target.port, noDelay: true });
		socket.on("data", (bytes) => this.#socket === socket && this.#read(bytes.toString("latin1")));
		socket.on("error", () => undefined);
		socket.on("close", () => this.#socket === socket && this.#over());
		return socket;
	}

	/** The socket is used up. */
	#over(): void {
		this.stop();
		this.#supply.done(1);
		this.#next();
	}

	#read(text: string): void {
		this.#answer += text;
		const end = this.#answer.indexOf(HEAD_END);
		if (end < 0) return;
		const head = this.#answer.slice(0, end).toLowerCase();
		const [, length] = /\r\ncontent-length: (\d+)/.exec(head) ?? [];
		// A stream, a WebSocket, or an answer that ends with its socket.
		if (length === undefined || head.includes("\r\nconnection: close") || this.#isHalfClosed) {
			this.#over();
			return;
		}
		if (this.#answer.length < end + HEAD_END.length + Number(length)) return;
		this.#tokens.found(this.#answer);
		this.#supply.done(1);
		this.#next();
	}
}
