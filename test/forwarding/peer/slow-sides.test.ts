import assert from "node:assert/strict";
import { createViewModelHub, MulticastViewModel } from "../../../lib/dotnetify/index.js";
import { acceptLinks, useForwarding } from "../../../lib/forwarding/index.js";
import type { ClientConnection, HubOptions } from "../../../lib/hub/index.js";
import { createHub, createServer, type Hub } from "../../../lib/index.js";
import { Relay } from "../../chaos/relay.js";
import { RawClient, until } from "../../hub/live.js";
import { SECRET } from "../support/scene.js";

/** An app server, a relay, and a proxy that reaches the app server through it. */
class Stage {
	readonly relay: Relay;
	readonly proxy: Hub;
	readonly #port: number;
	readonly #closing: (() => Promise<unknown>)[];
	readonly #clients: RawClient[] = [];

	private constructor(relay: Relay, proxy: Hub, port: number, closing: (() => Promise<unknown>)[]) {
		this.relay = relay;
		this.proxy = proxy;
		this.#port = port;
		this.#closing = closing;
	}

	static async open(app: Hub, proxyOptions: HubOptions = {}): Promise<Stage> {
		const appServer = createServer().map("/hub", app);
		const relay = await Relay.open((await appServer.listen(0, "127.0.0.1")).port);
		const links = { secret: SECRET, connectionPoolSize: 2, reconnect: { delaysMs: [0, 10], jitter: 0 } };
		const proxy = createHub()(proxyOptions).use(useForwarding(relay.url, links));
		const server = createServer().map("/hub", proxy);
		const { port } = await server.listen(0, "127.0.0.1");
		const closing = [() => server.close(), () => relay.close(), () => appServer.close()];
		return new Stage(relay, proxy as unknown as Hub, port, closing);
	}

	async client(): Promise<RawClient> {
		const client = await RawClient.open(this.#port, "/hub");
		this.#clients.push(client);
		await client.handshake();
		return client;
	}

	async close(): Promise<void> {
		for (const { webSocket } of this.#clients) webSocket.terminate();
		for (const close of this.#closing) await close();
	}
}

const PAD = "x".repeat(60_000);
const LONG_NAME = "é".repeat(200);

class Sums extends MulticastViewModel {
	static readonly itemKeys = { Items: "Id" };
	N = 0;
	Pad = "";
	Items: { Id: number }[] = [];

	add(): void {
		this.N++;
		this.Pad = `${this.N}${PAD}`;
		this.addList("Items", { Id: this.N });
		this.pushUpdates();
	}
}

/** The numbers that a client was told of, in their order; forgotten with that. */
function numbers({ records }: RawClient): number[] {
	return records.splice(0).flatMap((record) => {
		const { target, arguments: args } = JSON.parse(record) as {
			target?: string;
			arguments?: [[string, string]];
		};
		const data = target === "Response_VM" && args ? (JSON.parse(args[0][1]) as { N?: number }) : {};
		return data.N ?? [];
	});
}

describe("forwarding/peer, slow sides", function () {
	this.timeout(30_000);

	it("leaves state out while a session has no room, and every client has the newest one when it has", async () => {
		const sums = new Sums();
		const views = { Sums: () => sums, [LONG_NAME]: () => new Sums() };
		const app = createViewModelHub({ viewModels: views }).use(acceptLinks({ secrets: [SECRET] }));
		const stage = await Stage.open(app as unknown as Hub);
		try {
			const clients = await Promise.all([stage.client(), stage.client(), stage.client()]);
			for (const client of clients) client.invoke("1", "Request_VM", "Sums", null);
			await until(() => clients.every(({ records }) => records.length === 2));
			const connections = [...app.lifetime] as ClientConnection[];
			stage.relay.hold();
			while (connections.some(({ isBehind }) => !isBehind)) {
				sums.add();
				await new Promise(setImmediate);
			}
			for (let more = 0; more < 100; more++) sums.add();
			stage.relay.on();
			await until(() => connections.every(({ isBehind }) => !isBehind));
			sums.add();
			const told = clients.map(() => [] as number[]);
			await until(() => {
				for (const [at, client] of clients.entries()) told[at]?.push(...numbers(client));
				return told.every((of) => of.at(-1) === sums.N);
			});
			for (const of of told) {
				assert.deepEqual(
					of,
					of.toSorted((a, b) => a - b),
				);
				assert.ok(of.length < sums.N, "some were left out");
			}
			assert.equal(app.lifetime.size, clients.length);
		} finally {
			await stage.close();
		}
	});

	it("carries state with a name that no key can have as events", async () => {
		const app = createViewModelHub({ viewModels: { [LONG_NAME]: () => new Sums() } });
		const stage = await Stage.open(app.use(acceptLinks({ secrets: [SECRET] })) as unknown as Hub);
		try {
			const client = await stage.client();
			for (const name of [LONG_NAME, "\ud800"]) {
				client.invoke("1", "Request_VM", name, null);
				await until(() => client.records.length === 2);
				assert.match(client.records.splice(0).join(), name === LONG_NAME ? /"Items/ : /ExceptionType/);
			}
		} finally {
			await stage.close();
		}
	});
});
