import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Scene, type Station } from "../support/scene.js";

/** Where an app server listens, until nobody does. */
class Gate {
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();

	/** Lets so many connections through; the others are taken, and hear nothing. */
	private constructor(target: number, most: number) {
		let taken = 0;
		this.#server = createServer((near) => {
			this.#keep(near);
			if (++taken > most) return;
			const far = connect(target, "127.0.0.1");
			this.#keep(far);
			near.pipe(far).pipe(near);
		});
	}

	static async open(target: number, { port = 0, most = Number.POSITIVE_INFINITY } = {}): Promise<Gate> {
		const gate = new Gate(target, most);
		await new Promise<void>((resolve) => gate.#server.listen(port, "127.0.0.1", resolve));
		return gate;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	/** As a process that is killed: whoever comes now is refused. */
	async close(): Promise<void> {
		const closed = new Promise((resolve) => this.#server.close(resolve));
		for (const socket of this.#sockets) socket.destroy();
		await closed;
	}

	#keep(socket: Socket): void {
		this.#sockets.add(socket);
		socket.on("error", () => {});
		socket.once("close", () => this.#sockets.delete(socket));
	}
}

describe("forwarding/upstream, reconnecting", () => {
	let scene: Scene;
	const gates: Gate[] = [];
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(async () => {
		for (const gate of gates.splice(0)) await gate.close().catch(() => {});
		await scene.close();
	});

	async function gate(target: number, options?: { port?: number; most?: number }): Promise<Gate> {
		const opened = await Gate.open(target, options);
		gates.push(opened);
		return opened;
	}

	const failures = ({ logs }: Station): number =>
		logs.filter(({ message }) => message.startsWith("An app server cannot be reached")).length;

	it("gives a process up that nobody has heard of since its port was free, as soon as one link meets another", async () => {
		const apps = [await scene.app({ recovery: "reopen" }), await scene.app({ recovery: "reopen" })];
		const [first, second] = apps as [Station, Station];
		const before = await gate(first.port);
		const { port } = before;
		const proxy = await scene.proxy(`http://127.0.0.1:${port}`, {
			connectionPoolSize: 3,
			flushTimeoutMs: 20,
		});
		await scene.links(proxy, 1);
		const client = await scene.client(proxy.url);
		assert.equal(await client.invoke("echo", 1), 1);
		while (proxy.hub.links()[0]?.links !== 3) await new Promise((resolve) => setImmediate(resolve));
		await before.close();
		await scene.until(() => failures(proxy) >= 6);
		await gate(second.port, { port, most: 1 });
		assert.equal(await client.invoke("echo", 2), 2);
		assert.deepEqual(second.connected, [client.id]);
		assert.deepEqual([proxy.undeliverable, proxy.disconnected], [[], []]);
	});

	it("tries all links at once when one of them finds somebody again, however long they would wait", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		let waits = 0;
		// The fourth wait is that of either link after an attempt; it is the only one that is not over at once.
		const random = (): number => (++waits === 4 ? 1 : 0);
		const reconnect = { delaysMs: [0, 1_000_000], jitter: 2, random };
		relay.off();
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 2, reconnect });
		await scene.until(() => waits >= 8 && failures(proxy) >= 4);
		relay.on();
		while (proxy.hub.links()[0]?.links !== 2) await new Promise((resolve) => setImmediate(resolve));
	});
});
