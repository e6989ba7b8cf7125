import assert from "node:assert/strict";
import { assertCounted, codesOf, failure, range, Scene } from "../support/scene.js";

describe("forwarding/proxy-end/queueing", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("dotNetify");
	});
	afterEach(() => scene.close());

	it("reports unconfirmed updates and methods of a lost link, and sends requests and disposes again", async () => {
		const app = await scene.fakeApp();
		app.holds = true;
		const relay = await scene.relay(app.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 1 });
		await scene.links(proxy, 1);
		const client = await scene.client(proxy.url);
		await client.invoke("Request_VM", "R", null);
		await client.invoke("Update_VM", "U", 1);
		await client.invoke("Dispose_VM", "D");
		const method = assert.rejects(
			client.invoke("method"),
			/could not be delivered \(ERR_FORWARD_LINK_LOST\)/,
		);
		await scene.until(() => app.invokes.length === 4);
		app.holds = false;
		relay.cut();
		await method;
		await scene.until(() => app.invokes.length === 6 && client.responses.length === 1);
		assert.deepEqual(app.methods.slice(4), ["Request_VM", "Dispose_VM"]);
		assert.deepEqual(client.responses, [failure("U", "ERR_FORWARD_LINK_LOST")]);
		assert.deepEqual(codesOf(proxy), ["ERR_FORWARD_LINK_LOST", "ERR_FORWARD_LINK_LOST"]);
		assert.deepEqual(
			proxy.undeliverable.map(({ client: id, target }) => [id, target]),
			[
				[client.id, "Update_VM"],
				[client.id, "method"],
			],
		);
		assertCounted(proxy);
	});

	it("holds a client that has 100 unconfirmed messages, and reads on when they are confirmed", async () => {
		const app = await scene.fakeApp();
		app.holds = true;
		const proxy = await scene.proxy(app.url);
		const client = await scene.client(proxy.url);
		const other = await scene.client(proxy.url);
		for (const at of range(500)) void client.connection.send("Update_VM", "V", at);
		await scene.until(() => app.invokes.length === 100);
		// Another client gets through meanwhile, and what it sends comes after all that was read before.
		await other.invoke("Update_VM", "O", 1);
		await scene.until(() => app.invokes.length > 100);
		assert.deepEqual(app.invokes.filter(({ args }) => args[0] === "V").length, 100);
		app.release();
		await scene.until(() => app.invokes.length === 501);
		const seen = app.invokes.filter(({ args }) => args[0] === "V").map(({ args }) => args[1]);
		assert.deepEqual(seen, range(500).map(String));
		assert.deepEqual(proxy.undeliverable, []);
	});

	it("counts names of methods and ids in what waits", async () => {
		const app = await scene.fakeApp();
		const relay = await scene.relay(app.port);
		relay.off();
		const proxy = await scene.proxy(relay.url, { maxQueuedBytes: 60_000 });
		await scene.until(() => proxy.hub.links()[0]?.wire === "dotnetify");
		const client = await scene.client(proxy.url);
		const calls = range(4).map(() => client.invoke("m".repeat(25_000), 1));
		for (const refused of calls.slice(2)) await assert.rejects(refused, /ERR_FORWARD_QUEUE_FULL/);
		assert.equal(proxy.hub.links()[0]?.queued, 2);
		for (const waiting of calls.slice(0, 2)) waiting.catch(() => {});
	});

	it("lets messages wait, and bounds them, while the app server is too slow to confirm", async () => {
		const app = await scene.fakeApp();
		app.holds = true;
		const proxy = await scene.proxy(app.url, {
			maxUnconfirmedBytes: 4_000,
			maxQueued: 5,
			connectionPoolSize: 1,
		});
		await scene.links(proxy, 1);
		const clients = await Promise.all(range(4).map(() => scene.client(proxy.url)));
		for (const client of clients)
			for (const _ of range(5)) await client.invoke("Update_VM", "V", { x: "x".repeat(1_000) });
		await scene.until(() => proxy.undeliverable.length === 20 - 5 - 3);
		assert.equal(app.invokes.length, 3, "the context counts, which is written with every message");
		app.release();
		await scene.until(() => app.invokes.length === 8);
		assertCounted(proxy);
	});

	it("makes every view current again when an app server has restarted, before it delivers what waited", async () => {
		const first = await scene.app();
		const relay = await scene.relay(first.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 2 });
		const clients = await Promise.all(range(3).map(() => scene.client(proxy.url)));
		for (const client of clients) {
			await client.invoke("Request_VM", "Page", { a: client.id });
			await client.invoke("Request_VM", "Page.List", null);
			await client.invoke("Request_VM", "Gone", null);
			await client.invoke("Dispose_VM", "Gone");
			// Its answer comes behind the confirmations of all that.
			await client.invoke("echo", 1);
		}
		const second = await scene.app();
		relay.off();
		relay.cut();
		await scene.until(() => proxy.logs.some(({ message }) => message.startsWith("All links")));
		for (const client of clients) await client.invoke("Update_VM", "Page", { b: 1 });
		relay.targets = [second.port];
		relay.on();
		await scene.until(() => second.calls.length === 9);
		for (const { id } of clients) {
			const calls = second.calls.filter(({ client }) => client === id);
			assert.deepEqual(
				calls.map(({ method, vmId, data }) => [method, vmId, data]),
				[
					["Request_VM", "Page", JSON.stringify({ a: id })],
					["Request_VM", "Page.List", null],
					["Update_VM", "Page", '{"b":1}'],
				],
			);
		}
		assert.deepEqual(proxy.undeliverable, []);
	});

	it("asks for views again when one of several links is lost: what was pushed on it may be", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 2 });
		await scene.links(proxy, 2);
		const client = await scene.client(proxy.url);
		await client.invoke("Request_VM", "Page", null);
		await client.invoke("echo", 1);
		relay.cutOne(0);
		await scene.until(() => app.calls.length === 2);
		assert.deepEqual(
			app.calls.map(({ method, vmId }) => [method, vmId]),
			[
				["Request_VM", "Page"],
				["Request_VM", "Page"],
			],
		);
	});

	it("ends a held client's wait when it goes away, and forwards its end", async () => {
		const app = await scene.fakeApp();
		app.holds = true;
		const proxy = await scene.proxy(app.url, { maxUnconfirmedPerClient: 2 });
		const client = await scene.client(proxy.url);
		for (const at of range(3)) void client.connection.send("Update_VM", "V", at);
		await scene.until(() => app.invokes.length === 2);
		app.release();
		await client.stop();
		await scene.until(() => app.methods.includes("OnDisconnectedAsync"));
		assert.deepEqual(app.methods, ["Update_VM", "Update_VM", "Update_VM", "OnDisconnectedAsync"]);
	});
});
