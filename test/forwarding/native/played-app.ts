import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { type Segment, SegmentReader } from "../../../lib/forwarding/wire/index.js";
import type { Told } from "../recorded/recording.js";
import type { Watch } from "../support/watch.js";

/** An app server's end of links, in a test's hands: it says what it is told to. */
export class PlayedApp {
	/** What the proxy's end has said on all links. */
	readonly told: Pick<Told, "from" | "segment">[] = [];
	/** Headers of the upgrade requests. */
	readonly requests: IncomingHttpHeaders[] = [];
	readonly #server: WebSocketServer;
	readonly #watch: Watch;

	private constructor(
		server: WebSocketServer,
		watch: Watch,
		greet: (headers: IncomingHttpHeaders) => Buffer,
	) {
		this.#server = server;
		this.#watch = watch;
		server.on("connection", (socket, { headers }) => this.#take(socket, headers, greet));
	}

	/** Takes links and says what `greet` makes as soon as their handshake has come. */
	static async open(watch: Watch, greet: (headers: IncomingHttpHeaders) => Buffer): Promise<PlayedApp> {
		const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
		await new Promise<void>((resolve) => server.on("listening", resolve));
		return new PlayedApp(server, watch, greet);
	}

	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	/** Links that were opened so far. */
	get links(): number {
		return this.requests.length;
	}

	get dataCount(): number {
		return this.told.filter(({ segment }) => segment.kind === "data").length;
	}

	/** The first BYE. */
	get bye(): (Segment & { kind: "bye" }) | undefined {
		return this.told.map(({ segment }) => segment).find((segment) => segment.kind === "bye");
	}

	/** Says something on all links. */
	send(bytes: Buffer): void {
		for (const socket of this.#server.clients) socket.send(bytes);
	}

	async close(): Promise<void> {
		for (const socket of this.#server.clients) socket.terminate();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#take(
		socket: WebSocket,
		headers: IncomingHttpHeaders,
		greet: (headers: IncomingHttpHeaders) => Buffer,
	): void {
		const reader = new SegmentReader();
		let isGreeted = false;
		socket.on("error", () => {});
		socket.on("message", (data: Buffer) => {
			let rest = data;
			if (!isGreeted) {
				isGreeted = true;
				this.requests.push(headers);
				rest = data.subarray(data.indexOf(0x1e) + 1);
				socket.send("{}\u001e");
				socket.send(greet(headers));
			}
			reader.push(rest);
			for (let segment = reader.next(); segment; segment = reader.next())
				this.told.push({ from: "proxy", segment });
			this.#watch.changed();
		});
	}
}
