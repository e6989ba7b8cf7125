import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import Koa from "koa";
import { createProbes, type Probes } from "../../app-server/probes.js";

describe("app-server/probes", () => {
	let probes: Probes;
	let server: Server;

	beforeEach(async () => {
		probes = createProbes();
		server = createServer(new Koa().use(probes.middleware).callback());
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	});

	afterEach(async () => {
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	});

	async function statusOf(path: string): Promise<number> {
		const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
		await response.text();
		return response.status;
	}

	it("is alive and ready", async () => {
		assert.deepEqual([await statusOf("/health"), await statusOf("/ready")], [200, 200]);
	});

	it("is alive and not found while draining", async () => {
		probes.drain();
		assert.deepEqual([await statusOf("/health"), await statusOf("/ready")], [200, 404]);
	});

	it("leaves other paths to others", async () => {
		assert.equal(await statusOf("/healthy"), 404);
	});
});
