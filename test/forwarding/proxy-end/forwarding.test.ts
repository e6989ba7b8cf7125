import assert from "node:assert/strict";
import { Subject } from "@microsoft/signalr";
import { forViewModels, forVmIds } from "../../../lib/forwarding/index.js";
import { ManualClock } from "../../../lib/index.js";
import { Scene, type Station } from "../support/scene.js";

const vmIds = (station: Station): unknown[] => station.calls.map(({ vmId }) => vmId);
const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

describe("forwarding/proxy-end/use-forwarding", () => {
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

	it("keeps 1,000 messages of one client in order through the pool, and those of others at the same time", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url);
		await scene.links(proxy, 5);
		const clients = await Promise.all(range(3).map(() => scene.client(proxy.url)));
		for (const at of range(1_000))
			for (const client of clients) void client.connection.send("Update_VM", "V", at);
		await scene.until(() => app.calls.length === 3_000);
		for (const { id } of clients) {
			const seen = app.calls.filter((call) => call.client === id).map(({ data }) => data);
			assert.deepEqual(seen, range(1_000).map(String));
		}
		assert.deepEqual(proxy.undeliverable, []);
	}).timeout(15_000);

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

	it("chains filters by exact id and by root; the first that takes halts; the rest is processed in the proxy", async () => {
		const [exact, rooted, never] = await Promise.all([scene.app(), scene.app(), scene.app()]);
		const proxy = await scene.station({
			setUp: (hub) => {
				hub.use(scene.forwarding(exact.url, { filter: forVmIds("broadcast") }));
				hub.use(scene.forwarding(rooted.url, { filter: forViewModels("chatroom", "broadcast") }));
				hub.use(scene.forwarding(never.url, { filter: () => false }));
			},
		});
		const client = await scene.client(proxy.url);
		for (const vmId of [
			"broadcast",
			"broadcast.Sub",
			"chatroom",
			"chatroom.List",
			"chatroom$7",
			"chatrooms",
			"other",
		]) {
			await client.invoke("Request_VM", vmId, null);
		}
		await scene.until(() => rooted.calls.length === 4 && exact.calls.length === 1);
		assert.deepEqual(vmIds(exact), ["broadcast"]);
		assert.deepEqual(vmIds(rooted), ["broadcast.Sub", "chatroom", "chatroom.List", "chatroom$7"]);
		assert.deepEqual(vmIds(proxy), ["chatrooms", "other"]);
		assert.deepEqual(vmIds(never), []);
	});

	it("forwards a copy and goes on where haltPipeline is false", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url, { haltPipeline: false });
		const client = await scene.client(proxy.url);
		await client.invoke("Update_VM", "V", { a: 1 });
		assert.deepEqual(
			proxy.calls.map(({ data }) => data),
			[{ a: 1 }],
		);
		await scene.until(() => app.calls.length === 1);
		assert.deepEqual(app.calls[0]?.data, '{"a":1}');
		assert.equal(await client.invoke("echo", 3), 3, "answered once, by the proxy");
	});

	it("copies to every url and answers once, from the last", async () => {
		const apps = await Promise.all(
			[1, 2, 3].map((which) =>
				scene.app({
					setUp: (hub) =>
						void hub.use((ctx, next) => {
							if (ctx.target !== "which") return next();
							ctx.result = which;
							return undefined;
						}),
				}),
			),
		);
		const proxy = await scene.proxy(apps.map(({ url }) => url));
		const client = await scene.client(proxy.url);
		assert.equal(await client.invoke("which"), 3);
		await client.invoke("Update_VM", "V", 1);
		await scene.until(() => apps.every(({ calls }) => calls.length === 1));
		assert.equal(client.responses.length, 0);
	});

	it("tells nobody but the operator of a copy that cannot be delivered", async () => {
		const app = await scene.app();
		const gone = await scene.relay(1);
		gone.refuses = true;
		const proxy = await scene.proxy([gone.url, app.url], { maxQueuedPerClient: 1 });
		const client = await scene.client(proxy.url);
		await client.invoke("Update_VM", "V", 1);
		await client.invoke("Update_VM", "V", 2);
		await scene.until(() => app.calls.length === 2);
		assert.deepEqual(
			proxy.undeliverable.map(({ code }) => code),
			["ERR_FORWARD_QUEUE_FULL"],
		);
		assert.equal(await client.invoke("echo", 1), 1);
		assert.equal(client.responses.length, 0);
	});

	it("does not let an upstream that is away block another", async () => {
		const app = await scene.app();
		const gone = await scene.relay(1);
		gone.refuses = true;
		const proxy = await scene.station({
			setUp: (hub) => {
				hub.use(scene.forwarding(gone.url, { filter: forViewModels("away") }));
				hub.use(scene.forwarding(app.url));
			},
		});
		const client = await scene.client(proxy.url);
		for (const at of range(200)) void client.connection.send("Update_VM", "away", at);
		assert.equal(await client.invoke("echo", "here"), "here");
	});

	it("gives a url without a path the path that the hub is mounted on", async () => {
		const app = await scene.app({ path: "/my/hub" });
		const proxy = await scene.proxy(app.url, {}, { path: "/my/hub" });
		const client = await scene.client(proxy.url, { path: "/my/hub" });
		assert.equal(await client.invoke("echo", 1), 1);
		const named = await scene.proxy(`${app.url}/my/hub`);
		assert.equal(await (await scene.client(named.url)).invoke("echo", 2), 2);
	});

	it("chains proxies two deep, answers and responses included", async () => {
		const app = await scene.app({
			onCall: ({ client, vmId }, hub) =>
				hub.clients.client(client).send("Response_VM", [vmId, '{"ok":true}']),
		});
		const inner = await scene.app({ setUp: (hub) => void hub.use(scene.forwarding(app.url)) });
		const outer = await scene.proxy(inner.url);
		const client = await scene.client(outer.url);
		await client.invoke("Request_VM", "V", { $vmArg: { x: 'a "quoted" text' } });
		await scene.until(() => client.responses.length === 1);
		assert.deepEqual(client.responses, [["V", { ok: true }]]);
		assert.deepEqual(app.calls, [
			{ client: client.id, method: "Request_VM", vmId: "V", data: '{"$vmArg":{"x":"a \\"quoted\\" text"}}' },
		]);
		assert.equal(await client.invoke("echo", "deep"), "deep");
		await client.stop();
		await scene.until(() => app.disconnected.length === 1);
		assert.deepEqual(app.disconnected, [{ id: client.id, kind: "closed" }]);
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

	it("sends nothing of a client whose end was forwarded already, and says so", async () => {
		const app = await scene.app();
		let release = (): void => {};
		const proxy = await scene.station({
			setUp: (hub) => {
				hub.use(async (ctx, next) => {
					if (ctx.vmId === "slow")
						await new Promise<void>((resolve) => {
							release = resolve;
						});
					await next();
				});
				hub.use(scene.forwarding(app.url));
			},
		});
		const client = await scene.client(proxy.url);
		await client.invoke("Update_VM", "V", 1);
		void client.connection.send("Update_VM", "slow", 2);
		await client.stop();
		await scene.until(() => app.disconnected.length === 1);
		release();
		await scene.until(() => proxy.undeliverable.length === 1);
		assert.deepEqual(
			proxy.undeliverable.map(({ code, vmId }) => [code, vmId]),
			[["ERR_CONNECTION_CLOSED", "slow"]],
		);
		assert.deepEqual(app.connected, [client.id], "no ghost is left at the app server");
	});

	it("serves json and messagepack clients over json and messagepack links", async () => {
		const app = await scene.app({
			onCall: ({ client, vmId }, hub) =>
				hub.clients.client(client).send("Response_VM", [vmId, '{"é":[1,null]}']),
		});
		for (const useMessagePack of [false, true]) {
			const proxy = await scene.proxy(app.url, { useMessagePack });
			for (const messagepack of [false, true]) {
				const client = await scene.client(proxy.url, { messagepack });
				await client.invoke("Request_VM", "V", { $vmArg: { é: [1, null, '\u0001"'] } });
				await scene.until(() => client.responses.length === 1);
				assert.deepEqual(client.responses, [["V", { é: [1, null] }]]);
				assert.equal(app.calls.at(-1)?.data, JSON.stringify({ $vmArg: { é: [1, null, '\u0001"'] } }));
				const value = { text: "é", list: [1, -1, 1.5, null, true], nested: { empty: {} } };
				assert.deepEqual(await client.invoke("echo", value), value);
			}
		}
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

	it("passes an app server's own error on to the caller of a method, and forwards no Invoke of a client", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url);
		const client = await scene.client(proxy.url);
		const unknown = (name: string): RegExp =>
			new RegExp(
				`Failed to invoke '${name}' due to an error on the server. HubException: Method does not exist.$`,
			);
		await assert.rejects(client.invoke("nope"), unknown("nope"));
		await assert.rejects(client.invoke("Invoke", "Request_VM", ["V", null], null), unknown("Invoke"));
		await assert.rejects(client.invoke("OnDisconnectedAsync", null), unknown("OnDisconnectedAsync"));
		assert.deepEqual(proxy.undeliverable, []);
		assert.deepEqual(app.disconnected, []);
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

	it("sends the clients of two proxies in one process their own responses", async () => {
		const app = await scene.app({
			onCall: ({ client, vmId }, hub) =>
				hub.clients.client(client).send("Response_VM", [vmId, JSON.stringify({ for: client })]),
		});
		const proxies = await Promise.all([scene.proxy(app.url), scene.proxy(app.url)]);
		const clients = await Promise.all(proxies.map(({ url }) => scene.client(url)));
		for (const client of clients) await client.invoke("Request_VM", "V", null);
		await scene.until(() => clients.every(({ responses }) => responses.length === 1));
		for (const { id, responses } of clients) assert.deepEqual(responses, [["V", { for: id }]]);
	});

	it("is ready once every app server was reached, and stays so", async () => {
		const app = await scene.fakeApp();
		const relay = await scene.relay(app.port);
		relay.refuses = true;
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 1 });
		await scene.until(() => relay.connections > 0);
		assert.equal(proxy.hub.ready, false);
		relay.refuses = false;
		await scene.links(proxy, 1);
		assert.equal(proxy.hub.ready, true);
		relay.refuses = true;
		relay.cut();
		await scene.until(() =>
			proxy.logs.some(({ message }) => message.startsWith("A link to an app server was lost")),
		);
		assert.equal(proxy.hub.ready, true);
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
		while (clock.pending > 0) await new Promise((resolve) => setImmediate(resolve));
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

	it("closes while it is still trying to connect", async () => {
		const relay = await scene.relay(1);
		relay.stalls = true;
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 2 });
		await scene.until(() => true);
		await proxy.close();
	});
});
