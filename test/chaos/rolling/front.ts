import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Place } from "../processes/place.js";

/** What a load balancer is to clients: one address, which leads to the proxies that take new ones, in turn. */
export class Front {
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	#proxies: readonly Place[];
	#next = 0;

	private constructor(proxies: readonly Place[]) {
		this.#proxies = proxies;
		this.#server = createServer((near) => this.#take(near));
	}

	static async open(proxies: readonly Place[]): Promise<Front> {
		const front = new Front(proxies);
		await new Promise<void>((resolve) => front.#server.listen(0, "127.0.0.1", resolve));
		return front;
	}

	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	/** Sends new clients to these proxies from now on; those that are there stay. */
	set proxies(proxies: readonly Place[]) {
		this.#proxies = proxies;
	}

	async close(): Promise<void> {
		for (const socket of this.#sockets) socket.destroy();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#take(near: Socket): void {
		const proxy = this.#proxies[this.#next++ % this.#proxies.length];
		if (!proxy) {
			near.destroy();
			return;
		}
		const far = connect(proxy.port, "127.0.0.1");
		near.pipe(far).pipe(near);
		for (const [one, other] of [
			[near, far],
			[far, near],
		] as const) {
			this.#sockets.add(one);
			one.on("error", () => other.destroy());
			one.once("close", () => {
				this.#sockets.delete(one);
				other.end();
			});
		}
	}
}
