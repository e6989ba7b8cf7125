import assert from "node:assert/strict";
import { BalancedClient } from "./balanced/balanced-client.js";
import {
	Balancer,
	type BalancerName,
	type Configuration,
	configurationBlock,
	configurationFile,
	isInstalled,
} from "./balanced/balancer.js";
import { HubProcess } from "./balanced/hub-processes.js";

const SECRET = "the token secret of this test";
const TRANSPORTS = ["WebSockets", "ServerSentEvents", "LongPolling"] as const;
const FILES = { haproxy: "haproxy.cfg", nginx: "nginx.conf" } as const;

/** Two processes behind a load balancer, and the clients of one test. */
class Scene {
	readonly hubs: readonly HubProcess[];
	readonly balancer: Balancer;
	readonly #clients: BalancedClient[] = [];

	private constructor(hubs: readonly HubProcess[], balancer: Balancer) {
		this.hubs = hubs;
		this.balancer = balancer;
	}

	static async open(configuration: Configuration, pages: boolean): Promise<Scene> {
		const hubs = await Promise.all(["p1", "p2"].map((name) => HubProcess.start(name, SECRET)));
		const [p1, p2] = hubs.map(({ port }) => port) as [number, number];
		const addresses = { "proxy-1:5000": p1, "proxy-2:5000": p2, ...(pages && { "app-server:5001": p1 }) };
		const scene = new Scene(hubs, await Balancer.start(configuration, addresses));
		try {
			await scene.untilServers((servers) => servers.has("p1") && servers.has("p2"));
		} catch (error) {
			await scene.close();
			throw error;
		}
		return scene;
	}

	async connect(transport: (typeof TRANSPORTS)[number]): Promise<BalancedClient> {
		const client = await BalancedClient.connect(this.balancer.url, transport);
		this.#clients.push(client);
		return client;
	}

