import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import fc from "fast-check";
import { deferred } from "../../lib/base/index.js";
import { type Live, live, RawClient, until } from "./live.js";

const CLOSED = { type: 7, error: "Connection closed with an error.", allowReconnect: true };

describe("hub on the wire", () => {
	let server: Live;
	let gate = deferred();
	const started: unknown[] = [];
	beforeEach(async () => {
		gate = deferred();
		started.length = 0;
		server = await live({
			methods: {
				echo: (_ctx, value: unknown) => value,
				slow: async (_ctx, name: unknown) => {
					started.push(name);
					await gate.promise;
					return name;
				},
			},
		});
	});
	afterEach(async () => {
		gate.resolve();
		await server.close();
	});

	it("runs one invocation at a time while pings and malformed input are handled", async () => {
		const raw = await server.raw();
		raw.invoke("1", "slow", 1);
		await until(() => started.length === 1);
		raw.send({ type: 6 });
		raw.send({ type: 1, invocationId: 5, target: "slow", arguments: [] });
		assert.deepEqual(await raw.next(), CLOSED);
		assert.equal(await raw.closed, 1000);
		assert.deepEqual(started, [1]);
	});

	it("answers a client's Close at once, a running invocation or not", async () => {
		const reasons: unknown[] = [];
		server.hub.on("disconnected", (_ctx, { kind, error }) => void reasons.push(kind, error?.message));
		const raw = await server.raw();
		raw.invoke("1", "slow", 1);
		raw.send({ type: 7, error: "mine" });
		assert.deepEqual(await raw.next(), { type: 7 });
		assert.equal(await raw.closed, 1000);
		assert.deepEqual(reasons, ["closed", "mine"]);
	});

	it("stops reading when a second invocation waits, and goes on in order", async () => {
		const raw = await server.raw();
		for (const id of [1, 2, 3]) raw.invoke(String(id), "slow", id);
		raw.send({ type: 7 });
		await until(() => started.length === 1);
		// Far more than one read of the socket: it fills the buffers between the two ends once nobody reads.
		const message = JSON.stringify({ type: 1, target: "echo", arguments: ["a".repeat(30_000)] });
		for (let at = 0; at < 400; at++) raw.send(message);
		for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
		assert(raw.webSocket.bufferedAmount > 0, "the client's bytes wait on its own side");
		assert.deepEqual([started, server.hub.lifetime.size], [[1], 1]);
		gate.resolve();
		const answers = [await raw.next(), await raw.next()] as { invocationId: string }[];
		assert.deepEqual(
			answers.map(({ invocationId }) => invocationId),
			["1", "2"],
		);
		await until(() => server.hub.lifetime.size === 0);
		assert.deepEqual(started, [1, 2, 3]);
	});

	it("starts the next invocation only when the one before has ended", async () => {
		const raw = await server.raw();
		raw.invoke("1", "slow", 1);
		raw.invoke("2", "slow", 2);
		await until(() => started.length === 1);
		const other = await server.raw();
		other.invoke("1", "echo", "unhindered");
		assert.deepEqual(await other.next(), { type: 3, invocationId: "1", result: "unhindered" });
		assert.deepEqual(started, [1]);
		gate.resolve();
		await raw.next();
		await raw.next();
		assert.deepEqual(started, [1, 2]);
	});

	it("drops what waits when a client goes, and tells the running method", async () => {
		const aborted = deferred();
		server.hub.use(async (ctx, next) => {
			ctx.signal.addEventListener("abort", () => aborted.resolve(), { once: true });
			await next();
		});
		const raw = await server.raw();
		raw.invoke("1", "slow", 1);
		await until(() => started.length === 1);
		raw.webSocket.terminate();
		await aborted.promise;
		await until(() => server.hub.lifetime.size === 0);
		gate.resolve();
		assert.deepEqual(started, [1]);
	});

	it("takes a message of 32768 bytes, and closes at one more", async () => {
		const head = '{"type":1,"invocationId":"1","target":"echo","arguments":["';
		const ofSize = (bytes: number): string => `${head}${"a".repeat(bytes - head.length - 4)}"]}`;
		const raw = await server.raw();
		raw.send(ofSize(32_768));
		assert.equal(((await raw.next()) as { result: string }).result.length, 32_768 - head.length - 4);
		raw.send(ofSize(32_769));
		assert.deepEqual(await raw.next(), CLOSED);
		assert.equal(await raw.closed, 1000);
	});

	it("takes frames split anywhere, handshake included", async () => {
		const stream = Buffer.from(
			`{"protocol":"json","version":1}\u001e${JSON.stringify({ type: 1, invocationId: "1", target: "echo", arguments: ["straße €"] })}\u001e`,
		);
		await fc.assert(
			fc.asyncProperty(fc.array(fc.nat(stream.length), { maxLength: 8 }), async (cuts) => {
				const raw = await RawClient.open(server.port);
				const edges = [0, ...cuts.sort((a, b) => a - b), stream.length];
				for (const [at, edge] of edges.slice(1).entries())
					raw.webSocket.send(stream.subarray(edges[at], edge));
				assert.deepEqual(
					[await raw.next(), await raw.next()],
					[{}, { type: 3, invocationId: "1", result: "straße €" }],
				);
				raw.webSocket.close();
				await raw.closed;
			}),
			{ numRuns: 30 },
		);
	});

	it("closes a connection that sends anything, and no other", async () => {
		const witness = await server.raw();
		await fc.assert(
			fc.asyncProperty(
				fc.uint8Array({ minLength: 1, maxLength: 200 }),
				fc.boolean(),
				async (bytes, isShaken) => {
					const raw = await RawClient.open(server.port);
					if (isShaken) await raw.handshake();
					raw.webSocket.send(Buffer.concat([Buffer.from("x"), bytes, Buffer.from([0x1e])]));
					assert.equal(await raw.closed, 1000);
					witness.invoke("1", "echo", "here");
					assert.deepEqual(await witness.next(), { type: 3, invocationId: "1", result: "here" });
				},
			),
			{ numRuns: 30 },
		);
		assert.equal(server.hub.lifetime.size, 1);
	});

	it("survives random bytes at the door", async () => {
		await fc.assert(
			fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
				const socket = connect(server.port, "127.0.0.1");
				socket.on("error", () => {});
				socket.end(bytes);
				socket.resume();
				await once(socket, "close");
			}),
			{ numRuns: 30 },
		);
		const raw = await server.raw();
		raw.invoke("1", "echo", 1);
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: 1 });
	});

	it("sends Close with allowReconnect to everybody at shutdown, and takes nobody new", async () => {
		const raws = [await server.raw(), await server.raw()];
		const shaking = await RawClient.open(server.port);
		const closed = server.hub.close();
		for (const raw of raws) assert.deepEqual(await raw.next(), { type: 7, allowReconnect: true });
		for (const raw of [...raws, shaking]) assert.equal(await raw.closed, 1000);
		await closed;
		assert.equal(server.hub.lifetime.size, 0);
		const answer = await fetch(`${server.url}/negotiate?negotiateVersion=1`, { method: "POST" });
		assert.equal(answer.status, 503);
		assert.equal(server.hub.close(), server.hub.close());
	});

	it("turns a handshake away that comes while it closes", async () => {
		const hold = deferred();
		server.hub.on("disconnected", () => hold.promise);
		await server.raw();
		const late = await RawClient.open(server.port);
		const closed = server.hub.close();
		late.send({ protocol: "json", version: 1 });
		assert.deepEqual([await late.next(), await late.next()], [{}, { type: 7, allowReconnect: true }]);
		hold.resolve();
		await closed;
		assert.equal(server.hub.counters.get("connects"), 1);
	});

	it("keeps nothing of connections that came and went", async () => {
		for (let round = 0; round < 20; round++) {
			const raw = await server.raw();
			await server.hub.groups.add([...server.hub.lifetime][0]?.connectionId ?? "", "g");
			raw.webSocket.close();
			await raw.closed;
		}
		await until(() => server.hub.lifetime.size === 0);
		assert.deepEqual(
			["connects", "disconnects"].map((name) => server.hub.counters.get(name)),
			[20, 20],
		);
		for (const name of ["connection", "upgrade", "request", "close", "error"]) {
			assert(server.server.http.listenerCount(name) <= 2, name);
		}
	});
});
