import assert from "node:assert/strict";
import { replicas, useForwarding } from "../../../lib/forwarding/index.js";
import { NEW_SESSION_FEATURE } from "../../../lib/forwarding/link/link-greeting.js";
import { DRAINED_FEATURE } from "../../../lib/forwarding/link/link-terms.js";
import type { Frame, MessageFrame } from "../../../lib/forwarding/wire/index.js";
import { MessageType } from "../../../lib/protocols/index.js";
import { Scene, type Station } from "../support/scene.js";
import { PlayedApp } from "./played-app.js";
import { PlayedProxy } from "./played-proxy.js";
import { bytesOf, dataOf, helloOf, opening } from "./played-segments.js";
import { framesOf } from "./recording.js";

const TRUSTED = { trusted: ["127.0.0.1"], flushTimeoutMs: 20 };
const LINK = { connectionPoolSize: 1, flushTimeoutMs: 20, reconnect: { delaysMs: [0, 10], jitter: 0 } };

/** A call of the method `echo`. */
function echo(client: number, value: string): MessageFrame {
	const call = { type: MessageType.Invocation, encoding: "json", invocationId: "1", target: "echo" } as const;
	const message = {
		...call,
		...{ arguments: Buffer.from(JSON.stringify([value])), streamIds: undefined, headers: undefined },
	};
	return { type: "message", client, message };
}

/** What an app server has said of clients, and that it stops. */
function saidBy(proxy: PlayedProxy): string[] {
	const frames = framesOf(proxy.told, "app").filter(({ type }) => type !== "load");
	return frames.map((frame) => {
		if (frame.type === "record") return `${frame.client}: ${frame.record.toString().slice(0, -1)}`;
		return "client" in frame ? `${frame.client}: ${frame.type}` : frame.type;
	});
}