	/** Negotiates until the processes that answered in one round are as wished; by chance alone a round is never of one. */
	async untilServers(satisfy: (servers: ReadonlySet<string>) => boolean): Promise<void> {
		for (;;) {
			this.balancer.checkAlive();
			const servers = new Set<string>();
			for (let nth = 0; nth < 24; nth++) servers.add(await this.#negotiatedServer());
			if (satisfy(servers)) return;
		}
	}

	hub(serverId: string | undefined): HubProcess {
		const found = this.hubs.find((hub) => hub.serverId === serverId);
		assert.ok(found, `no process has the id ${serverId}`);
		return found;
	}

	async disconnect(): Promise<void> {
		await Promise.all(this.#clients.splice(0).map(({ connection }) => connection.stop()));
	}

	async close(): Promise<void> {
		await this.disconnect();
		await this.balancer.stop();
		await Promise.all(this.hubs.map((hub) => hub.kill()));
	}

	async #negotiatedServer(): Promise<string> {
		const answer = await fetch(`${this.balancer.url}/dotnetify/negotiate?negotiateVersion=1`, {
			method: "POST",
			headers: { connection: "close" },
		}).catch(() => undefined);
		if (answer?.status !== 200) return "";
		return ((await answer.json()) as { connectionToken: string }).connectionToken.split(".")[0] ?? "";
	}
}

function skipWithout(this: Mocha.Context, name: BalancerName): void {
	if (isInstalled(name)) return;
	console.log(`    skipped: this machine has no ${name}`);
	this.skip();
}

for (const name of ["haproxy", "nginx"] as const) {
	describe(`interop/load-balancer: ${name}, round robin and nothing else`, function () {
		this.timeout(30_000);
		let scene: Scene;

		before(async function () {
			skipWithout.call(this, name);
			scene = await Scene.open(configurationBlock(name, "load-balancers.md"), false);
		});

		after(() => scene?.close());

		it("opens WebSockets at a process that did not negotiate them, with the ids that were negotiated", async () => {
			let crossed = 0;
			const ids = new Set<string>();
			for (let nth = 0; nth < 10; nth++) {
				const client = await scene.connect("WebSockets");
				const { serverId, connectionId } = await client.where();
				assert.equal(connectionId, client.negotiatedId);
				assert.equal(connectionId, client.connectionId);
				ids.add(connectionId);
				if (serverId !== client.negotiatedAt) crossed++;
			}
			assert.equal(ids.size, 10);
			assert.ok(crossed >= 5, `${crossed} of 10 were opened elsewhere than negotiated`);
		});
	});

	describe(`interop/load-balancer: ${name}, docs/${FILES[name]}`, function () {
		this.timeout(30_000);
		let scene: Scene;

		before(async function () {
			skipWithout.call(this, name);
			scene = await Scene.open(configurationFile(name, FILES[name]), true);
		});

		afterEach(() => scene?.disconnect());

		after(() => scene?.close());

		for (const transport of TRANSPORTS) {
			it(`keeps the requests of ${transport} clients at the process that negotiated`, async () => {
				const clients: BalancedClient[] = [];
				for (let nth = 0; nth < 24; nth++) clients.push(await scene.connect(transport));
				assert.deepEqual(new Set(clients.map(({ negotiatedAt }) => negotiatedAt)), new Set(["p1", "p2"]));
				const host = scene.balancer.url.replace("http://", "");
				await Promise.all(
					clients.map(async (client) => {
						for (let nth = 0; nth < 4; nth++) {
							assert.equal(await client.connection.invoke("echo", `${nth}`), `${nth}`);
						}
						const { negotiatedAt: serverId, negotiatedId: connectionId } = client;
						assert.deepEqual(await client.where(), { serverId, connectionId, ip: "127.0.0.1", host });
					}),
				);
			});
		}

		it("logs paths, and no query", async () => {
			const url = `${scene.balancer.url}/dotnetify?id=p1.a-token&access_token=a-secret`;
			assert.equal((await fetch(url, { headers: { connection: "close" } })).status, 404);
			while (!/GET \/dotnetify\b/.test(scene.balancer.log)) await new Promise(setImmediate);
			assert.doesNotMatch(scene.balancer.log, /a-secret|a-token|access_token/);
		});

		it("brings the clients of a process that dies to the other one", async () => {
			const clients: BalancedClient[] = [];
			for (const transport of TRANSPORTS) {
				for (let nth = 0; nth < 2; nth++) clients.push(await scene.connect(transport));
			}
			const dead = clients[0]?.negotiatedAt;
			const lost = clients.filter(({ negotiatedAt }) => negotiatedAt === dead);
			const others = clients.filter(({ negotiatedAt }) => negotiatedAt !== dead);
			const before = others.map(({ connectionId }) => connectionId);
			const reconnected = lost.map(
				({ connection }) => new Promise<unknown>((resolve) => connection.onreconnected(resolve)),
			);
			await scene.hub(dead).kill();
			const ids = await Promise.all(reconnected);
			for (const [nth, client] of lost.entries()) {
				const { serverId, connectionId } = await client.where();
				assert.notEqual(serverId, dead);
				assert.equal(connectionId, ids[nth]);
			}
			assert.deepEqual(
				others.map(({ connectionId }) => connectionId),
				before,
			);
			const gone = await fetch(`${scene.balancer.url}/dotnetify?id=${dead}.a-token&access_token=a-secret`);
			assert.ok([404, 502].includes(gone.status), `${gone.status}`);
			assert.doesNotMatch(scene.balancer.log, /a-secret|a-token/);
		});
	});
}

for (const name of ["haproxy", "nginx"] as const) {
	describe(`interop/load-balancer: a process that drains behind docs/${FILES[name]}`, function () {
		this.timeout(30_000);
		let scene: Scene;

		before(async function () {
			skipWithout.call(this, name);
			scene = await Scene.open(configurationFile(name, FILES[name]), true);
		});

		after(() => scene?.close());

		function drain(): void {
			const p1 = scene.hub("p1");
			if (name === "haproxy") p1.drain();
			else scene.balancer.reload(`server 127.0.0.1:${p1.port} max_fails=3 fail_timeout=5s;`, "");
		}

		it("keeps its clients on every transport, and gets nobody new", async () => {
			const clients: BalancedClient[] = [];
			for (const transport of TRANSPORTS) {
				for (let nth = 0; nth < 2; nth++) clients.push(await scene.connect(transport));
			}
			const before = clients.map(({ connectionId }) => connectionId);
			drain();
			await scene.untilServers((servers) => servers.size === 1 && servers.has("p2"));
			for (const client of clients) {
				const { serverId, connectionId } = await client.where();
				assert.equal(connectionId, before.shift());
				assert.equal(serverId, client.negotiatedAt);
			}
			for (const transport of TRANSPORTS) {
				assert.equal((await (await scene.connect(transport)).where()).serverId, "p2");
			}
		});
	});
}
