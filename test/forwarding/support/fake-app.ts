import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { Watch } from "./watch.js";

const RS = "\u001e";

/** An `Invoke` as it came over a link. */
export interface Invoke {
	readonly socket: WebSocket;
	readonly method: string;
	readonly args: readonly unknown[];
	readonly metadata: { readonly $fwdConnContext: string };
	readonly invocationId: string;
}

interface WireMessage {
	readonly type: number;
	readonly arguments: [string, unknown[], Invoke["metadata"]];
	readonly invocationId: string;
}

/** An app server of raw WebSockets and json that records every `Invoke`, says what it is told to, and nothing else. */
export class FakeApp {
	readonly invokes: Invoke[] = [];
	/** Sockets of links that are shaken, in the order in which they came. */
	readonly sockets: WebSocket[] = [];
	/** While true, nothing is answered until {@link answer} is called. */
	holds = false;
	/** What every `Invoke` is answered with; null results by default. */
	error: string | undefined;
	readonly #server: WebSocketServer;
	readonly #watch: Watch;

	private constructor(server: WebSocketServer, watch: Watch) {
		this.#server = server;
		this.#watch = watch;
		server.on("connection", (socket) => this.#take(socket));
	}

	static async open(watch: Watch): Promise<FakeApp> {
		const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
		await once(server, "listening");
		return new FakeApp(server, watch);
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	get url(): string {
		return `http://127.0.0.1:${this.port}`;
	}

	get methods(): readonly string[] {
		return this.invokes.map(({ method }) => method);
	}

	/** Sends a `Response_VM` with this one argument over the first link. */
	respond(argument: unknown): void {
		this.#send(this.sockets[0] as WebSocket, { type: 1, target: "Response_VM", arguments: [argument] });
	}

	answer({ socket, invocationId }: Invoke, error?: string): void {
		this.#send(socket, { type: 3, invocationId, ...(error === undefined ? { result: null } : { error }) });
	}

	/** Answers all that was not answered before, and from now on at once. */
	release(): void {
		this.holds = false;
		for (const invoke of this.#held.splice(0)) this.answer(invoke);
	}

	/** How many `Invoke`s each link carried. */
	perLink(): number[] {
		return this.sockets.map((socket) => this.invokes.filter((invoke) => invoke.socket === socket).length);
	}

	cut(): void {
		for (const socket of this.#server.clients) socket.terminate();
	}

	async close(): Promise<void> {
		this.cut();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	readonly #held: Invoke[] = [];

	#take(socket: WebSocket): void {
		let isShaken = false;
		socket.on("message", (data) => {
			for (const text of String(data).split(RS).slice(0, -1)) {
				if (isShaken) this.#message(socket, JSON.parse(text) as WireMessage);
				else {
					isShaken = true;
					this.sockets.push(socket);
					this.#send(socket, {});
				}
			}
			this.#watch.changed();
		});
	}

	#message(socket: WebSocket, message: WireMessage): void {
		if (message.type !== 1) return;
		const [method, args, metadata] = message.arguments;
		const invoke = { socket, method, args, metadata, invocationId: message.invocationId };
		this.invokes.push(invoke);
		if (this.holds) this.#held.push(invoke);
		else this.answer(invoke, this.error);
	}

	#send(socket: WebSocket, message: object): void {
		socket.send(JSON.stringify(message) + RS);
	}
}
