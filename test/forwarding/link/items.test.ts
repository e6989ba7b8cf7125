import assert from "node:assert/strict";
import { type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { acceptLinks, replicas, useForwarding } from "../../../lib/forwarding/index.js";
import { createHub, createServer, type Hub, type HubOptions, type Server } from "../../../lib/index.js";
import { SECRET } from "../support/scene.js";
import { Watch } from "../support/watch.js";

const LINK = { secret: SECRET, reconnect: { delaysMs: [0, 10], jitter: 0 }, connectionPoolSize: 2 };

/** What a connected listener saw of its client. */
interface Seen {
	readonly tenant: unknown;
	readonly rank: unknown;
	readonly recovered: boolean;
}

describe("forwarding/link/items", () => {
	const watch = new Watch();
	const servers: Server[] = [];
	const clients: HubConnection[] = [];

	afterEach(async () => {
		for (const client of clients.splice(0)) await client.stop();
		for (const server of servers.splice(0)) await server.close();
	});

	async function listen(hub: Hub): Promise<{ readonly url: string; readonly server: Server }> {
		const server = createServer().map("/chat", hub);
		servers.unshift(server);
		const { port } = await server.listen(0, "127.0.0.1");
		return { url: `http://127.0.0.1:${port}`, server };
	}

	/** An app server whose methods tell and push items. */
	async function app(options: Omit<HubOptions, "methods"> = {}) {
		const seen: Seen[] = [];
		const hub = createHub()({
			...options,
			methods: {
				read: (ctx, name: string) => ctx.items.get(name) ?? "nothing",
				push: (ctx, name: string, value: unknown) => ctx.connection.pushItem(name, value ?? undefined),
			},
		});
		hub.on("connected", ({ items, connection: { recovered } }) => {
			seen.push({ tenant: items.get("tenant"), rank: items.get("rank"), recovered });
			watch.changed();
		});
		hub.use(acceptLinks({ secrets: [SECRET] }));
		return { ...(await listen(hub)), hub, seen };
	}

	async function proxy(...hubs: Parameters<Hub["use"]>[0][]) {
		const hub = createHub()({});
		hub.use(acceptLinks({ secrets: [SECRET] }));
		for (const each of hubs) hub.use(each as Parameters<Hub["use"]>[0] & object);
		return { ...(await listen(hub)), hub };
	}

	async function client(url: string): Promise<HubConnection> {
		const connection = new HubConnectionBuilder()
			.withUrl(`${url}/chat`)
			.configureLogging(LogLevel.None)
			.build();
		clients.push(connection);
		await connection.start();
		return connection;
	}

	const itemAt = (hub: Hub, name: string): unknown => [...hub.lifetime][0]?.items.get(name);

	it("cross both ways, and take out what is undefined", async () => {
		const { url, hub: appHub } = await app();
		const front = await proxy(useForwarding(url, LINK));
		const page = await client(front.url);
		assert.equal(await page.invoke("read", "tenant"), "nothing");
		[...front.hub.lifetime][0]?.pushItem("tenant", { name: "acme", since: new Date(0) });
		assert.deepEqual(await page.invoke("read", "tenant"), {
			name: "acme",
			since: "1970-01-01T00:00:00.000Z",
		});
		await page.invoke("push", "rank", 3);
		assert.equal(itemAt(front.hub, "rank"), 3);
		await page.invoke("push", "tenant", null);
		assert.deepEqual([itemAt(front.hub, "tenant"), itemAt(appHub, "tenant")], [undefined, undefined]);
		[...front.hub.lifetime][0]?.pushItem("rank", undefined);
		assert.equal(await page.invoke("read", "rank"), "nothing");
	});

	it("are there when the client is, where its proxy has pushed them first", async () => {
		const { url, seen } = await app();
		const front = await proxy();
		front.hub.on("connected", ({ connection }) => connection.pushItem("tenant", "acme"));
		front.hub.use(useForwarding(url, LINK));
		await client(front.url);
		await watch.until(() => seen.length > 0);
		assert.deepEqual(seen, [{ tenant: "acme", rank: undefined, recovered: false }]);
	});

	it("come to a client that the app server still asks who it is", async () => {
		let open = (): void => {};
		const gate = new Promise<void>((resolve) => {
			open = resolve;
		});
		const { url, hub } = await app({ authenticate: () => gate.then(() => ({ id: "ada" })) });
		const front = await proxy(useForwarding(url, LINK));
		const page = await client(front.url);
		[...front.hub.lifetime][0]?.pushItem("tenant", "acme");
		const read = page.invoke("read", "tenant");
		open();
		assert.equal(await read, "acme");
		assert.equal([...hub.lifetime][0]?.user?.id, "ada");
	});

	it("cross a chain of proxies, and reach the other app servers of a client", async () => {
		const [one, two] = [await app(), await app()];
		const filter = ({ args: [name] }: { readonly args: readonly unknown[] }): boolean => name !== "other";
		const inner = await proxy(useForwarding(one.url, { ...LINK, filter }), useForwarding(two.url, LINK));
		const outer = await proxy(useForwarding(inner.url, LINK));
		const page = await client(outer.url);
		assert.equal(await page.invoke("read", "other"), "nothing");
		await page.invoke("push", "rank", [1, 2]);
		for (const { hub } of [one, inner, outer]) assert.deepEqual(itemAt(hub, "rank"), [1, 2]);
		[...outer.hub.lifetime][0]?.pushItem("other", "far");
		assert.equal(await page.invoke("read", "other"), "far");
		assert.deepEqual(
			[itemAt(two.hub, "rank"), itemAt(inner.hub, "other"), itemAt(one.hub, "other")],
			[[1, 2], "far", "far"],
		);
	});

	it("route the calls of a client by what an app server has found out", async () => {
		const [door, room] = [await app(), await app()];
		const front = await proxy(
			useForwarding(room.url, { ...LINK, filter: ({ connection }) => connection.items.get("room") === 7 }),
			useForwarding(door.url, LINK),
		);
		room.hub.on("connected", ({ connection }) => connection.items.set("here", "the room"));
		const page = await client(front.url);
		assert.equal(await page.invoke("read", "here"), "nothing");
		await page.invoke("push", "room", 7);
		assert.equal(await page.invoke("read", "here"), "the room");
	});

	it("are handed to the app server that takes the place of another", async () => {
		const recovery = { recovery: "reopen" } as const;
		const [one, two] = [await app(recovery), await app(recovery)];
		const front = await proxy(useForwarding(replicas([one.url, two.url]), LINK));
		const page = await client(front.url);
		await page.invoke("push", "rank", 3);
		[...front.hub.lifetime][0]?.pushItem("tenant", "acme");
		const [from, to] = one.seen.length > 0 ? [one, two] : [two, one];
		await from.server.close();
		await watch.until(() => to.seen.length > 0);
		assert.deepEqual(to.seen, [{ tenant: "acme", rank: 3, recovered: true }]);
		assert.equal(await page.invoke("read", "tenant"), "acme");
	});

	it("stay at the server of a client without a proxy", async () => {
		const { url, hub } = await app();
		const page = await client(url);
		await page.invoke("push", "rank", 1);
		assert.deepEqual([await page.invoke("read", "rank"), itemAt(hub, "rank")], [1, 1]);
	});
});
