import assert from "node:assert/strict";
import { type Clock, systemClock, type Timer } from "../../../lib/base/index.js";
import { NEW_SESSION_FEATURE } from "../../../lib/forwarding/link/link-greeting.js";
import { DRAINED_FEATURE } from "../../../lib/forwarding/link/link-terms.js";
import { LONGEST_MS } from "../../../lib/forwarding/upstream/pace.js";
import type { Candidate } from "../../../lib/forwarding/upstream/pick.js";
import type { Frame, MessageFrame } from "../../../lib/forwarding/wire/index.js";
import { ManualClock } from "../../../lib/index.js";
import { Arguments, MessageType } from "../../../lib/protocols/index.js";
import { FakeWire, identityOf, settle } from "../../hub/fakes.js";
import { until } from "../../hub/live.js";
import { framesOf } from "../recorded/recording.js";
import { range, Scene, type Station } from "../support/scene.js";
import { PlayedFarm } from "./played-farm.js";
import { PlayedProxy } from "./played-proxy.js";
import { bytesOf, dataOf, helloOf, opening } from "./played-segments.js";

const TRUSTED = { trusted: ["127.0.0.1"], flushTimeoutMs: 20 };
/** Clients of a proxy that dies. */
const LOST = 1_000;
const LOST_PER_TURN = 200;

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

/** A clock by which nobody is late. */
class PatientClock implements Clock {
	readonly now = systemClock.now;
	readonly elapsed = systemClock.elapsed;

	schedule(delayMs: number, task: () => void): Timer {
		return delayMs === LONGEST_MS ? { cancel: () => {} } : systemClock.schedule(delayMs, task);
	}
}

describe("forwarding/native/draining", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	/** A proxy of the test's own, in a session with an app server. */
	async function playedProxy(app: Station, features: readonly string[]): Promise<PlayedProxy> {
		const proxy = scene.keep(await PlayedProxy.open(app.url, scene.watch));
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

	it("an app server ends the clients of a proxy that is gone for 15 s, once each, and others get their turn meanwhile", async () => {
		const clock = new ManualClock();
		const app = await scene.app({ accept: TRUSTED, clock });
		const proxy = await playedProxy(app, []);
		const ids = range(LOST).map((at) => `c${at}`);
		proxy.send(dataOf(bytesOf(...ids.map((id, at) => opening(at + 1, id)))));
		await scene.until(() => app.connected.length === LOST);
		proxy.close();
		await until(() => app.hub.links()[0]?.links === 0);
		clock.advance(14_999);
		assert.equal(app.hub.lifetime.size, LOST);
		clock.advance(1);
		const ended: number[] = [app.disconnected.length];
		while (app.disconnected.length < LOST) {
			await new Promise((resolve) => setImmediate(resolve));
			ended.push(app.disconnected.length);
		}
		assert.ok(
			ended.every((count, turn) => count - (ended[turn - 1] ?? 0) <= LOST_PER_TURN),
			`${ended} were ended after each turn`,
		);
		assert.deepEqual(
			app.disconnected.map(({ id, kind }) => `${id} ${kind}`).toSorted(),
			ids.map((id) => `${id} lost`).toSorted(),
		);
		assert.deepEqual([app.hub.lifetime.size, app.hub.links()], [0, []]);
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
		const farm = await PlayedFarm.open(scene, "round-robin");
		const { proxy } = farm;
		const client = await scene.client(proxy.url);
		await scene.until(() => farm.framesAt(0).length + farm.framesAt(1).length === 1);
		const old = farm.framesAt(0).length;
		const [from, to] = old === 1 ? ([0, 1] as const) : ([1, 0] as const);
		const answer = client.invoke("echo", "x");
		await scene.until(() => farm.framesAt(from).length === 2);
		farm.say(from, { type: "drain", timeoutMs: 0 });
		await scene.until(() => farm.framesAt(from).length === 4);
		assert.deepEqual(
			farm.framesAt(from).map(({ type }) => type),
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
		farm.say(from, record("x"), { type: "closed", client: 1 });
		assert.equal(await answer, "x");
		await scene.until(() => farm.framesAt(to).length === 2);
		const [open, message] = farm.framesAt(to);
		assert.ok(open?.type === "open" && message?.type === "message");
		assert.deepEqual([open.recovered, open.migrated], [true, true]);
		farm.say(to, record("y"));
		assert.equal(await late, "y");
		assert.deepEqual(proxy.undeliverable, []);
		// Whoever comes now comes to the one that stays.
		await scene.client(proxy.url);
		await scene.until(() => farm.framesAt(to).length === 3);
		assert.equal(farm.framesAt(from).length, 4);
	});

	it("a proxy opens those that were handed over at the pace of who takes them, and at once who has something to say", async () => {
		const pick = (_key: string, candidates: readonly Candidate[]): Candidate | undefined =>
			candidates.find(({ name }) => name.startsWith("01")) ?? candidates[0];
		const farm = await PlayedFarm.open(scene, pick, { clock: new PatientClock() });
		const { hub } = farm.proxy;
		const [from, to] = [0, 1];
		const opensAt = (at: number): number[] =>
			farm.framesAt(at).flatMap((frame) => (frame.type === "open" ? frame.client : []));
		const countAt = (at: number, type: Frame["type"]): number =>
			farm.framesAt(at).filter((frame) => frame.type === type).length;
		const clients = Array.from({ length: 250 }, (_, at) => hub.open(identityOf(`c${at}`), new FakeWire()));
		await scene.until(() => opensAt(from).length === clients.length);
		farm.say(from, { type: "drain", timeoutMs: 0 });
		await scene.until(() => countAt(from, "close") === clients.length);
		const call = { type: MessageType.Invocation, invocationId: "1", target: "later" } as const;
		void clients.at(-1)?.receive({ ...call, arguments: Arguments.of([]) });
		await settle();
		farm.say(from, ...opensAt(from).map((client): Frame => ({ type: "closed", client })));
		await scene.until(() => opensAt(to).length > 100);
		await settle();
		assert.equal(opensAt(to).length, 101, "a batch, and the one that called");
		assert.equal(countAt(to, "message"), 1);
		while (opensAt(to).length < clients.length) {
			const before = opensAt(to).length;
			farm.say(to, { type: "load", clients: before, delayMs: 0 });
			await scene.until(() => opensAt(to).length > before);
		}
		assert.equal(opensAt(to).length, clients.length);
		assert.equal(hub.counters.get("clientsMigrated"), clients.length);
		await Promise.all(clients.map((client) => client.ended({ kind: "closed" })));
	});
});
