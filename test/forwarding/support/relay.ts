import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A TCP relay on 127.0.0.1 that can refuse, cut and stall what goes through it. */
export class Relay {
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	#target: number;
	/** Ends new connections at once, as a machine without a listener does. */
	refuses = false;
	/** Takes new connections and lets nothing through. */
	stalls = false;
	/** Connections taken so far. */
	connections = 0;

	private constructor(target: number) {
		this.#target = target;
		this.#server = createServer((near) => this.#take(near));
	}

	static async open(target: number): Promise<Relay> {
		const relay = new Relay(target);
		await new Promise<void>((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
		return relay;
	}

	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	/** Where new connections lead. */
	set target(port: number) {
		this.#target = port;
	}

	/** Ends all connections without a word. */
	cut(): void {
		for (const socket of this.#sockets) socket.destroy();
	}

	/** Ends one connection, chosen by `pick` in [0, 1). */
	cutOne(pick: number): void {
		const sockets = [...this.#sockets];
		sockets[Math.floor(pick * sockets.length)]?.destroy();
	}

	/** Lets nothing more through on the connections that are there. */
	stall(): void {
		this.stalls = true;
		for (const socket of this.#sockets) socket.unpipe().pause();
	}

	async close(): Promise<void> {
		this.cut();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#take(near: Socket): void {
		this.connections++;
		if (this.refuses) {
			near.destroy();
			return;
		}
		this.#keep(near);
		if (this.stalls) return;
		const far = connect(this.#target, "127.0.0.1");
		this.#keep(far);
		near.pipe(far).pipe(near);
		near.once("close", () => far.destroy());
		far.once("close", () => near.destroy());
	}

	#keep(socket: Socket): void {
		this.#sockets.add(socket);
		socket.on("error", () => {});
		socket.once("close", () => this.#sockets.delete(socket));
	}
}
