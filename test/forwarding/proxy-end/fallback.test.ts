import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../../lib/base/index.js";
import type { LinkStatus } from "../../../lib/index.js";
import { until } from "../../hub/live.js";
import { codesOf, range, Scene, SECRET, type Station } from "../support/scene.js";

/** After which a server that knew no native link is asked again. */
const ASKED_AGAIN_MS = 600_000;

/** An app server that knows no native link, and a relay to it that is closed. */
async function awayApp(scene: Scene): Promise<{ app: Station; open(): void; url: string }> {
	const dotNetify: object = { nativeLinks: false };
	const app = await scene.app({ accept: { secrets: [SECRET], ...dotNetify } });
	const relay = await scene.relay(app.port);
	relay.off();
	return {
		app,
		url: relay.url,
		open: () => {
			relay.on();
		},
	};
}

describe("forwarding/proxy-end/app-server", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	it("speaks dotNetify's wire to a server that knows no native link, and says so once", async () => {
		const { app, url, open } = await awayApp(scene);
		open();
		const proxy = await scene.proxy(url);
		const client = await scene.client(proxy.url);
		assert.equal(await client.invoke("echo", 1), 1);
		assert.equal(await client.invoke("Update_VM", "V", { a: 1 }), null);
		await scene.until(() => app.calls.length === 1);
		assert.equal(app.calls[0]?.data, '{"a":1}');
		const told = proxy.logs.filter(({ message }) => message.includes("knows no native link"));
		assert.equal(told.length, 1);
		assert.equal(proxy.hub.ready, true);
	});

	it("asks such a server again after ten minutes, and speaks native links from then on where it knows them", async () => {
		const retries: (() => void)[] = [];
		const clock: Clock = {
			...systemClock,
			schedule: (delayMs, task) => {
				if (delayMs !== 600_000) return systemClock.schedule(delayMs, task);
				retries.push(task);
				return { cancel: () => {} };
			},
		};
		const old = await scene.app({ accept: { secrets: [SECRET], ...({ nativeLinks: false } as object) } });
		const relay = await scene.relay(old.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 2 }, { clock });
		const client = await scene.client(proxy.url);
		const wires = (): string[] => proxy.hub.links().map(({ wire }) => wire);
		assert.equal(await client.invoke("echo", 1), 1);
		assert.deepEqual([wires(), retries.length], [["dotnetify"], 1]);
		retries.shift()?.();
		await until(() => retries.length === 1);
		assert.equal(await client.invoke("echo", 2), 2);
		assert.deepEqual(wires(), ["dotnetify"], "it still knows none");
		const upgraded = await scene.app();
		relay.targets = [upgraded.port];
		relay.cut();
		assert.equal(await client.invoke("echo", 3), 3);
		retries.shift()?.();
		await scene.until(() => proxy.logs.some(({ message }) => message.includes("speaks native links now")));
		assert.deepEqual([wires(), retries.length], [["native", "dotnetify"], 0]);
		const next = await scene.client(proxy.url);
		for (const [at, each] of [client, next, client].entries())
			assert.equal(await each.invoke("echo", at), at, "whoever was there stays where its state is");
		assert.deepEqual(
			upgraded.hub
				.links()
				.map(({ wire, clients }) => [wire, clients])
				.toSorted(),
			[
				["dotnetify", 1],
				["native", 1],
			],
		);
		await client.stop();
		await scene.until(() => upgraded.disconnected.length === 1);
		await until(() => upgraded.hub.links().every(({ wire, links }) => wire === "native" || links === 0));
		assert.equal(await next.invoke("echo", 5), 5);
		assert.deepEqual([wires(), upgraded.disconnected], [["native"], [{ id: client.id, kind: "closed" }]]);
		assert.deepEqual([proxy.disconnected.length, codesOf(proxy)], [1, []]);
	});

	it("hands over what waited: in order, answered as that wire answers, and refused where it is wrong", async () => {
		const { app, url, open } = await awayApp(scene);
		const proxy = await scene.proxy(url);
		const client = await scene.client(proxy.url);
		const calls = range(5).map((at) => client.invoke("Update_VM", "V", at));
		const text = client.invoke("Update_VM", "V", "text");
		const few = client.invoke("Request_VM", "V");
		const answer = client.invoke("echo", "late");
		const last = client.invoke("Dispose_VM", "V");
		const refused = [text, few].map((call, at) =>
			assert.rejects(call, {
				message: `Failed to invoke '${at === 0 ? "Update_VM" : "Request_VM"}' due to an error on the server.`,
			}),
		);
		await scene.forwarded(proxy, 9);
		open();
		assert.deepEqual(await Promise.all(calls), Array(5).fill(null));
		await Promise.all(refused);
		assert.equal(await answer, "late");
		assert.equal(await last, null);
		await scene.until(() => app.calls.length === 6);
		assert.deepEqual(
			app.calls.map(({ method, data }) => [method, data]),
			[...range(5).map((at) => ["Update_VM", String(at)]), ["Dispose_VM", undefined]],
		);
		assert.deepEqual(codesOf(proxy), []);
	});

	it("hands over the end of a client that left meanwhile once, behind all that it sent", async () => {
		const { app, url, open } = await awayApp(scene);
		const proxy = await scene.proxy(url);
		const client = await scene.client(proxy.url);
		await Promise.all(range(3).map((at) => client.connection.send("Update_VM", "V", at)));
		await client.stop();
		await scene.until(() => proxy.disconnected.length === 1);
		open();
		await scene.until(() => app.disconnected.length === 1);
		assert.deepEqual(
			app.calls.map(({ data }) => data),
			range(3).map(String),
		);
		// Another client's answer comes behind all that was on its way.
		const next = await scene.client(proxy.url);
		await next.invoke("echo", 1);
		assert.deepEqual(app.connected, [client.id, next.id]);
		assert.equal(app.disconnected.length, 1);
	});

	it("refuses a stream that waited, which dotNetify's wire cannot carry", async () => {
		const { url, open } = await awayApp(scene);
		const proxy = await scene.proxy(url);
		const client = await scene.client(proxy.url);
		const failed = new Promise<Error>((resolve) => {
			client.connection.stream("count", 3).subscribe({ next() {}, complete() {}, error: resolve });
		});
		await scene.forwarded(proxy, 1);
		open();
		assert.match((await failed).message, /ERR_FORWARD_UNSUPPORTED/);
		assert.deepEqual(codesOf(proxy), ["ERR_FORWARD_UNSUPPORTED"]);
	});

	it("opens clients again where a server came to speak native links, and was restarted since", async () => {
		const asks: (() => void)[] = [];
		const clock: Clock = {
			now: systemClock.now,
			elapsed: systemClock.elapsed,
			schedule(delayMs, task) {
				if (delayMs !== ASKED_AGAIN_MS) return systemClock.schedule(delayMs, task);
				asks.push(task);
				return { cancel() {} };
			},
		};
		const dotNetify: object = { nativeLinks: false };
		const app = await scene.app({ accept: { secrets: [SECRET], ...dotNetify } });
		const relay = await scene.relay(app.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 1 }, { clock });
		const link = (): LinkStatus | undefined => proxy.hub.links()[0];
		await until(() => link()?.wire === "dotnetify" && link()?.links === 1);
		const first = await scene.app({ recovery: "reopen" });
		relay.targets = [first.port];
		for (const ask of asks) ask();
		await until(() => link()?.wire === "native" && link()?.links === 1);
		const client = await scene.client(proxy.url);
		await scene.until(() => first.connected.includes(client.id));
		const second = await scene.app({ recovery: "reopen" });
		relay.targets = [second.port];
		relay.cut();
		await scene.until(() => second.connected.includes(client.id));
		assert.equal(await client.invoke("echo", 1), 1);
	});
});
