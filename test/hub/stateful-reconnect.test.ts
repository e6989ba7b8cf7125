import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { type Live, live, until } from "./live.js";

/** A TCP relay whose connections can be cut. */
class Relay {
	readonly #server = createServer((near) => this.#join(near));
	readonly #sockets = new Set<Socket>();
	readonly #port: number;
	connections = 0;

	constructor(port: number) {
		this.#port = port;
	}

	async listen(): Promise<string> {
		this.#server.listen(0, "127.0.0.1");
		await once(this.#server, "listening");
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/chat`;
	}

	cut(): void {
		for (const socket of this.#sockets) socket.resetAndDestroy();
	}

	/** The client's side is cut; the server hears nothing of it. */
	halfOpen(): void {
		for (const socket of this.#sockets) {
			socket.unpipe();
			if (socket.localPort === (this.#server.address() as AddressInfo).port) socket.resetAndDestroy();
		}
	}

	async close(): Promise<void> {
		this.cut();
		this.#server.close();
		await once(this.#server, "close");
	}

	#join(near: Socket): void {
		this.connections++;
		const far = connect(this.#port, "127.0.0.1");
		for (const socket of [near, far]) {
			this.#sockets.add(socket);
			socket.on("error", () => {});
			socket.on("close", () => this.#sockets.delete(socket));
		}
		near.pipe(far).pipe(near);
	}
}

describe("hub, stateful reconnect of stock clients", () => {
	let served: Live;
	let relay: Relay;
	let url: string;
	const heard: unknown[] = [];
	const ends: string[] = [];

	beforeEach(async () => {
		heard.length = 0;
		ends.length = 0;
		served = await live({
			allowStatefulReconnects: true,
			methods: {
				say: (_ctx, ...[value]: readonly unknown[]) => {
					heard.push(value);
					return value;
				},
			},
		});
		served.hub.on("disconnected", (_client, reason) => ends.push(reason.kind));
		relay = new Relay(served.port);
		url = await relay.listen();
	});
	afterEach(async () => {
		await relay.close();
		await served.close();
	});

	function build(isBinary: boolean): HubConnection {
		const builder = new HubConnectionBuilder()
			.withUrl(url)
			.configureLogging(LogLevel.None)
			.withStatefulReconnect();
		return (isBinary ? builder.withHubProtocol(new MessagePackHubProtocol()) : builder).build();
	}

	for (const isBinary of [false, true]) {
		it(`loses nothing, doubles nothing and keeps the order in ${isBinary ? "messagepack" : "json"}, both ways, however often the socket is cut`, async () => {
			const client = build(isBinary);
			const pushed: unknown[] = [];
			client.on("pushed", (value) => void pushed.push(value));
			await client.start();
			const { connectionId } = client;
			assert(connectionId);
			const rounds = 6;
			for (let round = 0; round < rounds; round++) {
				const answers = [];
				for (let at = 0; at < 20; at++) {
					answers.push(client.invoke("say", round * 20 + at));
					served.hub.clients.client(connectionId).send("pushed", round * 20 + at);
					if (at === 10) relay.cut();
				}
				assert.deepEqual(
					await Promise.all(answers),
					Array.from({ length: 20 }, (_, at) => round * 20 + at),
				);
			}
			await until(() => pushed.length >= rounds * 20);
			const all = Array.from({ length: rounds * 20 }, (_, at) => at);
			assert.deepEqual(heard, all);
			assert.deepEqual(pushed, all);
			assert.equal(client.connectionId, connectionId);
			assert.deepEqual(ends, []);
			assert(relay.connections > rounds);
			await client.stop();
		});
	}

	it("takes over from a socket that only seems alive to the server", async () => {
		const client = build(false);
		await client.start();
		relay.halfOpen();
		assert.equal(await client.invoke("say", 1), 1);
		assert.deepEqual(heard, [1]);
		assert.equal(served.hub.lifetime.get(client.connectionId ?? "")?.connectionId, client.connectionId);
		assert.deepEqual(ends, []);
		await client.stop();
	});

	it("keeps groups, and hands on what was sent to them meanwhile", async () => {
		const client = build(false);
		const got: unknown[] = [];
		client.on("news", (value) => void got.push(value));
		await client.start();
		await served.hub.groups.add(client.connectionId ?? "", "readers");
		relay.cut();
		await served.hub.clients.group("readers").send("news", 1);
		await served.hub.clients.all.send("news", 2);
		await until(() => got.length >= 2);
		assert.deepEqual(got, [1, 2]);
		await client.stop();
	});
});
