import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HttpTransportType, type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { startAppServer } from "../../app-server/server.js";
import { silentLog } from "../../lib/index.js";
import { freePort } from "../../proxy-server/children.js";
import { type ProxyServer, startProxyServer } from "../../proxy-server/server.js";
import { readSettings } from "../../proxy-server/settings.js";

const LINK_SECRET = "the-secret-of-this-test";

/** The HAProxy configuration that compose.yaml uses, on this machine's ports. */
function localConfiguration(port: number, addresses: Readonly<Record<string, number>>): string {
	let text = readFileSync("docs/haproxy.cfg", "utf8");
	const replace = (from: string, to: string): void => {
		assert.ok(text.includes(from), `docs/haproxy.cfg has no ${from}`);
		text = text.replace(from, to);
	};
	replace("bind :5000", `bind 127.0.0.1:${port}`);
	replace("maxconn 4000", "maxconn 200");
	for (const [from, to] of Object.entries(addresses)) replace(from, `127.0.0.1:${to}`);
	return text;
}

describe("docs/haproxy.cfg", function () {
	this.timeout(30_000);
	let folder: string;
	let app: Awaited<ReturnType<typeof startAppServer>>;
	let proxies: ProxyServer[];
	let balancer: ChildProcess;
	let url: string;
	const clients: HubConnection[] = [];

	async function negotiatedServer(): Promise<string> {
		const answer = await fetch(`${url}/dotnetify/negotiate?negotiateVersion=1`, {
			method: "POST",
			headers: { connection: "close" },
		}).catch(() => undefined);
		if (answer?.status !== 200) return "";
		return ((await answer.json()) as { connectionToken: string }).connectionToken.split(".")[0] ?? "";
	}

	/** Asks until the answers of one round satisfy; HAProxy looks at its servers once a second. */
	async function untilServers(satisfy: (servers: readonly string[]) => boolean): Promise<void> {
		for (;;) {
			const servers: string[] = [];
			for (let nth = 0; nth < 6; nth++) servers.push(await negotiatedServer());
			if (satisfy(servers)) return;
		}
	}

	async function connect(): Promise<HubConnection> {
		const client = new HubConnectionBuilder()
			.withUrl(`${url}/dotnetify`, { transport: HttpTransportType.WebSockets })
			.configureLogging(LogLevel.None)
			.build();
		clients.push(client);
		await client.start();
		return client;
	}

	function members(proxy: ProxyServer | undefined): number {
		return [...(proxy?.hub.lifetime ?? [])].length;
	}

	before(async function () {
		if (spawnSync("haproxy", ["-v"]).status !== 0) {
			console.log("    skipped: this machine has no haproxy");
			return this.skip();
		}
		folder = mkdtempSync(join(tmpdir(), "trunkline-haproxy-"));
		app = await startAppServer({
			...{ port: 0, host: "127.0.0.1", hubPath: "/dotnetify", linkSecrets: [LINK_SECRET], linkTrusted: [] },
			...{
				trustProxy: 0,
				allowedOrigins: [],
				serverId: "app",
				tokenSecrets: undefined,
				pagesDirectory: null,
			},
		});
		const environment = { PORT: "0", APPSERVER_URL: app.url, LINK_SECRET, TRUST_PROXY: "127.0.0.1" };
		proxies = await Promise.all(
			["p1", "p2"].map((SERVER_ID) =>
				startProxyServer(readSettings({ ...environment, SERVER_ID }), silentLog),
			),
		);
		const [p1, p2] = proxies.map(({ listening }) => listening.port);
		const port = await freePort(0);
		url = `http://127.0.0.1:${port}`;
		const file = join(folder, "haproxy.cfg");
		const addresses = { "proxy-1:5000": p1 ?? 0, "proxy-2:5000": p2 ?? 0, "app-server:5001": app.port };
		writeFileSync(file, localConfiguration(port, addresses));
		balancer = spawn("haproxy", ["-db", "-f", file], { stdio: "ignore" });
		await untilServers((servers) => servers.includes("p1") && servers.includes("p2"));
	});

	after(async () => {
		if (!balancer) return;
		for (const client of clients.splice(0)) await client.stop();
		const ended = once(balancer, "exit");
		balancer.kill("SIGKILL");
		await ended;
		await Promise.all(proxies.map((proxy) => proxy.stop()));
		await app.close();
		rmSync(folder, { recursive: true });
	});

	it("spreads negotiated WebSockets over both proxies", async () => {
		for (let nth = 0; nth < 8; nth++) await connect();
		const [one, two] = proxies.map(members);
		assert.equal((one ?? 0) + (two ?? 0), 8);
		assert.ok(Math.min(one ?? 0, two ?? 0) >= 3, `${one} and ${two}`);
	});

	it("tells the proxies who the client is, whatever the client says", async () => {
		const [proxy] = proxies;
		const ips = [...(proxy?.hub.lifetime ?? [])].map(({ request }) => [request.ip, request.host]);
		assert.ok(ips.length > 0);
		for (const found of ips) assert.deepEqual(found, ["127.0.0.1", url.replace("http://", "")]);
	});

	it("sends pages to the app server", async () => {
		assert.equal((await fetch(`${url}/health`, { headers: { connection: "close" } })).status, 200);
	});

	it("sends nobody new to a proxy that drains, and leaves it its clients", async () => {
		const [p1, p2] = proxies;
		const before = members(p1);
		assert.ok(before > 0);
		p1?.drain();
		await untilServers((servers) => servers.every((server) => server === "p2"));
		await connect();
		assert.equal(members(p1), before);
		assert.equal(members(p2), clients.length - before);
		assert.ok(clients.every(({ state }) => state === "Connected"));
	});
});
