import assert from "node:assert/strict";
import { type AppServer, type AppServerOptions, startAppServer } from "../../app-server/server.js";
import { readSettings } from "../../app-server/settings.js";
import { ViewModelClient } from "./view-model-client.js";

function optionsWith(changed: Partial<AppServerOptions> = {}): AppServerOptions {
	return { ...readSettings({}), port: 0, pagesDirectory: null, ...changed };
}

describe("app-server/server", () => {
	let server: AppServer;

	beforeEach(async () => {
		server = await startAppServer(optionsWith({ serverId: "app-1", hubPath: "/hub" }));
	});

	afterEach(() => server.close());

	for (const path of ["/health", "/ready"]) {
		it(`answers ${path} with 200`, async () => {
			const response = await fetch(server.url + path);
			assert.equal(response.status, 200);
			assert.equal(response.headers.get("cache-control"), "no-store");
			assert.equal(await response.text(), "OK");
		});
	}

	it("answers 404 where there is nothing", async () => {
		const response = await fetch(`${server.url}/nothing`);
		await response.text();
		assert.equal(response.status, 404);
	});

	it("tells where it listens and its id", () => {
		assert.equal(server.url, `http://127.0.0.1:${server.port}`);
		assert.equal(server.serverId, "app-1");
	});

	it("has the view models at the hub's path", async () => {
		const client = await ViewModelClient.connect(`${server.url}/hub`);
		const { Greetings } = await client.request("HelloWorld");
		assert.equal(Greetings, "Hello, Hello World!");
		await client.close();
	});

	it("lets pages of the allowed origins read its answers, and no others", async () => {
		const other = await startAppServer(optionsWith({ allowedOrigins: ["https://good.example"] }));
		const allowedOrigin = async (origin: string): Promise<string | null> => {
			const url = `${other.url}/dotnetify/negotiate?negotiateVersion=1`;
			const response = await fetch(url, { method: "POST", headers: { Origin: origin } });
			await response.text();
			return response.headers.get("access-control-allow-origin");
		};
		assert.equal(await allowedOrigin("https://good.example"), "https://good.example");
		assert.equal(await allowedOrigin("https://evil.example"), null);
		await other.close();
	});

	it("rejects when the port is in use", async () => {
		await assert.rejects(startAppServer(optionsWith({ port: server.port })), {
			name: "TrunklineError",
			code: "ERR_ADDRESS_IN_USE",
		});
	});

	it("tells its clients to connect again when it closes", async () => {
		const client = await ViewModelClient.connect(`${server.url}/hub`);
		const closed = client.closed();
		await server.close();
		await closed;
		server = await startAppServer(optionsWith());
	});
});
