import { connect, type Socket } from "node:net";
import type { SentFrame, Supply, Target, Worker } from "../report.js";

const HEAD_END = "\r\n\r\n";
const PATIENCE_MS = 1_000;
const MOST_BODIES = 256;

/** One request after another on one socket; the answer is its status and its body. */
class Asker {
	readonly #port: number;
	readonly #onAnswer: (status: number, body: string) => void;
	readonly #onLost: () => void;
	#socket: Socket | undefined;
	#answer = "";

	constructor(port: number, onAnswer: (status: number, body: string) => void, onLost: () => void) {
		this.#port = port;
		this.#onAnswer = onAnswer;
		this.#onLost = onLost;
	}

	ask(head: string, body: Buffer): void {
		this.#answer = "";
		this.#socket ??= this.#open();
		this.#socket.write(
			`${head} HTTP/1.1\r\nHost: 127.0.0.1\r\n${body.length > 0 || head.startsWith("POST") ? `Content-Length: ${body.length}\r\n` : ""}\r\n`,
		);
		if (body.length > 0) this.#socket.write(body);
	}

	close(): void {
		const socket = this.#socket;
		this.#socket = undefined;
		socket?.destroy();
	}

	#open(): Socket {
		const socket = connect({ host: "127.0.0.1", port: this.#port, noDelay: true });
		socket.on("data", (bytes) => this.#socket === socket && this.#read(bytes.toString("latin1")));
		socket.on("error", () => undefined);
		socket.on("close", () => {
			if (this.#socket !== socket) return;
			this.#socket = undefined;
			this.#onLost();
		});
		return socket;
	}

	#read(text: string): void {
		this.#answer += text;
		const end = this.#answer.indexOf(HEAD_END);
		if (end < 0) return;
		const head = this.#answer.slice(0, end);
		const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
		if (this.#answer.length < end + HEAD_END.length + length) return;
		const body = this.#answer.slice(end + HEAD_END.length);
		this.#answer = "";
		this.#onAnswer(Number(head.slice(9, 12)), body);
	}
}

/** Sends frames as bodies of POSTs to a long-polling connection, while its polls wait beside them. */
export class PostWorker implements Worker {
	readonly #target: Target;
	readonly #handshake: Buffer;
	readonly #supply: Supply;
	#polls: Asker | undefined;
	#posts: Asker | undefined;
	#url = "";
	#bodies = 0;
	#sent: SentFrame | undefined;
	#progressAt = 0;
	#isStopped = false;
	connections = 0;
	held = 0;

	constructor(target: Target, handshake: Buffer, supply: Supply) {
		this.#target = target;
		this.#handshake = handshake;
		this.#supply = supply;
	}

	start(): void {
		this.#connect();
	}

	stop(): void {
		this.#isStopped = true;
		this.#close();
	}

	tick(now: number): void {
		if (!this.#posts || now - this.#progressAt < PATIENCE_MS) return;
		this.held++;
		this.#lost();
	}

	#close(): void {
		this.#polls?.close();
		this.#posts?.close();
		this.#polls = undefined;
		this.#posts = undefined;
	}

	/** The connection is used up; its last body, if any, was looked at. */
	#lost(): void {
		this.#close();
		if (this.#isStopped) return;
		if (this.#sent) this.#supply.done(1);
		this.#sent = undefined;
		this.#connect();
	}

	#connect(): void {
		this.#sent = this.#supply.take();
		if (!this.#sent || this.#isStopped) return;
		this.connections++;
		this.#bodies = 0;
		this.#progressAt = performance.now();
		const posts = new Asker(
			this.#target.port,
			(status, body) => this.#posted(status, body),
			() => this.#lost(),
		);
		this.#posts = posts;
		this.#url = "";
		posts.ask(`POST ${this.#target.path}/negotiate?negotiateVersion=1`, Buffer.alloc(0));
	}

	#posted(status: number, body: string): void {
		this.#progressAt = performance.now();
		if (this.#url === "") this.#negotiated(body);
		else if (status !== 200) this.#lost();
		else if (this.#bodies++ === 0) this.#send();
		else this.#answered();
	}

	#negotiated(body: string): void {
		const [, token] = /"connectionToken":"([^"]+)"/.exec(body) ?? [];
		if (token === undefined) {
			this.#lost();
			return;
		}
		this.#url = `${this.#target.path}?id=${token}`;
		let isFirst = true;
		const polls = new Asker(
			this.#target.port,
			(status) => {
				if (this.#polls !== polls) return;
				if (status !== 200) {
					this.#lost();
					return;
				}
				polls.ask(`GET ${this.#url}`, Buffer.alloc(0));
				// The first poll is answered at once: the connection is there.
				if (isFirst) this.#posts?.ask(`POST ${this.#url}`, this.#handshake);
				isFirst = false;
			},
			() => this.#polls === polls && this.#lost(),
		);
		this.#polls = polls;
		polls.ask(`GET ${this.#url}`, Buffer.alloc(0));
	}

	#answered(): void {
		this.#supply.done(1);
		this.#sent = this.#bodies < MOST_BODIES ? this.#supply.take() : undefined;
		if (this.#sent) this.#send();
		else {
			this.#close();
			this.#connect();
		}
	}

	#send(): void {
		if (this.#sent) this.#posts?.ask(`POST ${this.#url}`, this.#sent.bytes);
	}
}
