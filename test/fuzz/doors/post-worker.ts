import type { SentFrame, Supply, Target, Worker } from "../report.js";
import { Asker } from "./asker.js";

const PATIENCE_MS = 1_000;
const MOST_BODIES = 256;
const NOTHING = Buffer.alloc(0);

/** How the server's side of such a connection comes: in one response that has no end, or in polls. */
export type PostTransport = "ServerSentEvents" | "LongPolling";

/** Sends frames as bodies of POSTs, while the server's side of the connection is open beside them. */
export class PostWorker implements Worker {
	readonly #target: Target;
	readonly #handshake: Buffer;
	readonly #transport: PostTransport;
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

	constructor(
		target: Target,
		{ handshake, transport }: { readonly handshake: Buffer; readonly transport: PostTransport },
		supply: Supply,
	) {
		this.#transport = transport;
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
		const posts = new Asker({
			port: this.#target.port,
			onAnswer: (status, body) => this.#posted(status, body),
			onLost: () => this.#lost(),
		});
		this.#posts = posts;
		this.#url = "";
		posts.ask(`POST ${this.#target.path}/negotiate?negotiateVersion=1`, NOTHING);
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
		if (this.#transport === "LongPolling") this.#poll();
		else this.#listen();
	}

	#poll(): void {
		let isFirst = true;
		const polls = new Asker({
			port: this.#target.port,
			onAnswer: (status) => {
				if (this.#polls !== polls) return;
				if (status !== 200) {
					this.#lost();
					return;
				}
				polls.ask(`GET ${this.#url}`, NOTHING);
				// The first poll is answered at once: the connection is there.
				if (isFirst) this.#posts?.ask(`POST ${this.#url}`, this.#handshake);
				isFirst = false;
			},
			onLost: () => this.#polls === polls && this.#lost(),
		});
		this.#polls = polls;
		polls.ask(`GET ${this.#url}`, NOTHING);
	}

	#listen(): void {
		const stream = new Asker({
			...{ port: this.#target.port, isEndless: true },
			onAnswer: (status) => {
				if (this.#polls !== stream) return;
				if (status === 200) this.#posts?.ask(`POST ${this.#url}`, this.#handshake);
				else this.#lost();
			},
			onLost: () => this.#polls === stream && this.#lost(),
		});
		this.#polls = stream;
		stream.ask(`GET ${this.#url}`, NOTHING, "Accept: text/event-stream\r\n");
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