describe("forwarding/native/draining", () => {
	let scene: Scene;
	const opened: { close(): unknown }[] = [];
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(async () => {
		for (const each of opened.splice(0).reverse()) await each.close();
		await scene.close();
	});

	/** A proxy of the test's own, in a session with an app server. */
	async function playedProxy(app: Station, features: readonly string[]): Promise<PlayedProxy> {
		const proxy = await PlayedProxy.open(app.url, scene.watch);
		opened.push(proxy);
		proxy.send(helloOf("proxy", { features: [NEW_SESSION_FEATURE, ...features] }));
		return proxy;
	}

	it("an app server serves a client whose OPEN crosses its DRAIN, and lets it go when its proxy takes it", async () => {
		const app = await scene.app({ accept: TRUSTED, recovery: "reopen" });
		const proxy = await playedProxy(app, [DRAINED_FEATURE]);
		proxy.send(dataOf(bytesOf(opening(1, "c1"), echo(1, "a"))));
		await scene.until(() => saidBy(proxy).length === 1);
		const closed = app.close();
		await scene.until(() => saidBy(proxy).includes("drain"));
		// What the proxy has seen says nothing about what it wrote before.
		const seen = (seq: number, ...frames: Frame[]): Buffer =>
			dataOf(bytesOf(...frames), seq, proxy.dataCount);
		proxy.send(seen(2, { type: "close", client: 1, reason: "migrated", text: "" }));
		await scene.until(() => saidBy(proxy).includes("1: closed"));
		proxy.send(seen(3, opening(2, "c2"), echo(2, "b")));
		await scene.until(() => saidBy(proxy).some((said) => said.startsWith("2: ")));
		proxy.send(seen(4, { type: "drained" }, { type: "close", client: 2, reason: "migrated", text: "" }));
		await scene.until(() => proxy.isClosed);
		await closed;
		assert.deepEqual(saidBy(proxy), [
			'1: {"type":3,"invocationId":"1","result":"a"}',
			...["drain", "1: closed"],
			'2: {"type":3,"invocationId":"1","result":"b"}',
			"2: closed",
		]);
		assert.equal(proxy.bye?.code, 3);
		assert.deepEqual(
			app.disconnected.map(({ id, kind }) => `${id} ${kind}`),
			["c1 migrated", "c2 migrated"],
		);
		assert.deepEqual(app.undeliverable, []);
	});

	it("an app server waits for DRAINED of no proxy that does not know it", async () => {
		const app = await scene.app({ accept: TRUSTED, recovery: "reopen" });
		const proxy = await playedProxy(app, []);
		proxy.send(dataOf(bytesOf(opening(1, "c1"))));
		await scene.until(() => app.connected.length === 1);
		const closed = app.close();
		await scene.until(() => saidBy(proxy).includes("drain"));
		const close: Frame = { type: "close", client: 1, reason: "migrated", text: "" };
		proxy.send(dataOf(bytesOf(close), 2, proxy.dataCount));
		await scene.until(() => saidBy(proxy).includes("1: closed"));
		proxy.send(dataOf(Buffer.alloc(0), 3, proxy.dataCount));
		await scene.until(() => proxy.isClosed);
		await closed;
		assert.equal(app.hub.lifetime.size, 0);
	});

	it("an app server waits for no proxy that goes, and for none that answers nothing once its time is over", async () => {
		for (const isGoing of [true, false]) {
			const app = await scene.app({ accept: TRUSTED, recovery: "reopen" });
			const proxy = await playedProxy(app, [DRAINED_FEATURE]);
			proxy.send(dataOf(Buffer.alloc(0)));
			await scene.until(() => app.hub.counters.get("linkSessions") === 1);
			const closed = app.hub.close({ timeoutMs: isGoing ? 60_000 : 20 });
			await scene.until(() => saidBy(proxy).includes("drain"));
			if (isGoing) proxy.close();
			await closed;
		}
	});

	it("an app server waits for no clients of a proxy that goes before it has taken them", async () => {
		const app = await scene.app({ accept: TRUSTED, recovery: "reopen" });
		const proxy = await playedProxy(app, [DRAINED_FEATURE]);
		proxy.send(dataOf(bytesOf(opening(1, "c1"))));
		await scene.until(() => app.connected.length === 1);
		const closed = app.hub.close({ timeoutMs: 60_000 });
		await scene.until(() => saidBy(proxy).includes("drain"));
		proxy.send(dataOf(bytesOf({ type: "drained" }), 2, proxy.dataCount));
		proxy.close();
		await closed;
		assert.deepEqual(
			app.disconnected.map(({ id }) => id),
			["c1"],
		);
	});

	it("a proxy answers DRAIN behind every OPEN, takes the client to a replica, and tells that it was handed over", async () => {
		const apps: PlayedApp[] = [];
		const sent = [0, 0];
		for (const at of [0, 1]) {
			const instance = Buffer.alloc(16, at + 1);
			apps.push(await PlayedApp.open(scene.watch, () => helloOf("app", { instance, features: ["reopen"] })));
		}
		opened.push(...apps);
		const list = replicas(
			apps.map(({ url }) => url),
			{ pick: "round-robin" },
		);
		const proxy = await scene.station({ setUp: (hub) => void hub.use(useForwarding(list, LINK)) });
		while (proxy.hub.links().reduce((sum, { links }) => sum + links, 0) < 2)
			await new Promise((resolve) => setImmediate(resolve));
		const framesAt = (at: number): Frame[] => framesOf(apps[at]?.told ?? [], "proxy");
		const say = (at: number, ...frames: Frame[]): void => {
			sent[at] = (sent[at] ?? 0) + 1;
			apps[at]?.send(dataOf(bytesOf(...frames), sent[at], apps[at]?.dataCount));
		};
		const client = await scene.client(proxy.url);
		await scene.until(() => framesAt(0).length + framesAt(1).length === 1);
		const old = framesAt(0).length;
		const [from, to] = old === 1 ? ([0, 1] as const) : ([1, 0] as const);
		const answer = client.invoke("echo", "x");
		await scene.until(() => framesAt(from).length === 2);
		say(from, { type: "drain", timeoutMs: 0 });
		await scene.until(() => framesAt(from).length === 4);
		assert.deepEqual(
			framesAt(from).map(({ type }) => type),
			["open", "message", "drained", "close"],
		);
		const late = client.invoke("echo", "y");
		const record = (value: string): Frame => ({
			...{ type: "record", client: 1, messageType: 3, state: undefined },
			invocationId: value === "x" ? "0" : "1",
			record: Buffer.from(
				`{"type":3,"invocationId":"${value === "x" ? "0" : "1"}","result":"${value}"}\u001e`,
			),
		});
		say(from, record("x"), { type: "closed", client: 1 });
		assert.equal(await answer, "x");
		await scene.until(() => framesAt(to).length === 2);
		const [open, message] = framesAt(to);
		assert.ok(open?.type === "open" && message?.type === "message");
		assert.deepEqual([open.recovered, open.migrated], [true, true]);
		say(to, record("y"));
		assert.equal(await late, "y");
		assert.deepEqual(proxy.undeliverable, []);
		// Whoever comes now comes to the one that stays.
		await scene.client(proxy.url);
		await scene.until(() => framesAt(to).length === 3);
		assert.equal(framesAt(from).length, 4);
	});
});
