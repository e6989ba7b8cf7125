import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type Direction, RelayedConnection, reset } from "./relayed-connection.js";

/** Most bytes of a connection's beginning that are remembered. */
const HEAD_BYTES = 8_192;

/**
 * A TCP relay on 127.0.0.1 that does to connections what networks do: resets, stalls, half-open connections.
 * With several targets it gives each connection to the next one, as an address that stands for several servers.
 */
export class Relay {
	readonly #server: Server;
	readonly #open = new Set<RelayedConnection>();
	readonly #sockets = new Set<Socket>();
	#state: "on" | "off" | "silent" = "on";
	#taken = 0;
	/** Ports on 127.0.0.1 that connections are given to, in turn. */
	targets: readonly number[];
	/** The first bytes of the newest connection, as text: a link's upgrade request. */
	head = "";

	private constructor(targets: readonly number[]) {
		this.targets = targets;
		this.#server = createServer((near) => this.#take(near));
	}

	static async open(...targets: readonly number[]): Promise<Relay> {
		const relay = new Relay(targets);
		await new Promise<void>((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
		return relay;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	get url(): string {
		return `http://127.0.0.1:${this.port}`;
	}

	/** Those that are open, the oldest first. */
	get connections(): readonly RelayedConnection[] {
		return [...this.#open];
	}

	/** How many came so far. */
	get taken(): number {
		return this.#taken;
	}

	/** Resets all connections. */
	cut(): void {
		for (const connection of this.#open) connection.cut();
	}

	/** Resets one connection, chosen by `pick` in [0, 1). */
	cutOne(pick: number): void {
		this.one(pick)?.cut();
	}

	/** Holds all bytes on all connections for a while. */
	stall(ms: number): void {
		for (const connection of this.#open) connection.stall(ms);
	}

	/** Nothing comes through on the connections that are there, in these directions. */
	halfOpen(...directions: readonly Direction[]): void {
		for (const connection of this.#open) connection.halfOpen(...directions);
	}

	/** The connection that `pick` in [0, 1) stands for. */
	one(pick: number): RelayedConnection | undefined {
		return this.connections[Math.floor(pick * this.#open.size)];
	}

	/** Resets whoever connects, as a machine on which nobody listens. Open connections stay. */
	off(): void {
		this.#state = "off";
	}

	/** Nothing comes through any more, on old connections and new ones, and nobody is told: who sends is held up. */
	hold(): void {
		this.#state = "silent";
		for (const connection of this.#open) connection.hold();
	}

	/** Connections are let through again. Those that were held are over. */
	on(): void {
		if (this.#state === "silent") this.#resetAll();
		this.#state = "on";
	}

	async close(): Promise<void> {
		this.#resetAll();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#resetAll(): void {
		this.cut();
		for (const socket of this.#sockets) reset(socket);
	}

	#take(near: Socket): void {
		this.#taken++;
		this.#keep(near);
		if (this.#state === "off") reset(near);
		if (this.#state === "on") this.#connect(near);
	}

	#connect(near: Socket): void {
		const target = this.targets[this.#taken % this.targets.length];
		if (target === undefined) {
			reset(near);
			return;
		}
		const far = connect(target, "127.0.0.1");
		this.#keep(far);
		const connection = new RelayedConnection(near, far);
		this.#open.add(connection);
		let closed = 0;
		const close = (): void => {
			closed++;
			// Of a half-open connection one end may be left for long.
			if (closed === 2) this.#open.delete(connection);
		};
		near.once("close", close);
		far.once("close", close);
		this.#listenIn(near);
	}

	#listenIn(near: Socket): void {
		let head = "";
		near.on("data", (bytes) => {
			if (head.length >= HEAD_BYTES) return;
			head += bytes.toString("latin1").slice(0, HEAD_BYTES - head.length);
			this.head = head;
		});
	}

	#keep(socket: Socket): void {
		socket.setNoDelay(true);
		this.#sockets.add(socket);
		socket.on("error", () => {});
		socket.once("close", () => this.#sockets.delete(socket));
	}
}
