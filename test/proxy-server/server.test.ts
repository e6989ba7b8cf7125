import assert from "node:assert/strict";
import { HttpTransportType, type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { startAppServer } from "../../app-server/server.js";
import { type Log, silentLog, TrunklineError } from "../../lib/index.js";
import { type ProxyServer, startProxyServer } from "../../proxy-server/server.js";
import { readSettings } from "../../proxy-server/settings.js";
import { until } from "../hub/live.js";
import { ProxyProcess } from "./proxy-process.js";

const LINK_SECRET = "the-secret-of-this-test";

type AppServer = Awaited<ReturnType<typeof startAppServer>>;

/** A log that tells when something with these words is logged. */
function listeningLog(words: RegExp): { readonly log: Log; readonly heard: Promise<void> } {
	let hear: () => void = () => undefined;
	const heard = new Promise<void>((resolve) => {
		hear = resolve;
	});
	const write = (_fields: object, message: string): void => (words.test(message) ? hear() : undefined);
	return { log: { debug: write, info: write, warn: write, error: write }, heard };
}

async function startApp(port = 0): Promise<AppServer> {
	return startAppServer({
		...{ port, host: "127.0.0.1", hubPath: "/dotnetify", linkSecrets: [LINK_SECRET], linkTrusted: [] },
		...{ trustProxy: 0, allowedOrigins: [], serverId: "app", tokenSecrets: undefined, pagesDirectory: null },
	});
}

describe("proxy-server/server", () => {
	const proxies: ProxyServer[] = [];
	const apps: AppServer[] = [];
	const clients: HubConnection[] = [];

	afterEach(async () => {
		for (const client of clients.splice(0)) await client.stop();
		await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
		await Promise.all(apps.splice(0).map((app) => app.close()));
	});

	async function startProxy(
		appPort: number,
		more: Record<string, string> = {},
		log = silentLog,
	): Promise<ProxyServer> {
		const environment = { PORT: "0", APPSERVER_URL: `http://127.0.0.1:${appPort}`, LINK_SECRET, ...more };
		const proxy = await startProxyServer(readSettings(environment), log);
		proxies.push(proxy);
		return proxy;
	}

	async function statusOf(proxy: ProxyServer, path: string, method = "GET"): Promise<number> {
		const answer = await fetch(`${proxy.listening.url}${path}`, { method, headers: { connection: "close" } });
		await answer.arrayBuffer();
		return answer.status;
	}

	async function untilReady(proxy: ProxyServer): Promise<void> {
		await until(() => proxy.isReady);
	}

	async function app(port?: number): Promise<AppServer> {
		const started = await startApp(port);
		apps.push(started);
		return started;
	}

	/** Connects a stock client and returns what HelloWorld answers. */
	async function ask(proxy: ProxyServer): Promise<string> {
		const client = new HubConnectionBuilder()
			.withUrl(`${proxy.listening.url}/dotnetify`, { transport: HttpTransportType.WebSockets })
			.configureLogging(LogLevel.None)
			.build();
		clients.push(client);
		const answer = new Promise<unknown>((resolve) => client.on("Response_VM", resolve));
		await client.start();
		await client.invoke("Request_VM", "HelloWorld", null);
		return JSON.stringify(await answer);
	}

	it("lives from the start and is ready once an app server was reached, also while it is away again", async () => {
		const first = await app();
		const { port } = first;
		await first.close();
		const { log, heard } = listeningLog(/cannot be reached/);
		const proxy = await startProxy(port, {}, log);
		assert.equal(await statusOf(proxy, "/health"), 200);
		await heard;
		assert.equal(await statusOf(proxy, "/ready"), 503);
		const second = await app(port);
		await untilReady(proxy);
		assert.equal(await statusOf(proxy, "/ready"), 200);
		await second.close();
		assert.equal(await statusOf(proxy, "/ready"), 200);
		assert.equal(await statusOf(proxy, "/health"), 200);
	});

	it("answers /ready with 404 while it drains, and keeps its clients", async () => {
		const proxy = await startProxy((await app()).port);
		await untilReady(proxy);
		assert.match(await ask(proxy), /HelloWorld/);
		proxy.drain();
		assert.equal(await statusOf(proxy, "/ready"), 404);
		assert.equal(await statusOf(proxy, "/health"), 200);
		assert.equal(clients[0]?.state, "Connected");
		assert.match(await ask(proxy), /HelloWorld/);
	});

	it("sends its clients away and stops listening when it stops, however often it is told", async () => {
		const proxy = await startProxy((await app()).port);
		await ask(proxy);
		const closed = new Promise<void>((resolve) => clients[0]?.onclose(() => resolve()));
		await Promise.all([proxy.stop(), proxy.stop()]);
		await closed;
		await assert.rejects(statusOf(proxy, "/health"));
	});

	it("answers probes to GET and HEAD only, uncached, and 404 for what nobody knows", async () => {
		const proxy = await startProxy((await app()).port);
		assert.equal(await statusOf(proxy, "/health", "HEAD"), 200);
		assert.notEqual(await statusOf(proxy, "/health", "POST"), 200);
		assert.equal(await statusOf(proxy, "/healthy"), 404);
		const answer = await fetch(`${proxy.listening.url}/health`);
		assert.equal(answer.headers.get("cache-control"), "no-store");
		assert.equal(await answer.text(), "alive\n");
	});

	it("forwards by the chain and handles the rest itself", async () => {
		const { port } = await app();
		const settings = readSettings({ PORT: "0", APPSERVER_URL: `http://127.0.0.1:${port}`, LINK_SECRET });
		const [entry = assert.fail("no entry")] = settings.chain;
		for (const [filter, expected] of [
			[{ kind: "viewModels", roots: ["HelloWorld"] }, /Greetings/],
			[{ kind: "vmIds", ids: ["HelloWorld"] }, /Greetings/],
			[{ kind: "vmIdPattern", pattern: /^Hello/u }, /Greetings/],
			[{ kind: "vmIdPattern", pattern: /^Bye/u }, /ExceptionType/],
		] as const) {
			const proxy = await startProxyServer({ ...settings, chain: [{ ...entry, filter }] }, silentLog);
			proxies.push(proxy);
			assert.match(await ask(proxy), expected);
		}
	});

	it("shares its clients among equal app servers, and leaves none behind with one that stops", async () => {
		const [first, second] = [await app(), await app()];
		const urls = [first, second].map(({ port }) => `http://127.0.0.1:${port}`).join();
		const settings = readSettings({ PORT: "0", APPSERVER_URLS: urls, LINK_SECRET });
		const proxy = await startProxyServer(settings, silentLog);
		proxies.push(proxy);
		await until(() => proxy.hub.links().length === 2);
		for (let count = 0; count < 8; count++) assert.match(await ask(proxy), /Greetings/);
		await first.close();
		for (const client of clients) {
			assert.equal(client.state, "Connected");
			await client.invoke("Request_VM", "HelloWorld", null);
		}
		assert.deepEqual(
			proxy.hub.links().map(({ clients: held }) => held),
			[8],
		);
	});

	it("uses its server id in the tokens", async () => {
		const proxy = await startProxy((await app()).port, { SERVER_ID: "p7", HUB_PATH: "/hub" });
		const answer = await fetch(`${proxy.listening.url}/hub/negotiate?negotiateVersion=1`, { method: "POST" });
		const { connectionToken } = (await answer.json()) as { connectionToken: string };
		assert.match(connectionToken, /^p7\./);
	});

	it("refuses a port that is in use and leaves nothing running", async () => {
		const { port } = await app();
		await assert.rejects(
			startProxy(port, { PORT: String(port) }),
			(error) => error instanceof TrunklineError && error.code === "ERR_ADDRESS_IN_USE",
		);
	});
});

describe("proxy-server/main", () => {
	/** Runs the executable until it ends; returns its exit code and what it wrote. */
	async function runMain(
		environment: Record<string, string>,
		signal?: NodeJS.Signals,
	): Promise<[number | null, string]> {
		const proxy = new ProxyProcess(environment);
		if (signal) {
			await proxy.url;
			proxy.signal(signal);
		}
		const code = await proxy.exitCode;
		return [code, proxy.written];
	}

	it("says in one line per setting what is wrong with it", async () => {
		assert.deepEqual(await runMain({ PORT: "x", LOG_LEVEL: "y", APPSERVER_URL: "http://127.0.0.1:1" }), [
			1,
			'trunkline proxy: PORT: found "x", expected a whole number from 0 to 65535\n' +
				'trunkline proxy: LOG_LEVEL: found "y", expected one of trace, debug, info, warn, error, fatal, silent\n',
		]);
	}).timeout(20_000);

	it("says in one line that a port is in use", async () => {
		const { port, close } = await startApp();
		const [code, written] = await runMain({ PORT: String(port), APPSERVER_URL: "http://127.0.0.1:1" });
		await close();
		assert.equal(code, 1);
		assert.match(written, new RegExp(`^trunkline proxy: .*port ${port}.*\\n$`));
	}).timeout(20_000);

	for (const signal of ["SIGINT", "SIGTERM"] as const) {
		it(`ends with exit code 0 on ${signal}`, async () => {
			const environment = { PORT: "0", APPSERVER_URL: "http://127.0.0.1:1", DRAIN_MS: "1" };
			const [code, written] = await runMain(environment, signal);
			assert.equal(code, 0, written);
			assert.doesNotMatch(written, /^\s+at /m);
		}).timeout(20_000);
	}
});
