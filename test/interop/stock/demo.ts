import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type AppServer, startAppServer } from "../../../app-server/server.js";
import { readSettings as readAppServerSettings } from "../../../app-server/settings.js";
import { BUILT_PAGES } from "../../../app-server/static-pages.js";
import { silentLog } from "../../../lib/index.js";
import { Front, type FrontTarget } from "../../../proxy-server/front.js";
import { type ProxyServer, startProxyServer } from "../../../proxy-server/server.js";
import { readSettings as readProxySettings } from "../../../proxy-server/settings.js";

const SHARED = {
	HOST: "127.0.0.1",
	LINK_SECRET: "a secret that only tests know",
	// The front, which says who the browser is, and nobody else.
	TRUST_PROXY: "127.0.0.1",
	DRAIN_MS: "0",
};
const PROXIES = ["p1", "p2"] as const;

export type ProxyName = (typeof PROXIES)[number];

/** Builds the pages of the app server where that was not done yet. */
export async function buildPages(): Promise<void> {
	if (existsSync(join(BUILT_PAGES, "index.html"))) return;
	const root = dirname(createRequire(import.meta.url).resolve("trunkline/package.json"));
	const vite = join(root, "node_modules/vite/bin/vite.js");
	const parameters = [vite, "build", "--config", "app-server/vite.config.ts", "--logLevel", "warn"];
	await promisify(execFile)(process.execPath, parameters, { cwd: root });
}

/** What `npm start` runs, in this process and on free ports: app server, two proxies, front. */
export class Demo {
	readonly #appServer: AppServer;
	readonly #proxies = new Map<ProxyName, ProxyServer>();
	#front: Front | undefined;

	private constructor(appServer: AppServer) {
		this.#appServer = appServer;
	}

	static async start(): Promise<Demo> {
		const settings = readAppServerSettings({ ...SHARED, PORT: "0", SERVER_ID: "app" });
		const demo = new Demo(await startAppServer(settings));
		const targets: FrontTarget[] = [];
		for (const name of PROXIES) targets.push({ name, port: await demo.#startProxy(name, 0) });
		demo.#front = new Front({ proxies: targets, pages: { name: "app", port: demo.#appServer.port } });
		await demo.#front.listen(0);
		return demo;
	}

	/** The address that browsers open. */
	get url(): string {
		return `http://127.0.0.1:${this.#front?.port}`;
	}

	/** Stops a proxy and starts a new one in its place. */
	async restart(name: ProxyName): Promise<void> {
		const proxy = this.#proxies.get(name);
		await proxy?.stop();
		await this.#startProxy(name, proxy?.listening.port ?? 0);
	}

	async close(): Promise<void> {
		await this.#front?.close();
		for (const proxy of this.#proxies.values()) await proxy.stop();
		await this.#appServer.close();
	}

	async #startProxy(name: ProxyName, port: number): Promise<number> {
		const environment = { ...SHARED, PORT: `${port}`, SERVER_ID: name, APPSERVER_URL: this.#appServer.url };
		const proxy = await startProxyServer(readProxySettings(environment), silentLog);
		this.#proxies.set(name, proxy);
		return proxy.listening.port;
	}
}
