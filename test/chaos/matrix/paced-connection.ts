import type { Server } from "node:http";
import { Duplex } from "node:stream";
import { WebSocket } from "ws";

const RECORD_SEPARATOR = "\u001e";

/** What waits for the other end, and who waits for that. */
interface Unread {
	readonly bytes: Buffer;
	taken(): void;
}

/** One end of a connection in memory: nothing lies between the ends, so that what is written waits where it can be counted. */
class End extends Duplex {
	readonly remoteAddress = "127.0.0.1";
	readonly localAddress = "127.0.0.1";
	readonly remotePort = 1;
	readonly localPort = 2;
	#unread: Unread[] = [];

	/** At most `most` bytes of what was written here. */
	takeUnread(most: number): Buffer {
		const taken: Buffer[] = [];
		let left = most;
		while (left > 0) {
			const [first] = this.#unread;
			if (!first) break;
			const part = first.bytes.subarray(0, left);
			taken.push(part);
			left -= part.length;
			if (part.length < first.bytes.length)
				this.#unread[0] = { ...first, bytes: first.bytes.subarray(part.length) };
			else {
				this.#unread.shift();
				first.taken();
			}
		}
		return Buffer.concat(taken);
	}

	setTimeout(): this {
		return this;
	}

	setNoDelay(): this {
		return this;
	}

	setKeepAlive(): this {
		return this;
	}

	ref(): this {
		return this;
	}

	unref(): this {
		return this;
	}

	override _read(): void {}

	override _write(chunk: Buffer, _encoding: BufferEncoding, taken: () => void): void {
		this.#unread.push({ bytes: chunk, taken });
		this.emit("unread");
	}

	override _destroy(error: Error | null, done: (error: Error | null) => void): void {
		this.#unread = [];
		done(error);
	}
}

/** A SignalR client (json) that reads a server as fast as it is told to, byte for byte. */
export class PacedConnection {
	/** Messages that it was sent, in order. */
	readonly messages: Readonly<Record<string, unknown>>[] = [];
	/** Whether its connection is over. */
	isOver = false;
	readonly #near = new End();
	readonly #far = new End();
	readonly #webSocket: WebSocket;
	#rest = "";
	#isPaced = false;

	private constructor(server: Server, path: string) {
		this.#near.on("unread", () => this.#far.push(this.#near.takeUnread(Number.POSITIVE_INFINITY)));
		this.#far.on("unread", () => {
			if (!this.#isPaced) this.read(Number.POSITIVE_INFINITY);
		});
		this.#far.once("close", () => this.#near.destroy());
		this.#near.once("close", () => this.#far.destroy());
		this.#far.on("error", () => {});
		server.emit("connection", this.#far);
		const createConnection = (): Duplex => this.#near;
		this.#webSocket = new WebSocket(`ws://127.0.0.1${path}`, {
			perMessageDeflate: false,
			createConnection: createConnection as never,
		});
		this.#webSocket.on("message", (data: Buffer) => this.#take(data.toString()));
		this.#webSocket.on("error", () => {});
		this.#webSocket.on("close", () => {
			this.isOver = true;
		});
	}

	/** Connects, up to the end of the handshake; reads all that comes until {@link pace}. */
	static async open(server: Server, path: string): Promise<PacedConnection> {
		const client = new PacedConnection(server, path);
		await new Promise((resolve) => client.#webSocket.once("open", resolve));
		client.send({ protocol: "json", version: 1 });
		return client;
	}

	send(message: object): void {
		if (this.#webSocket.readyState === WebSocket.OPEN)
			this.#webSocket.send(JSON.stringify(message) + RECORD_SEPARATOR);
	}

	/** From now on it reads only what {@link read} says. */
	pace(): void {
		this.#isPaced = true;
	}

	/** Reads at most so many bytes of what waits. */
	read(most: number): void {
		const bytes = this.#far.takeUnread(most);
		if (bytes.length > 0) this.#near.push(bytes);
		if (this.#far.writableFinished && !this.#near.readableEnded) this.#near.push(null);
	}

	end(): void {
		this.#webSocket.terminate();
	}

	#take(text: string): void {
		const records = (this.#rest + text).split(RECORD_SEPARATOR);
		this.#rest = records.pop() ?? "";
		for (const record of records) this.messages.push(JSON.parse(record) as Record<string, unknown>);
	}
}
