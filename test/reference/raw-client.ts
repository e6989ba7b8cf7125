import { once } from "node:events";
import { type ClientOptions, WebSocket } from "ws";
import { deferred } from "../../lib/base/index.js";

/** A frame that the hub sent. */
export interface Frame {
	readonly isBinary: boolean;
	readonly bytes: Buffer;
}

/** A WebSocket that speaks by hand: json records, or frames. */
export class RawClient {
	readonly webSocket: WebSocket;
	/** All frames, in order. */
	readonly frames: Frame[] = [];
	/** Records that came and were not taken yet. */
	readonly records: string[] = [];
	/** Resolves with the close code and reason, `1000 `. */
	readonly closed: Promise<string>;
	#rest = "";
	#wake = deferred();

	constructor(webSocket: WebSocket) {
		this.webSocket = webSocket;
		const closed = deferred<string>();
		this.closed = closed.promise;
		webSocket.on("error", () => {});
		webSocket.on("close", (code, reason) => {
			closed.resolve(`${code} ${reason}`);
			this.#wake.resolve();
		});
		webSocket.on("message", (bytes: Buffer, isBinary) => this.#take({ bytes, isBinary }));
	}

	static async open(url: string, options: ClientOptions = {}): Promise<RawClient> {
		const address = url.replace(/^http/, "ws");
		const raw = new RawClient(new WebSocket(address, { perMessageDeflate: false, ...options }));
		await once(raw.webSocket, "open");
		return raw;
	}

	async handshake(version = 1): Promise<void> {
		this.send({ protocol: "json", version });
		await this.next();
	}

	/** Sends records in one text frame, their separators added. */
	send(...messages: readonly (object | string)[]): void {
		this.webSocket.send(messages.map(recordOf).join(""));
	}

	invoke(invocationId: string, target: string, ...args: readonly unknown[]): void {
		this.send({ type: 1, invocationId, target, arguments: args });
	}

	/** The next record but pings. @throws Error where the connection ends before */
	async next(): Promise<unknown> {
		for (;;) {
			const record = this.records.shift();
			if (record !== undefined && record !== '{"type":6}') return JSON.parse(record);
			if (record !== undefined) continue;
			if (this.webSocket.readyState === WebSocket.CLOSED) throw new Error("The connection is over.");
			await this.#wake.promise;
		}
	}

	/** So many records. */
	async take(count: number): Promise<unknown[]> {
		const taken: unknown[] = [];
		while (taken.length < count) taken.push(await this.next());
		return taken;
	}

	/** So many bytes of frames, as one. */
	async bytes(count: number): Promise<Buffer> {
		for (;;) {
			const all = Buffer.concat(this.frames.map(({ bytes }) => bytes));
			if (all.length >= count) return all;
			if (this.webSocket.readyState === WebSocket.CLOSED) throw new Error("The connection is over.");
			await this.#wake.promise;
		}
	}

	/** Everything that the hub says before it closes. */
	async last(): Promise<{ readonly said: unknown[]; readonly code: string }> {
		const code = await this.closed;
		const said = this.records.splice(0).filter((record) => record !== '{"type":6}');
		return { said: said.map((record) => JSON.parse(record)), code };
	}

	#take(frame: Frame): void {
		this.frames.push(frame);
		const parts = (this.#rest + frame.bytes.toString()).split("\u001e");
		this.#rest = parts.pop() ?? "";
		this.records.push(...parts);
		this.#wake.resolve();
		this.#wake = deferred();
	}
}

/** A record with its separator. */
export function recordOf(message: object | string): string {
	return `${typeof message === "string" ? message : JSON.stringify(message)}\u001e`;
}
