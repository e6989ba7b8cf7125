import assert from "node:assert/strict";
import { deferred } from "../../lib/base/index.js";
import { type Acceptor, createHub, createServer, type HubExtension } from "../../lib/index.js";
import type { HubMessage } from "../../lib/protocols/index.js";
import { collectingLog, FakeWire, identityOf, settle } from "./fakes.js";
import { live, RawClient, until } from "./live.js";

describe("hub/hub", () => {
	it("runs connected and disconnected listeners in order, groups still known to the last", async () => {
		const seen: unknown[] = [];
		const hub = createHub()();
		const gate = deferred();
		hub.on("connected", async (ctx) => {
			await gate.promise;
			seen.push("connected 1", ctx.connectionId);
			await ctx.groups.add(ctx.connectionId, "g");
		});
		hub.on("connected", () => void seen.push("connected 2"));
		hub.on("disconnected", (ctx, { kind }) => void seen.push(kind, [...ctx.connection.groups]));
		const client = hub.open(identityOf("c1"), new FakeWire());
		gate.resolve();
		await settle();
		await client.ended({ kind: "lost" });
		assert.deepEqual(seen, ["connected 1", "c1", "connected 2", "lost", ["g"]]);
		assert.equal(hub.lifetime.size, 0);
	});

	it("refuses options that came in the first of its two calls", () => {
		const makeHub = createHub as (...args: unknown[]) => unknown;
		for (const misplaced of [{ methods: {} }, undefined]) {
			assert.throws(() => makeHub(misplaced), {
				code: "ERR_OPTION",
				message: "createHub takes its options in a second call: createHub()({ … }).",
			});
		}
	});

	it("refuses a listener that would never be called", () => {
		const hub = createHub()();
		const add = (name: string, listener: unknown) => () =>
			hub.on(name as "connected", listener as () => void);
		assert.throws(
			add("connect", () => {}),
			{
				code: "ERR_OPTION",
				message: 'A hub has no event "connect", only connected, disconnected, migrating, undeliverable.',
			},
		);
		assert.throws(
			add("toString", () => {}),
			{ code: "ERR_OPTION" },
		);
		assert.throws(add("connected", undefined), {
			code: "ERR_OPTION",
			message: 'The listener of "connected" must be a function; found undefined.',
		});
	});

	it("no longer calls a listener that was taken off", () => {
		const hub = createHub()();
		let calls = 0;
		const listener = (): void => void calls++;
		hub.on("connected", listener).off("connected", listener);
		hub.open(identityOf("c1"), new FakeWire());
		assert.equal(calls, 0);
	});

	it("goes on when disconnected and undeliverable listeners fail, in turn or later", async () => {
		const log = collectingLog();
		const hub = createHub()({ log });
		let calls = 0;
		for (const name of ["disconnected", "undeliverable"] as const) {
			hub.on(name, () => {
				throw new Error("now");
			});
			hub.on(name, () => Promise.reject("later"));
			hub.on(name, () => void calls++);
		}
		await hub.open(identityOf("c1"), new FakeWire()).ended({ kind: "closed" });
		hub.report({ code: "ERR_LIMIT", reason: "x" });
		await settle();
		assert.equal(calls, 2);
		assert.equal(log.lines.filter((line) => line.startsWith("error")).length, 4);
		assert.deepEqual([hub.lifetime.size, hub.counters.get("undeliverable.ERR_LIMIT")], [0, 1]);
	});

	it("reaches clients whose protocol can write a message, whatever that of the others cannot", async () => {
		const { hub, client, close } = await live();
		try {
			const packed = await client({ messagePack: true });
			const got: unknown[] = [];
			const plain = await client();
			for (const connection of [packed, plain]) connection.on("t", (value) => void got.push(value));
			await assert.rejects(hub.clients.all.send("t", 2n ** 70n), { code: "ERR_SERIALIZATION" });
			await hub.clients.all.send("t", 1);
			await until(() => got.length === 3);
			assert.deepEqual(got.sort(), [1, 1, 2 ** 70]);
		} finally {
			await close();
		}
	});

	it("cuts what a client chose in reports: ids, targets and reasons", () => {
		const log = collectingLog();
		const hub = createHub()({ log });
		const events: unknown[] = [];
		hub.on("undeliverable", (event) => void events.push(event));
		const long = "x".repeat(30_000);
		hub.report({ code: "ERR_LIMIT", client: long, target: long, vmId: long, reason: long });
		const cut = `${"x".repeat(99)}…`;
		const event = { code: "ERR_LIMIT", client: cut, target: cut, vmId: cut, reason: `${"x".repeat(499)}…` };
		assert.deepEqual(events, [event]);
		assert.deepEqual(log.entries, [{ level: "warn", ...event }]);
		hub.report({ code: "ERR_LIMIT", reason: "short" });
		assert.deepEqual(events[1], { code: "ERR_LIMIT", reason: "short" });
	});

	it("closes each client once, waits for its listeners, then closes the extensions", async () => {
		const seen: string[] = [];
		const hub = createHub()();
		const gate = deferred();
		const extension: HubExtension = {
			install: () => undefined,
			close: async () => void seen.push("extension"),
		};
		hub.use(extension);
		hub.on("disconnected", async () => {
			await gate.promise;
			seen.push("disconnected");
		});
		const wire = new FakeWire();
		hub.open(identityOf("c1"), wire);
		await settle();
		const closed = Promise.all([hub.close(), hub.close()]);
		assert.equal(hub.isClosing, true);
		await settle();
		assert.deepEqual([seen, wire.closes], [[], [{ type: 7, allowReconnect: true }]]);
		gate.resolve();
		await closed;
		assert.deepEqual(seen, ["disconnected", "extension"]);
	});

	it("tells extensions its paths, before and after use, and is ready when all are", () => {
		const paths: string[] = [];
		let isReady = false;
		const hub = createHub()();
		hub.endpoint("/a");
		hub.use({ install: () => undefined, mounted: (path) => void paths.push(path), ready: () => isReady });
		hub.endpoint("/b");
		assert.deepEqual([paths, hub.ready], [["/a", "/b"], false]);
		isReady = true;
		assert.equal(hub.ready, true);
	});

	it("puts an extension's middleware in its place of the list", async () => {
		const server = await live({ methods: { order: () => [] } });
		const note =
			(name: string) =>
			async (ctx: { result: unknown }, next: () => Promise<void>): Promise<void> => {
				await next();
				ctx.result = [name, ...(ctx.result as string[])];
			};
		server.hub
			.use(note("a"))
			.use({ install: () => note("b") })
			.use(note("c"));
		const raw = await server.raw();
		raw.invoke("1", "order");
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: ["a", "b", "c"] });
		await server.close();
	});

	it("refuses a second connection with the id of one that is there", async () => {
		const hub = createHub()({ tokenSecrets: ["a secret for tests"] });
		const server = createServer().map("/a", hub).map("/b", hub);
		const { port, url } = await server.listen(0, "127.0.0.1");
		const answer = await fetch(`${url}/a/negotiate?negotiateVersion=1`, { method: "POST" });
		const { connectionId, connectionToken } = (await answer.json()) as Record<string, string>;
		const first = await RawClient.open(port, `/a?id=${connectionToken}`);
		await first.handshake();
		// Another endpoint accepts the same token, which only its own one was used at.
		const second = await RawClient.open(port, `/b?id=${connectionToken}`);
		second.send({ protocol: "json", version: 1 });
		assert.deepEqual(
			[await second.next(), await second.next()],
			[{}, { type: 7, error: "Connection closed with an error." }],
		);
		await second.closed;
		assert.deepEqual(
			[...hub.lifetime].map((client) => client.connectionId),
			[connectionId],
		);
		await hub.clients.client(connectionId ?? "").send("told");
		assert.deepEqual(await first.next(), { type: 1, target: "told", arguments: [] });
		await server.close();
	});
});

