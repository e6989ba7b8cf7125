import { connect, type Socket } from "node:net";

const HEAD_END = "\r\n\r\n";

/** How an {@link Asker} is told what became of its requests. */
export interface AskerOptions {
	readonly port: number;
	/** The answer has no end: its head is all that is looked at. */
	readonly isEndless?: boolean;
	onAnswer(status: number, body: string): void;
	/** The server closed the socket. */
	onLost(): void;
}

/** One request after another on one socket. */
export class Asker {
	readonly #options: AskerOptions;
	#socket: Socket | undefined;
	#answer = "";
	#isHeard = false;

	constructor(options: AskerOptions) {
		this.#options = options;
	}

	/** Asks: `head` is the method and the path, and header lines behind them. */
	ask(head: string, body: Buffer, headers = ""): void {
		this.#answer = "";
		this.#socket ??= this.#open();
		const length = head.startsWith("POST") ? `Content-Length: ${body.length}\r\n` : "";
		this.#socket.write(`${head} HTTP/1.1\r\nHost: 127.0.0.1\r\n${length}${headers}\r\n`);
		if (body.length > 0) this.#socket.write(body);
	}

	close(): void {
		const socket = this.#socket;
		this.#socket = undefined;
		socket?.destroy();
	}

	#open(): Socket {
		const socket = connect({ host: "127.0.0.1", port: this.#options.port, noDelay: true });
		socket.on("data", (bytes) => this.#socket === socket && this.#read(bytes.toString("latin1")));
		socket.on("error", () => undefined);
		socket.on("close", () => {
			if (this.#socket !== socket) return;
			this.#socket = undefined;
			this.#options.onLost();
		});
		return socket;
	}

	#read(text: string): void {
		if (this.#isHeard) return;
		this.#answer += text;
		const end = this.#answer.indexOf(HEAD_END);
		if (end < 0) return;
		const head = this.#answer.slice(0, end);
		const status = Number(head.slice(9, 12));
		this.#isHeard = this.#options.isEndless === true && status === 200;
		const length = this.#isHeard ? 0 : Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
		if (this.#answer.length < end + HEAD_END.length + length) return;
		const body = this.#answer.slice(end + HEAD_END.length);
		this.#answer = "";
		this.#options.onAnswer(status, body);
	}
}
