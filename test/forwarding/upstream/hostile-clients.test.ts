import assert from "node:assert/strict";
import { once } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { WebSocket } from "ws";
import { deferred } from "../../../lib/base/index.js";
import { acceptLinks } from "../../../lib/forwarding/index.js";
import { createHub, createServer } from "../../../lib/index.js";
import { RawClient, until } from "../../hub/live.js";
import { codesOf, range, Scene, SECRET, type Station } from "../support/scene.js";

/** A client that says what no stock client would. */
async function rawClient(
	{ port }: Station,
	{ query = "", headers = {} }: { query?: string; headers?: Record<string, string> } = {},
): Promise<RawClient> {
	const socket = new WebSocket(`ws://127.0.0.1:${port}/dotnetify${query}`, { headers });
	const raw = new RawClient(socket);
	await once(socket, "open");
	await raw.handshake();
	return raw;
}

describe("forwarding/upstream/hostile-clients", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	it("a Host that is no name of one is cut, and ends no session", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url);
		const client = await scene.client(proxy.url);
		const hostile = await rawClient(proxy, { headers: { host: "h".repeat(9_000) } });
		hostile.invoke("1", "echo", 1);
		assert.deepEqual(await hostile.next(), { type: 3, invocationId: "1", result: 1 });
		assert.equal(await client.invoke("echo", 1), 1);
		assert.equal(app.hub.counters.get("linkSessionsLost"), 0);
	});

	it("one who left while the app server found out that it refuses it is forgotten at both ends", async () => {
		const gate = deferred();
		const app = await scene.app({
			authenticate: async () => {
				await gate.promise;
				throw new Error("Nobody knows it.");
			},
		});
		const proxy = await scene.proxy(app.url);
		const clientsOf = ({ hub }: Station): number[] => hub.links().map(({ clients }) => clients);
		const hostile = await rawClient(proxy);
		await until(() => clientsOf(app)[0] === 1);
		hostile.webSocket.terminate();
		await scene.until(() => proxy.disconnected.length === 1);
		// Behind it in the session's order: when this one is here, the other's CLOSE is.
		await rawClient(proxy);
		await until(() => clientsOf(app)[0] === 2);
		gate.resolve();
		await until(() => clientsOf(app)[0] === 0 && clientsOf(proxy)[0] === 0);
		assert.equal(app.hub.counters.get("refusals"), 2);
	});

	it("one that no app server can be told of is closed, and what others have sent does not wait for it", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		relay.off();
		const claims = { groups: "g".repeat(40_000) };
		const proxy = await scene.proxy(
			relay.url,
			{},
			{ authenticate: ({ query }) => (query.has("large") ? { id: "ada", claims } : undefined) },
		);
		const large = await rawClient(proxy, { query: "?large=1" });
		large.invoke("1", "echo", 1);
		large.invoke("2", "echo", 2);
		await scene.forwarded(proxy, 2);
		const client = await scene.client(proxy.url);
		const answer = client.invoke("echo", "mine");
		await scene.forwarded(proxy, 3);
		relay.on();
		assert.equal(await answer, "mine");
		await large.closed;
		assert.deepEqual(codesOf(proxy), ["ERR_FORWARD_TOO_LARGE", "ERR_FORWARD_TOO_LARGE"]);
		const told = proxy.logs.filter(({ message }) => message.startsWith("A client cannot be forwarded"));
		assert.equal(told.length, 1);
		assert.match(String(told[0]?.fields["reason"]), /headers, address and claims/);
	});

	it("small calls among much that is nothing hold no more than they count, while they wait", async () => {
		setFlagsFromString("--expose-gc");
		const collect = runInNewContext("gc") as () => void;
		const held = (): number => {
			collect();
			return process.memoryUsage().arrayBuffers;
		};
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		relay.off();
		const proxy = await scene.proxy(relay.url, { maxQueuedPerClient: 200 });
		const hostile = await rawClient(proxy);
		const ignored = `{"type":99,"pad":"${"x".repeat(30_000)}"}\u001e`;
		const before = held();
		for (const at of range(200)) {
			const call = {
				type: 1,
				...(at % 2 ? { invocationId: String(at) } : {}),
				target: "echo",
				arguments: [at],
			};
			hostile.webSocket.send(`${JSON.stringify(call)}\u001e${ignored}`);
		}
		await scene.forwarded(proxy, 200);
		await until(() => held() < before + 2 * 1_024 * 1_024);
		relay.on();
		assert.deepEqual(await hostile.next(), { type: 3, invocationId: "1", result: 1 });
	});

	it("long ids, targets and lists of streams count in what waits, as arguments do", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		relay.off();
		const long = "l".repeat(30_000);
		const streamIds = Array.from({ length: 1_000 }, (_, at) => `${at}`);
		for (const [takes, call] of [
			[3, { invocationId: long, target: "echo", arguments: [1] }],
			[3, { invocationId: "1", target: long, arguments: [1] }],
			[3, { invocationId: "1", target: "echo", arguments: [long] }],
			// A text in a list takes more than its characters.
			[2, { invocationId: "1", target: "upload", arguments: [], streamIds }],
		] as const) {
			const proxy = await scene.proxy(
				relay.url,
				{ maxQueuedBytes: 100_000 },
				{ maxStreamsPerConnection: 5_000 },
			);
			for (const at of range(takes)) {
				const client = await rawClient(proxy);
				client.send({ type: 1, ...call });
				await scene.forwarded(proxy, at + 1);
			}
			const last = await rawClient(proxy);
			last.send({ type: 1, ...call });
			assert.match(JSON.stringify(await last.next()), /ERR_FORWARD_QUEUE_FULL/);
			assert.deepEqual(codesOf(proxy), ["ERR_FORWARD_QUEUE_FULL"]);
			assert.equal(proxy.hub.links()[0]?.queued, takes);
		}
		relay.on();
	});

	it("a call with more streams than it may have is refused before it is passed on", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url, {}, { maxStreamsPerConnection: 1 });
		const hostile = await rawClient(proxy);
		const call = { type: 1, target: "upload", arguments: [] };
		hostile.send({ ...call, invocationId: "1", streamIds: ["a", "b"] });
		assert.match(
			JSON.stringify(await hostile.next()),
			/"invocationId":"1","error":"[^"]*streams open; 1 are allowed at once/,
		);
		hostile.invoke("2", "echo", 2);
		assert.deepEqual(await hostile.next(), { type: 3, invocationId: "2", result: 2 });
		assert.equal(app.hub.counters.get("invocations"), 1);
	});

	it("those who come and go while there is no app server are not kept", async () => {
		setFlagsFromString("--expose-gc");
		const collect = runInNewContext("gc") as () => void;
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		relay.off();
		const gone: WeakRef<object>[] = [];
		const proxy = await scene.proxy(relay.url);
		proxy.hub.on("disconnected", ({ connection }) => void gone.push(new WeakRef(connection)));
		for (const _ of range(300)) {
			const { webSocket } = await rawClient(proxy);
			webSocket.terminate();
		}
		await until(() => gone.length === 300);
		await until(() => {
			collect();
			return gone.filter((ref) => ref.deref() !== undefined).length <= 150;
		});
	});

	it("a call that cannot be sent is not taken for one that could, of the same id", async () => {
		const gate = deferred();
		const app = await scene.app({ onCall: () => gate.promise });
		const proxy = await scene.proxy(app.url);
		const hostile = await rawClient(proxy);
		hostile.invoke("1", "Update_VM", "V", 1);
		await scene.until(() => app.calls.length === 1);
		hostile.invoke("1", "m".repeat(300));
		const failure = (await hostile.next()) as { error: string };
		assert.match(failure.error, /ERR_FORWARD_TOO_LARGE/);
		gate.resolve();
		assert.deepEqual(await hostile.next(), { type: 3, invocationId: "1", result: null });
	});

	it("names of groups that links do not carry are names all the same, and cost nobody a session", async () => {
		const hub = createHub()({
			methods: {
				join: (ctx, group: string) => ctx.groups.add(ctx.connectionId, group),
				leave: (ctx, group: string) => ctx.groups.remove(ctx.connectionId, group),
				tell: (ctx, group: string) => ctx.clients.group(group).send("told", group.length),
				end: (ctx, text: string) => ctx.connection.close(text),
			},
		});
		hub.use(acceptLinks({ secrets: [SECRET] }));
		const server = scene.keep(createServer().map("/dotnetify", hub));
		const { url } = await server.listen(0, "127.0.0.1");
		const proxy = await scene.proxy(url);
		const [one, two] = [await rawClient(proxy), await rawClient(proxy)];
		for (const group of ["é".repeat(200), "half \ud800"]) {
			for (const client of [one, two]) {
				client.invoke("1", "join", group);
				assert.deepEqual(await client.next(), { type: 3, invocationId: "1", result: null });
			}
			one.invoke("2", "tell", group);
			const told = { type: 1, target: "told", arguments: [group.length] };
			assert.deepEqual([await one.next(), await two.next()], [told, told]);
			assert.deepEqual(await one.next(), { type: 3, invocationId: "2", result: null });
			one.invoke("3", "leave", group);
			assert.deepEqual(await one.next(), { type: 3, invocationId: "3", result: null });
		}
		two.invoke("4", "end", "half \ud800");
		await two.closed;
		await until(() => hub.lifetime.size === 1);
		assert.equal(hub.counters.get("linkSessionsLost"), 0);
	});

	it("what cannot reach a client of dotNetify's wire is reported, and ends no session", async () => {
		const app = createHub()({ methods: { hello: (ctx) => ctx.clients.caller.send("hello", 1) } });
		app.use(acceptLinks({ secrets: [SECRET] }));
		const server = scene.keep(createServer().map("/dotnetify", app));
		const { url } = await server.listen(0, "127.0.0.1");
		const inner = await scene.station({
			setUp: (hub) => {
				hub.use(acceptLinks({ secrets: [SECRET] }));
				hub.use(scene.forwarding(url));
			},
		});
		const outer = await scene.proxy(inner.url, { nativeLinks: false } as object);
		const client = await scene.client(outer.url);
		await client.invoke("hello").catch(() => {});
		await scene.until(() => inner.undeliverable.length > 0);
		assert.deepEqual(codesOf(inner), ["ERR_FORWARD_UNSUPPORTED"]);
		assert.equal(app.counters.get("linkSessionsLost"), 0);
	});
});
