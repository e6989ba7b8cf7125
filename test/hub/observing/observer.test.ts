import assert from "node:assert/strict";
import { once } from "node:events";
import { z } from "zod";
import { deferred } from "../../../lib/base/index.js";
import {
	createHub,
	HubException,
	type HubObserver,
	ManualClock,
	method,
	TrunklineError,
} from "../../../lib/index.js";
import { FakeWire, identityOf, invocation, settle } from "../fakes.js";
import { type Live, live, RawClient, until } from "../live.js";

type Told = readonly [name: string, facts: Record<string, unknown>];

/** An observer that keeps all it hears. */
function keeping(): HubObserver & { readonly told: Told[]; of(...names: string[]): unknown[] } {
	const told: Told[] = [];
	const members = new Proxy(
		{
			told,
			of: (...names: string[]) => told.filter(([name]) => names.includes(name)).map(([, facts]) => facts),
		},
		{
			get(target, name) {
				if (name in target) return target[name as keyof typeof target];
				return (facts: Record<string, unknown>) => void told.push([String(name), facts]);
			},
		},
	);
	return members as ReturnType<typeof keeping>;
}

describe("hub/observing/observer", () => {
	let server: Live | undefined;
	afterEach(() => server?.close());

	it("hears of calls: declared names, times and why they failed", async () => {
		const clock = new ManualClock();
		const observer = keeping();
		server = await live({
			clock,
			methods: {
				Slow: async () => clock.advance(30),
				throws() {
					throw new Error("secret");
				},
				tells() {
					throw new HubException("boo");
				},
				limited() {
					throw new TrunklineError("ERR_LIMIT", "x");
				},
				closed: method({ authorize: () => false }, () => 1),
				*items() {},
				checked: method({ args: [z.number()] }, () => 1),
				cyclic() {
					const value: unknown[] = [];
					value.push(value);
					return value;
				},
			},
		});
		server.hub.observe(observer);
		const raw = await server.raw();
		const targets = [
			"SLOW",
			"throws",
			"tells",
			"limited",
			"closed",
			"items",
			"checked",
			"cyclic",
			"x".repeat(99),
		];
		for (const target of targets) {
			raw.invoke("1", target);
			await raw.next();
		}
		raw.send({ type: 1, target: "slow", arguments: [] });
		await until(() => observer.of("invocationEnded").length === 10);
		const names = ["Slow", ...targets.slice(1, -1), undefined, "Slow"];
		assert.deepEqual(
			observer.of("invocationStarted"),
			names.map((name) => ({ method: name })),
		);
		const failures = [
			...[undefined, "Error", "HubException", "ERR_LIMIT", "Refused", "Refused", "ERR_ARGUMENTS"],
			...["ERR_SERIALIZATION", "UnknownMethod", undefined],
		];
		assert.deepEqual(
			observer.of("invocationEnded"),
			names.map((name, at) => ({
				method: name,
				durationMs: name === "Slow" ? 30 : 0,
				failure: failures[at],
			})),
		);
	});

	it("hears of a call's end when it is answered, by whomever", async () => {
		const observer = keeping();
		server = await live();
		server.hub.observe(observer);
		const answers: (() => void)[] = [];
		server.hub.use((ctx) => {
			const { complete, fail } = ctx.deferCompletion();
			answers.push(ctx.args[0] ? () => complete(1) : () => fail("no"));
		});
		const raw = await server.raw();
		for (const isGood of [true, false]) {
			raw.invoke("1", "any", isGood);
			await until(() => answers.length === 1);
			await settle();
			const before = observer.of("invocationEnded").length;
			answers.pop()?.();
			await raw.next();
			assert.deepEqual(observer.of("invocationEnded").slice(before), [
				{
					...{ method: undefined, failure: isGood ? undefined : "Error" },
					durationMs: (observer.of("invocationEnded")[before] as { durationMs: number }).durationMs,
				},
			]);
		}
	});

	it("hears of streams: how many items, and how they ended", async () => {
		const clock = new ManualClock();
		const observer = keeping();
		let hold = deferred();
		server = await live({
			...{ clock, maxStreamsPerConnection: 1 },
			methods: {
				*two() {
					clock.advance(5);
					yield* [1, 2];
				},
				*breaks() {
					yield 1;
					throw new HubException("ran dry");
				},
				async *waits() {
					yield 1;
					await hold.promise;
				},
				plain: () => 1,
			},
		});
		server.hub.observe(observer);
		const raw = await server.raw();
		const stream = (invocationId: string, target: string): void =>
			raw.send({ type: 4, invocationId, target, arguments: [] });
		const ends = (count: number): Promise<void> => until(() => observer.of("streamEnded").length === count);
		for (const [at, target] of ["two", "breaks", "plain", "nope"].entries()) {
			stream(String(at), target);
			await ends(at + 1);
		}
		stream("w", "waits");
		await until(() => raw.records.some((record) => record.includes('"w"')));
		stream("more", "waits");
		await ends(5);
		raw.send({ type: 5, invocationId: "w" });
		await ends(6);
		hold.resolve();
		hold = deferred();
		stream("w2", "waits");
		await until(() => raw.records.some((record) => record.includes('"w2"')));
		raw.webSocket.terminate();
		await ends(7);
		hold.resolve();
		const names = ["two", "breaks", "plain", undefined, "waits", "waits", "waits"];
		assert.deepEqual(
			observer.of("streamStarted"),
			names.map((name) => ({ method: name })),
		);
		assert.deepEqual(
			observer.of("streamEnded").map((facts) => Object.values(facts as object)),
			[
				["two", 5, undefined, 2, "completed"],
				["breaks", 0, "HubException", 1, "failed"],
				["plain", 0, "Refused", 0, "failed"],
				[undefined, 0, "UnknownMethod", 0, "failed"],
				["waits", 0, "Refused", 0, "failed"],
				["waits", 0, undefined, 1, "cancelled"],
				["waits", 0, undefined, 1, "lost"],
			],
		);
		assert.deepEqual(observer.of("invocationStarted"), []);
	});

	it("hears of connections: transport, protocol, how long and why they ended", async () => {
		const clock = new ManualClock();
		const observer = keeping();
		const hub = createHub()({ clock });
		hub.observe(observer);
		hub.use({
			connected(ctx) {
				if (ctx.user) throw new Error("no");
			},
		});
		const open = (userId?: string) => hub.open(identityOf("c1", userId), new FakeWire());
		const first = open();
		await settle();
		clock.advance(1_500);
		await first.ended({ kind: "lost", error: new TrunklineError("ERR_SLOW_CLIENT", "x") });
		await open().ended({ kind: "closed", error: new Error("the client's own text") });
		open("refused");
		await settle();
		const facts = { transport: "WebSockets", protocol: "json" };
		const opened = ["connectionOpened", facts];
		const closed = (durationMs: number, reason: string, code?: string) => [
			"connectionClosed",
			{ ...facts, durationMs, reason, code },
		];
		assert.deepEqual(observer.told, [
			...[opened, ["slowClientClosed", facts], closed(1_500, "lost", "ERR_SLOW_CLIENT")],
			...[opened, closed(0, "closed"), opened, closed(0, "refused")],
		]);
	});

	it("hears the end only of connections and calls whose beginning was observed", async () => {
		const observer = keeping();
		const gate = deferred();
		const hub = createHub()({ methods: { m: () => gate.promise } });
		const client = hub.open(identityOf("c1"), new FakeWire());
		await settle();
		client.receive(invocation("m", [], "1"));
		hub.observe(observer);
		gate.resolve();
		await settle();
		await client.ended({ kind: "closed" });
		assert.deepEqual(observer.told, []);
	});

	it("hears of handshakes that fail", async () => {
		const observer = keeping();
		server = await live();
		server.hub.observe(observer);
		const raw = await RawClient.open(server.port);
		raw.send({ protocol: "xml", version: 1 });
		await raw.closed;
		const gone = await RawClient.open(server.port);
		gone.webSocket.terminate();
		await until(() => observer.told.length === 2);
		assert.deepEqual(observer.told[0], [
			"handshakeFailed",
			{ transport: "WebSockets", code: "ERR_HANDSHAKE" },
		]);
	});

	it("hears of connects that are refused, by their status", async () => {
		const observer = keeping();
		server = await live({
			authenticate({ headers }) {
				if (headers["x-user"] === undefined) throw new Error("who?");
				return undefined;
			},
		});
		server.hub.observe(observer);
		const { url, port } = server;
		const headers = { "X-User": "ann" };
		await fetch(`${url}/negotiate`, { method: "POST" });
		assert.equal((await fetch(`${url}/negotiate`, { method: "POST", headers })).status, 200);
		await fetch(`${url}?id=x`, { headers });
		await fetch(`${url}?id=x`, { method: "DELETE", headers });
		await fetch(`${url}?id=x`, { method: "POST", headers, body: "x" });
		await assert.rejects(RawClient.open(port));
		assert.deepEqual(
			observer.of("connectRefused"),
			[401, 404, 401].map((status) => ({ status })),
		);
	});

	it("hears of every message and its bytes", async () => {
		const observer = keeping();
		server = await live({ methods: { m: () => 1 } });
		const raws = [await server.raw(), await server.raw()];
		server.hub.observe(observer);
		const sent = { type: 1, invocationId: "1", target: "m", arguments: [] };
		raws[0]?.send(sent);
		raws[0]?.send({ type: 6 });
		await raws[0]?.next();
		await server.hub.clients.all.send("t");
		await Promise.all(raws.map((raw) => raw.next()));
		const lengths = (name: string) => observer.of(name).map((facts) => (facts as { bytes: number }).bytes);
		const answer = '{"type":3,"invocationId":"1","result":1}\u001e';
		const told = '{"type":1,"target":"t","arguments":[]}\u001e';
		assert.deepEqual(
			[lengths("messageReceived"), lengths("messageSent")],
			[[JSON.stringify(sent).length, '{"type":6}'.length], [answer, told, told].map((text) => text.length)],
		);
		assert.deepEqual(observer.of("messageSent")[0], { transport: "WebSockets", bytes: answer.length });
	});

	it("hears of the results that clients are asked for", async () => {
		const observer = keeping();
		const clock = new ManualClock();
		server = await live({ clock, clientResultTimeoutMs: 5 });
		server.hub.observe(observer);
		const connection = await server.client();
		connection.on("good", () => 5);
		connection.on("bad", () => {
			throw new Error("x");
		});
		connection.on("late", () => new Promise(() => {}));
		const { clients } = server.hub;
		for (const name of ["good", "bad", "late"]) {
			const asked = clients.client(connection.connectionId ?? "").invoke(name);
			if (name === "late") clock.advance(5);
			await asked.catch(() => {});
		}
		assert.deepEqual(
			observer.of("clientResultAsked"),
			["good", "bad", "late"].map((name) => ({ method: name })),
		);
		assert.deepEqual(
			observer.of("clientResultEnded").map((facts) => (facts as { failure: unknown }).failure),
			[undefined, "HubException", "ERR_CLIENT_RESULT_TIMEOUT"],
		);
	});

	it("is one of several, stops when it is told to, and costs nothing then", async () => {
		const [first, second] = [keeping(), keeping()];
		const hub = createHub()();
		const stops = [hub.observe(first), hub.observe(second), hub.observe(first)];
		hub.open(identityOf("c1"), new FakeWire());
		assert.deepEqual([first.told.length, second.told.length], [2, 1]);
		stops[0]?.();
		stops[0]?.();
		hub.open(identityOf("c2"), new FakeWire());
		assert.deepEqual([first.told.length, second.told.length], [3, 2]);
		for (const stop of stops) stop();
		assert.equal((hub as unknown as { observation: unknown }).observation, undefined);
	});

	it("harms nobody by throwing", async () => {
		server = await live({ methods: { m: () => 1, *items() {} } });
		const observer = new Proxy({} as HubObserver, {
			get: () => () => {
				throw new Error("x");
			},
		});
		server.hub.observe(observer);
		const raw = await server.raw();
		raw.invoke("1", "m");
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: 1 });
		raw.send({ type: 4, invocationId: "2", target: "items", arguments: [] });
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "2" });
		raw.webSocket.close();
		await once(raw.webSocket, "close");
		await until(() => server?.hub.lifetime.size === 0);
	});
});
