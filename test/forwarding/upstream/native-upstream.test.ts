import assert from "node:assert/strict";
import { Subject } from "@microsoft/signalr";
import { deferred } from "../../../lib/base/index.js";
import { acceptLinks, replicas } from "../../../lib/forwarding/index.js";
import { createHub, createServer, type Hub, method } from "../../../lib/index.js";
import { FakeWire, identityOf, invocation } from "../../hub/fakes.js";
import {
	type Client,
	codesOf,
	range,
	Scene,
	SECRET,
	type Station,
	type StationOptions,
} from "../support/scene.js";

const dataOf = ({ calls }: Station): unknown[] => calls.map(({ data }) => data);
const reopening: StationOptions = { recovery: "reopen" };

describe("forwarding/upstream/native-upstream", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	const lost = ({ logs }: Station): number =>
		logs.filter(({ message }) => message.startsWith("A link to an app server was lost")).length;

	/** An app server behind a relay that can lead to another one, as after a restart. */
	async function restartable(options: StationOptions): Promise<{
		readonly first: Station;
		readonly proxy: Station;
		readonly away: () => Promise<void>;
		readonly restart: () => Promise<Station>;
	}> {
		const first = await scene.app(options);
		const relay = await scene.relay(first.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 2 });
		await scene.links(proxy, 2);
		return {
			...{ first, proxy },
			async away() {
				relay.off();
				relay.cut();
				await scene.until(() => lost(proxy) === 2);
			},
			async restart() {
				const second = await scene.app(options);
				relay.targets = [second.port];
				relay.on();
				relay.cut();
				return second;
			},
		};
	}

	it("opens a client when it connects, before it says anything, and says that it left", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url);
		const client = await scene.client(proxy.url);
		await scene.until(() => app.connected.length === 1);
		assert.deepEqual([app.connected, app.calls], [[client.id], []]);
		await client.stop();
		await scene.until(() => app.disconnected.length === 1);
		assert.deepEqual(app.disconnected, [{ id: client.id, kind: "closed" }]);
	});

	it("says nothing of a client that came and went while there was no app server", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		relay.off();
		const proxy = await scene.proxy(relay.url);
		const gone = await scene.client(proxy.url);
		await gone.stop();
		await scene.until(() => proxy.disconnected.length === 1);
		const client = await scene.client(proxy.url);
		relay.on();
		assert.equal(await client.invoke("echo", 1), 1);
		assert.deepEqual(app.connected, [client.id]);
	});

	it("delivers what a client said that is gone by the time an app server comes, and then its end", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		relay.off();
		const proxy = await scene.proxy(relay.url);
		const client = await scene.client(proxy.url);
		await Promise.all(range(3).map((at) => client.connection.send("Update_VM", "V", at)));
		await client.stop();
		await scene.until(() => proxy.disconnected.length === 1);
		relay.on();
		await scene.until(() => app.disconnected.length === 1);
		assert.deepEqual([dataOf(app), app.connected], [range(3), [client.id]]);
		assert.deepEqual(proxy.undeliverable, []);
	});

	it("opens clients again at an app server that was restarted, and hands on what it never had", async () => {
		const { first, proxy, away, restart } = await restartable(reopening);
		const clients = await Promise.all(range(3).map(() => scene.client(proxy.url)));
		for (const client of clients) assert.equal(await client.invoke("echo", 1), 1);
		await away();
		const answers = clients.map((client) => client.invoke("echo", "late"));
		for (const { connection } of clients)
			for (const at of range(5)) void connection.send("Update_VM", "V", at);
		await scene.forwarded(proxy, 3 + 3 + 15);
		const second = await restart();
		assert.deepEqual(await Promise.all(answers), ["late", "late", "late"]);
		await scene.until(() => second.calls.length === 15);
		for (const { id } of clients)
			assert.deepEqual(
				second.calls.filter(({ client }) => client === id).map(({ data }) => data),
				range(5),
			);
		assert.deepEqual([first.calls, proxy.undeliverable, proxy.disconnected], [[], [], []]);
		assert.deepEqual([...second.connected].sort(), clients.map(({ id }) => id).sort());
		for (const { recovered, migrated } of second.hub.lifetime)
			assert.deepEqual([recovered, migrated], [true, false]);
	});

	it("fails a call that an app server was lost with, and reports what nobody waits for", async () => {
		const gate = deferred();
		const { first, proxy, away, restart } = await restartable({
			...reopening,
			onCall: ({ method }) => (method === "Update_VM" ? gate.promise : undefined),
		});
		const client = await scene.client(proxy.url);
		const update = client.invoke("Update_VM", "V", 1);
		await scene.until(() => first.calls.length === 1);
		await away();
		await restart();
		assert.equal(await update, null);
		await scene.until(() => client.responses.length === 1);
		assert.deepEqual(codesOf(proxy), ["ERR_FORWARD_LINK_LOST"]);
		assert.equal(await client.invoke("echo", 2), 2);
		gate.resolve();
	});

	it("sends the clients of a hub away that does not open them again, to come back by themselves", async () => {
		const { first, proxy, away, restart } = await restartable({ recovery: "close" });
		const client = await scene.client(proxy.url);
		await client.invoke("echo", 1);
		await away();
		await restart();
		await scene.until(() => proxy.disconnected.length === 1);
		await scene.until(() => client.connection.state === "Disconnected");
		assert.deepEqual(first.connected, [client.id]);
		const again = await scene.client(proxy.url);
		assert.equal(await again.invoke("echo", 2), 2);
	});

	it("gives an app server up that is away for sessionTimeoutMs", async () => {
		const app = await scene.app(reopening);
		const relay = await scene.relay(app.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 1, sessionTimeoutMs: 30 });
		const client = await scene.client(proxy.url);
		await client.invoke("echo", 1);
		relay.off();
		relay.cut();
		await scene.until(() =>
			proxy.logs.some(({ message }) => message.startsWith("A session with an app server")),
		);
		const answer = client.invoke("echo", 2);
		relay.on();
		assert.equal(await answer, 2);
		assert.deepEqual(app.connected, [client.id, client.id]);
	});

	it("opens 1,000 clients some in each turn, and keeps the order of each", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		relay.off();
		const proxy = await scene.proxy(relay.url);
		const clients = range(1_000).map((at) => open(proxy.hub, `c${at}`));
		for (const client of clients) for (const at of range(3)) client.update(at);
		relay.on();
		await scene.until(() => app.calls.length === 3_000);
		assert.equal(app.connected.length, 1_000);
		for (const { id } of clients.slice(0, 20))
			assert.deepEqual(
				app.calls.filter(({ client }) => client === id).map(({ data }) => data),
				range(3),
			);
	});

	it("opens a client that stays behind many that have left while there was no app server", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		relay.off();
		const proxy = await scene.proxy(relay.url);
		const gone = range(250).map((at) => open(proxy.hub, `gone${at}`));
		await new Promise((resolve) => setImmediate(resolve));
		for (const { id } of gone) await proxy.hub.lifetime.get(id)?.ended({ kind: "closed" });
		open(proxy.hub, "last");
		relay.on();
		await scene.until(() => app.connected.length === 1);
		assert.deepEqual(app.connected, ["last"]);
	});

	describe("with replicas", () => {
		const proxyTo = (urls: readonly string[]): Promise<Station> =>
			scene.station({
				setUp: (hub) => void hub.use(scene.forwarding(replicas(urls, { pick: "round-robin" }))),
			});

		it("shares the clients, and each keeps its own", async () => {
			const apps = await Promise.all([scene.app(reopening), scene.app(reopening)]);
			const proxy = await proxyTo(apps.map(({ url }) => url));
			await scene.links(proxy, 2);
			const clients: Client[] = [];
			for (const _ of range(4)) clients.push(await scene.client(proxy.url));
			for (const round of range(3))
				for (const client of clients) assert.equal(await client.invoke("Update_VM", "V", round), null);
			assert.deepEqual(
				apps.map(({ connected, calls }) => [connected.length, calls.length]),
				[
					[2, 6],
					[2, 6],
				],
			);
		});

		it("names the one that was lost in what was lost with it", async () => {
			const gate = deferred();
			const app = await scene.app({ ...reopening, onCall: () => gate.promise });
			const [relay, other] = [await scene.relay(app.port), await scene.app(reopening)];
			const list = replicas([relay.url, other.url], {
				pick: (_key, all) => all.find(({ url }) => url.startsWith(relay.url)),
			});
			const proxy = await scene.station({
				setUp: (hub) => void hub.use(scene.forwarding(list, { sessionTimeoutMs: 30 })),
			});
			await scene.links(proxy, 10);
			const client = await scene.client(proxy.url);
			const asked = client.invoke("Update_VM", "V", 1).catch(() => {});
			await scene.until(() => app.calls.length === 1);
			relay.off();
			relay.cut();
			await scene.until(() => proxy.undeliverable.length === 1);
			const [lost] = proxy.undeliverable;
			assert.equal(lost?.code, "ERR_FORWARD_LINK_LOST");
			assert.ok(lost?.reason.startsWith(`The app server ${relay.url}/dotnetify was lost`), lost?.reason);
			gate.resolve();
			await asked;
		});

		it("moves the clients of one that stops to the others, and loses and doubles nothing", async () => {
			const apps = await Promise.all([scene.app(reopening), scene.app(reopening)]);
			const [stopping, staying] = apps as [Station, Station];
			const proxy = await proxyTo(apps.map(({ url }) => url));
			await scene.links(proxy, 2);
			const clients: Client[] = [];
			for (const _ of range(6)) clients.push(await scene.client(proxy.url));
			for (const client of clients) await client.invoke("Update_VM", "V", 0);
			const sending = clients.map(async (client) => {
				for (let at = 1; at < 60; at++) await client.invoke("Update_VM", "V", at);
			});
			await scene.until(() => stopping.calls.length > 30);
			await stopping.close();
			await Promise.all(sending);
			assert.deepEqual([proxy.undeliverable, proxy.disconnected], [[], []]);
			for (const { id } of clients) {
				const seen = [...stopping.calls, ...staying.calls].filter(({ client }) => client === id);
				assert.deepEqual(
					seen.map(({ data }) => data),
					range(60),
				);
			}
		});
	});

	it("leaves no hole in an upload whose call waits: the client is read no more instead", async () => {
		const got: unknown[] = [];
		const sum = method({ streams: 1 }, async (_ctx, items: AsyncIterable<unknown>) => {
			for await (const item of items) got.push(item);
			return got.length;
		});
		const hub = createHub()({ methods: { sum } }).use(acceptLinks({ secrets: [SECRET] }));
		const server = createServer().map("/dotnetify", hub);
		const { port } = await server.listen(0, "127.0.0.1");
		const relay = await scene.relay(port);
		relay.off();
		const proxy = await scene.proxy(relay.url, { maxQueuedPerClient: 4 });
		const client = await scene.client(proxy.url);
		const upload = new Subject<number>();
		const answer = client.invoke("sum", upload);
		for (const at of range(20)) upload.next(at);
		await scene.forwarded(proxy, 1);
		// A second client's call shows that its reading goes on, and that what the first has sent is here.
		const other = await scene.client(proxy.url);
		const last = other.invoke("sum", new Subject()).catch(() => {});
		await scene.forwarded(proxy, 2);
		relay.on();
		upload.complete();
		assert.equal(await answer, 20);
		assert.deepEqual([got, proxy.undeliverable], [range(20), []]);
		await other.stop();
		await last;
		await server.close();
	});

	it("takes an app server that proves another secret for none", async () => {
		const app = await scene.app({ accept: { secrets: [SECRET], trusted: ["127.0.0.1/32"] } });
		const proxy = await scene.proxy(app.url, { secret: "another secret of the tests, long", maxWaitMs: 50 });
		const client = await scene.client(proxy.url);
		await assert.rejects(client.invoke("echo", 1), /ERR_FORWARD_EXPIRED/);
		assert.deepEqual(app.connected, []);
	});
});

/** A client of a proxy without a socket. */
function open(hub: Hub, id: string): { readonly id: string; update(data: unknown): void } {
	const client = hub.open(identityOf(id), new FakeWire());
	return { id, update: (data) => void client.receive(invocation("Update_VM", ["V", data])) };
}