describe("hub/acceptor", () => {
	it("takes a connection at its handshake, before it ever was a client", async () => {
		const heard: HubMessage[] = [];
		const closed = deferred<string>();
		const server = await live();
		server.hub.accept({
			handshake: () => ({
				message: (message) => void heard.push(message),
				closed: ({ kind }) => closed.resolve(kind),
			}),
		});
		const raw = await server.raw();
		raw.invoke("1", "x");
		await until(() => heard.length === 1);
		assert.equal(server.hub.lifetime.size, 0);
		raw.webSocket.close();
		assert.equal(await closed.promise, "closed");
		await server.close();
	});

	it("claims a client at its first call of the target, which it gets", async () => {
		const heard: HubMessage[] = [];
		const reasons: string[] = [];
		const server = await live({ methods: { echo: (_ctx, value: unknown) => value } });
		const acceptor: Acceptor = {
			target: "Invoke",
			claim: () => ({ message: (message) => void heard.push(message), closed: () => {} }),
		};
		server.hub.accept({ target: "Invoke", claim: () => undefined }).accept(acceptor);
		server.hub.on("disconnected", (_ctx, { kind }) => void reasons.push(kind));
		const raw = await server.raw();
		raw.invoke("1", "echo", 1);
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: 1 });
		raw.invoke("2", "INVOKE");
		raw.invoke("3", "echo", 1);
		await until(() => heard.length === 2);
		await until(() => reasons.length === 1);
		assert.deepEqual([reasons, server.hub.lifetime.size, raw.records], [["migrated"], 0, []]);
		await server.server.close();
		assert.equal(await raw.closed, 1000);
	});

	it("leaves a client that nobody claims with an unknown method", async () => {
		const server = await live();
		server.hub.accept({ target: "Invoke", claim: () => undefined });
		const raw = await server.raw();
		raw.invoke("1", "Invoke");
		assert.deepEqual(await raw.next(), {
			type: 3,
			invocationId: "1",
			error: "Failed to invoke 'Invoke' due to an error on the server. HubException: Method does not exist.",
		});
		await server.close();
	});

	it("closes the connection where claiming fails", async () => {
		const server = await live();
		server.hub.accept({
			target: "Invoke",
			claim() {
				throw new Error("secret");
			},
		});
		const raw = await server.raw();
		raw.invoke("1", "Invoke");
		assert.deepEqual(await raw.next(), {
			type: 7,
			error: "Connection closed with an error.",
			allowReconnect: true,
		});
		await until(() => server.hub.lifetime.size === 0);
		await server.close();
	});
});
