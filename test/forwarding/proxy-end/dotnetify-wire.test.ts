import assert from "node:assert/strict";
import { Subject } from "@microsoft/signalr";
import { forViewModels } from "../../../lib/forwarding/index.js";
import { ManualClock } from "../../../lib/index.js";
import { until } from "../../hub/live.js";
import { range, Scene } from "../support/scene.js";

describe("forwarding/proxy-end/dotnetify-wire", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("dotNetify");
	});
	afterEach(() => scene.close());

	it("takes five links in turn: 100 messages one after another are 20 on each", async () => {
		const app = await scene.fakeApp();
		const proxy = await scene.proxy(app.url);
		await scene.links(proxy, 5);
		const client = await scene.client(proxy.url);
		for (const at of range(100)) {
			// A method's answer tells that the message before is confirmed.
			assert.equal(await client.invoke("method", at), null);
		}
		assert.deepEqual(app.perLink(), [20, 20, 20, 20, 20]);
	});

	it("takes the next link for every message of a burst where ordered is false", async () => {
		const app = await scene.fakeApp();
		app.holds = true;
		const proxy = await scene.proxy(app.url, { ordered: false });
		await scene.links(proxy, 5);
		const client = await scene.client(proxy.url);
		for (const at of range(50)) void client.connection.send("Update_VM", "V", at);
		await scene.until(() => app.invokes.length === 50);
		assert.deepEqual(app.perLink(), [10, 10, 10, 10, 10]);
		app.release();
	});

	it("keeps a burst on one link where order is kept", async () => {
		const app = await scene.fakeApp();
		app.holds = true;
		const proxy = await scene.proxy(app.url);
		await scene.links(proxy, 5);
		const client = await scene.client(proxy.url);
		for (const at of range(50)) void client.connection.send("Update_VM", "V", at);
		await scene.until(() => app.invokes.length === 50);
		assert.deepEqual(
			app.perLink().sort((a, b) => a - b),
			[0, 0, 0, 0, 50],
		);
		app.release();
	});

	it("forwards a disconnect exactly once, after all that was sent before, and only where the client is known", async () => {
		const [app, other] = await Promise.all([scene.fakeApp(), scene.fakeApp()]);
		const proxy = await scene.station({
			setUp: (hub) => {
				hub.use(scene.forwarding(other.url, { filter: forViewModels("other") }));
				hub.use(scene.forwarding(app.url));
			},
		});
		const client = await scene.client(proxy.url);
		for (const at of range(20)) void client.connection.send("Update_VM", "V", at);
		await client.stop();
		await scene.until(() => app.methods.includes("OnDisconnectedAsync"));
		assert.deepEqual(app.methods, [...Array<string>(20).fill("Update_VM"), "OnDisconnectedAsync"]);
		assert.deepEqual(app.invokes.at(-1)?.args, [null]);
		// Another client's message through the same upstreams shows that nothing else was on its way.
		const next = await scene.client(proxy.url);
		await next.invoke("Update_VM", "other", 1);
		await next.invoke("Update_VM", "V", 1);
		await scene.until(() => app.invokes.length === 22 && other.invokes.length === 1);
		assert.deepEqual(other.methods, ["Update_VM"]);
	});

	it("writes bytes of a messagepack client on a json link as base64", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url);
		const client = await scene.client(proxy.url, { messagepack: true });
		assert.equal(await client.invoke("echo", new Uint8Array([1, 2, 255])), "AQL/");
	});

	it("completes a view-model call with null before its response comes", async () => {
		const app = await scene.app({
			onCall: ({ client, vmId }, hub) => hub.clients.client(client).send("Response_VM", [vmId, "{}"]),
		});
		const proxy = await scene.proxy(app.url);
		await scene.links(proxy, 1);
		const client = await scene.client(proxy.url);
		assert.equal(await client.invoke("Request_VM", "V", null), null);
		assert.deepEqual(client.responses, []);
		await scene.until(() => client.responses.length === 1);
	});

	it("refuses streams in both directions at once, since dotNetify's wire has none, and reports them", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url);
		await scene.links(proxy, 1);
		const client = await scene.client(proxy.url);
		const failures: string[] = [];
		await new Promise<void>((resolve) => {
			client.connection.stream("count", 3).subscribe({
				next: () => failures.push("an item"),
				complete: () => failures.push("complete"),
				error(error) {
					failures.push(error.message);
					resolve();
				},
			});
		});
		const upload = new Subject();
		await client.connection.invoke("sum", upload).catch((error: Error) => failures.push(error.message));
		upload.complete();
		const text = (target: string) =>
			`Failed to invoke '${target}': dotNetify's wire carries no streams. (ERR_FORWARD_UNSUPPORTED)`;
		assert.deepEqual(failures, [text("count"), text("sum")]);
		assert.deepEqual(
			proxy.undeliverable.map(({ code, target }) => [code, target]),
			[
				["ERR_FORWARD_UNSUPPORTED", "count"],
				["ERR_FORWARD_UNSUPPORTED", "sum"],
			],
		);
		assert.equal(await client.invoke("echo", 1), 1);
	});

	it("fails at once where an app server asks a forwarded client for a result", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url);
		await scene.links(proxy, 1);
		const client = await scene.client(proxy.url);
		await client.invoke("echo", 1);
		await assert.rejects(app.hub.clients.client(client.id).invoke("confirm"), {
			code: "ERR_FORWARD_UNSUPPORTED",
		});
	});

	it("flushes what was sent, ends its links and leaves no timer when the hub closes", async () => {
		const app = await scene.fakeApp();
		const clock = new ManualClock(1_000_000);
		const proxy = await scene.proxy(app.url, { connectionPoolSize: 2 }, { clock });
		clock.advance(1);
		await scene.links(proxy, 2);
		const client = await scene.client(proxy.url);
		app.holds = true;
		await client.invoke("Update_VM", "V", 1);
		await client.stop();
		const closed = proxy.close();
		await scene.until(() => app.methods.includes("OnDisconnectedAsync"));
		assert.ok(
			app.sockets.every(({ readyState }) => readyState === 1),
			"links stay until all is confirmed",
		);
		app.release();
		await closed;
		// The client's socket says a few turns later that it is closed; nothing else may be left.
		await until(() => clock.pending === 0);
		assert.deepEqual(proxy.undeliverable, []);
	});

	it("reports what cannot be flushed when the hub closes", async () => {
		const app = await scene.fakeApp();
		app.holds = true;
		const proxy = await scene.proxy(app.url, { flushTimeoutMs: 20 });
		const client = await scene.client(proxy.url);
		await client.invoke("Update_VM", "V", 1);
		await scene.until(() => app.invokes.length === 1);
		await proxy.close();
		assert.deepEqual(
			proxy.undeliverable.map(({ code, target }) => [code, target]),
			[
				["ERR_FORWARD_CLOSED", "Update_VM"],
				["ERR_FORWARD_CLOSED", "OnDisconnectedAsync"],
			],
		);
	});
});
