import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { fuzzHello, LinkNumbers } from "../frames/link-segments.js";
import type { SentFrame, Supply, Target, Worker } from "../report.js";

const BATCH = 16;
const PATIENCE_MS = 1_000;

/** An app server that says what it is given on the links of a proxy, each piece followed by a WebSocket ping. */
export class LinkWorker implements Worker {
	readonly #target: Target;
	readonly #supply: Supply;
	#server: WebSocketServer | undefined;
	#socket: WebSocket | undefined;
	#unanswered: SentFrame[] = [];
	#numbers = new LinkNumbers();
	#progressAt = 0;
	#isStopped = false;
	connections = 0;
	held = 0;

	constructor(target: Target, supply: Supply) {
		this.#target = target;
		this.#supply = supply;
	}

	start(): void {
		const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
		this.#server = server;
		server.on("connection", (socket) => this.#take(socket));
		server.on("listening", () => {
			this.#target.forwardTo?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}/fuzz`);
		});
	}

	stop(): void {
		if (this.#isStopped) return;
		this.#isStopped = true;
		this.#target.forwardTo?.(undefined);
		for (const socket of this.#server?.clients ?? []) socket.terminate();
		this.#server?.close();
	}

	tick(now: number): void {
		if (!this.#socket || this.#unanswered.length === 0 || now - this.#progressAt < PATIENCE_MS) return;
		this.held++;
		this.#socket.terminate();
	}

	#take(socket: WebSocket): void {
		this.#socket = socket;
		this.connections++;
		this.#numbers = new LinkNumbers();
		socket.on("error", () => {});
		socket.once("message", () => {
			socket.send("{}\u001e");
			socket.send(fuzzHello("app", randomBytes(16)));
			this.#sendAll(this.#unanswered);
			this.#goOn();
		});
		socket.on("pong", () => this.#socket === socket && this.#answered());
		socket.on("close", () => this.#socket === socket && this.#ended());
	}

	/** What ended the link was looked at; what was sent behind it goes on the next. */
	#ended(): void {
		this.#socket = undefined;
		if (!this.#isStopped && this.#unanswered.shift()) this.#supply.done(1);
	}

	#answered(): void {
		this.#progressAt = performance.now();
		if (this.#unanswered.shift()) this.#supply.done(1);
		if (this.#unanswered.length === 0) this.#goOn();
	}

	#goOn(): void {
		const fresh: SentFrame[] = [];
		while (this.#unanswered.length + fresh.length < BATCH) {
			const frame = this.#supply.take();
			if (!frame) break;
			fresh.push(frame);
		}
		this.#unanswered.push(...fresh);
		this.#sendAll(fresh);
	}

	#sendAll(frames: readonly SentFrame[]): void {
		this.#progressAt = performance.now();
		for (const { bytes } of frames) {
			this.#socket?.send(this.#numbers.bytesOf(bytes));
			this.#socket?.ping();
		}
	}
}
