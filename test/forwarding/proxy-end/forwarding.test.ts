import assert from "node:assert/strict";
import { forViewModels, forVmIds } from "../../../lib/forwarding/index.js";
import { ManualClock } from "../../../lib/index.js";
import { until } from "../../hub/live.js";
import { range, Scene, type Station, WIRES } from "../support/scene.js";

const vmIds = (station: Station): unknown[] => station.calls.map(({ vmId }) => vmId);

for (const wire of WIRES)
	describe(`forwarding/proxy-end/use-forwarding over the ${wire} wire`, () => {
		let scene: Scene;
		beforeEach(() => {
			scene = new Scene(wire);
		});
		afterEach(() => scene.close());

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
				assert.deepEqual(
					seen,
					range(1_000).map((at) => scene.data(at)),
				);
			}
			assert.deepEqual(proxy.undeliverable, []);
		}).timeout(15_000);

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
			assert.deepEqual(app.calls[0]?.data, scene.data({ a: 1 }));
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
			gone.off();
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
			gone.off();
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
			const data = scene.data({ $vmArg: { x: 'a "quoted" text' } });
			assert.deepEqual(app.calls, [{ client: client.id, method: "Request_VM", vmId: "V", data }]);
			assert.equal(await client.invoke("echo", "deep"), "deep");
			await client.stop();
			await scene.until(() => app.disconnected.length === 1);
			assert.deepEqual(app.disconnected, [{ id: client.id, kind: "closed" }]);
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
					assert.deepEqual(app.calls.at(-1)?.data, scene.data({ $vmArg: { é: [1, null, '\u0001"'] } }));
					const value = { text: "é", list: [1, -1, 1.5, null, true], nested: { empty: {} } };
					assert.deepEqual(await client.invoke("echo", value), value);
				}
			}
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
			const app = await scene.app();
			const relay = await scene.relay(app.port);
			relay.off();
			const proxy = await scene.proxy(relay.url, { connectionPoolSize: 1 });
			await scene.until(() => relay.taken > 0);
			assert.equal(proxy.hub.ready, false);
			relay.on();
			await scene.links(proxy, 1);
			assert.equal(proxy.hub.ready, true);
			relay.off();
			relay.cut();
			await scene.until(() =>
				proxy.logs.some(({ message }) => message.startsWith("A link to an app server was lost")),
			);
			assert.equal(proxy.hub.ready, true);
		});

		it("closes while it is still trying to connect", async () => {
			const relay = await scene.relay(1);
			relay.hold();
			const proxy = await scene.proxy(relay.url, { connectionPoolSize: 2 });
			while (relay.taken < 2) await new Promise((resolve) => setImmediate(resolve));
			await proxy.close();
			assert.equal(proxy.hub.ready, false);
		});

		it("hands on what was sent, ends its links and leaves no timer when the hub closes", async () => {
			const app = await scene.app();
			// The proof of a link holds for a minute.
			const clock = new ManualClock(Date.now());
			const proxy = await scene.proxy(app.url, { connectionPoolSize: 2 }, { clock });
			clock.advance(1);
			await scene.links(proxy, 2);
			const client = await scene.client(proxy.url);
			await Promise.all(range(100).map((at) => client.connection.send("Update_VM", "V", at)));
			await client.stop();
			await scene.until(() => proxy.disconnected.length === 1);
			await proxy.close();
			await scene.until(() => app.disconnected.length === 1);
			assert.deepEqual(
				app.calls.map(({ data }) => data),
				range(100).map((at) => scene.data(at)),
			);
			// The client's socket says a few turns later that it is closed; nothing else may be left.
			await until(() => clock.pending === 0);
			assert.deepEqual(proxy.undeliverable, []);
			assert.equal(app.hub.counters.get("links"), 2);
		});
	});
