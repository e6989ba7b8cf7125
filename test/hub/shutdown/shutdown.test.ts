import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import {
	HttpTransportType,
	type HubConnection,
	HubConnectionBuilder,
	HubConnectionState,
	LogLevel,
} from "@microsoft/signalr";
import fc from "fast-check";
import { deferred, ManualClock } from "../../../lib/base/index.js";
import {
	type Completer,
	type CreateHubOptions,
	createHub,
	createServer,
	method,
} from "../../../lib/index.js";
import { MessageType } from "../../../lib/protocols/index.js";
import { collectingLog, FakeWire, identityOf, invocation, settle } from "../fakes.js";
import { type AnyClient, type Live, live, type RawClient, until } from "../live.js";

const CLOSE = { type: 7, allowReconnect: true };

describe("hub/shutdown", () => {
	let server: Live;
	let gate: ReturnType<typeof deferred<unknown>>;

	afterEach(() => server.close());

	/** A hub whose `slow` answers when the gate opens. */
	async function start(options: CreateHubOptions<AnyClient> = {}): Promise<void> {
		gate = deferred<unknown>();
		const methods = { slow: () => gate.promise, quick: () => "quick" };
		server = await live({ ...options, methods: { ...methods, ...options.methods } });
	}

	/** A client whose call of a method runs. */
	async function busy(target = "slow"): Promise<RawClient> {
		const raw = await server.raw();
		const { counters } = server.hub;
		const before = counters.get("invocations");
		raw.invoke("1", target);
		await until(() => counters.get("invocations") > before);
		return raw;
	}

	it("sends idle clients away at once, and others when their calls are answered", async () => {
		await start();
		const [idle, working] = [await server.raw(), await busy()];
		const closed = server.hub.close();
		assert.deepEqual(await idle.next(), CLOSE);
		assert.equal((await fetch(`${server.url}/negotiate`, { method: "POST" })).status, 503);
		assert.deepEqual([working.records, server.hub.lifetime.size], [[], 1]);
		gate.resolve("done");
		assert.deepEqual(
			[await working.next(), await working.next()],
			[{ type: 3, invocationId: "1", result: "done" }, CLOSE],
		);
		await closed;
		assert.deepEqual([await idle.closed, await working.closed], [1000, 1000]);
	});

	it("starts no more calls and streams, those that wait included", async () => {
		await start({ methods: { *items() {} } });
		const raw = await busy();
		raw.invoke("2", "quick");
		const closed = server.hub.close();
		await settle();
		raw.invoke("3", "quick");
		raw.send({ type: 4, invocationId: "4", target: "items", arguments: [] });
		raw.send({ type: 6 });
		gate.resolve(1);
		assert.deepEqual(
			[await raw.next(), await raw.next()],
			[{ type: 3, invocationId: "1", result: 1 }, CLOSE],
		);
		await closed;
		await raw.closed;
		assert.deepEqual([raw.records, server.hub.counters.get("invocations")], [[], 1]);
	});

	it("lets a call end that asks its client, or reads what it uploads", async () => {
		const asked = deferred();
		await start({
			methods: {
				ask: (ctx) => {
					asked.resolve();
					return ctx.clients.caller.invoke("answer");
				},
				sum: method({ streams: 1 }, async (_ctx, numbers: AsyncIterable<number>) => {
					let sum = 0;
					for await (const number of numbers) sum += number;
					return sum;
				}),
			},
		});
		const [asking, uploading] = [await server.raw(), await server.raw()];
		asking.invoke("1", "ask");
		await asked.promise;
		uploading.send({ type: 1, invocationId: "1", target: "sum", arguments: [], streamIds: ["u"] });
		uploading.send({ type: 2, invocationId: "u", item: 1 });
		await until(() => server.hub.counters.get("invocations") === 2);
		const closed = server.hub.close();
		const { invocationId } = (await asking.next()) as { invocationId: string };
		asking.send({ type: 3, invocationId, result: "yes" });
		assert.deepEqual(
			[await asking.next(), await asking.next()],
			[{ type: 3, invocationId: "1", result: "yes" }, CLOSE],
		);
		uploading.send({ type: 2, invocationId: "u", item: 2 });
		uploading.send({ type: 3, invocationId: "u" });
		assert.deepEqual(
			[await uploading.next(), await uploading.next()],
			[{ type: 3, invocationId: "1", result: 3 }, CLOSE],
		);
		await closed;
	});

	it("waits for answers that a middleware has taken over", async () => {
		await start();
		const completers: Completer[] = [];
		server.hub.use((ctx) => void completers.push(ctx.deferCompletion()));
		const raw = await busy();
		await until(() => completers.length === 1);
		const closed = server.hub.close();
		await settle();
		assert.deepEqual(raw.records, []);
		completers[0]?.complete("late");
		assert.deepEqual(
			[await raw.next(), await raw.next()],
			[{ type: 3, invocationId: "1", result: "late" }, CLOSE],
		);
		await closed;
	});

	it("waits for methods whose clients are gone", async () => {
		const clock = new ManualClock();
		await start({ clock });
		server.hub.use((_ctx, next) => next());
		for (const how of ["close", "terminate"] as const) {
			const raw = await busy();
			raw.webSocket[how]();
			await until(() => server.hub.lifetime.size === 0);
		}
		let isClosed = false;
		const closed = server.hub.close().then(() => {
			isClosed = true;
		});
		for (let turn = 0; turn < 5; turn++) await settle();
		assert.equal(isClosed, false);
		gate.resolve(1);
		await closed;
		assert.equal(clock.pending, 0);
	});

	it("does not wait for streams to clients, whose generators are ended", async () => {
		const ended = deferred();
		await start({
			methods: {
				async *forever(ctx) {
					try {
						yield 1;
						await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
					} finally {
						ended.resolve();
					}
				},
			},
		});
		const raw = await server.raw();
		raw.send({ type: 4, invocationId: "1", target: "forever", arguments: [] });
		assert.deepEqual(await raw.next(), { type: 2, invocationId: "1", item: 1 });
		await Promise.all([server.hub.close(), ended.promise]);
		assert.deepEqual(await raw.next(), CLOSE);
	});

	it("cuts what still runs when its time is over, and tells its method", async () => {
		const clock = new ManualClock();
		const log = collectingLog();
		const aborted = deferred();
		const reasons: string[] = [];
		await start({
			...{ clock, log },
			methods: {
				hang(ctx) {
					ctx.signal.addEventListener("abort", () => aborted.resolve());
					return new Promise(() => {});
				},
			},
		});
		server.hub.on("disconnected", (_ctx, { kind }) => void reasons.push(kind));
		const raw = await busy("hang");
		const closed = server.hub.close();
		await settle();
		clock.advance(4_999);
		await settle();
		assert.deepEqual([raw.records, reasons], [[], []]);
		clock.advance(1);
		await Promise.all([closed, aborted.promise]);
		assert.deepEqual([await raw.next(), reasons], [CLOSE, ["closed"]]);
		assert.equal(log.lines.filter((line) => line.startsWith("warn The time to close is over")).length, 1);
		await raw.closed;
		await until(() => clock.pending === 0);
	});

	it("takes a time and a signal, and a second call may draw the end nearer", async () => {
		for (const cut of ["time", "signal", "second call"] as const) {
			const clock = new ManualClock();
			await start({ clock });
			const raw = await busy();
			const controller = new AbortController();
			const { signal } = controller;
			const closed = server.hub.close({ timeoutMs: 50, signal });
			const again = cut === "second call" ? server.hub.close({ timeoutMs: 0 }) : server.hub.close();
			assert.equal(again, closed);
			if (cut === "time") clock.advance(50);
			if (cut === "signal") controller.abort();
			assert.deepEqual(await raw.next(), CLOSE);
			await closed;
			assert.equal(getEventListeners(signal, "abort").length, 0);
			await server.close();
		}
	});

	it("waits for disconnected listeners up to the deadline, and a second at most beyond", async () => {
		const clock = new ManualClock();
		const log = collectingLog();
		await start({ clock, log });
		server.hub.on("disconnected", () => new Promise(() => {}));
		await server.raw();
		let isClosed = false;
		const closed = server.hub.close().then(() => {
			isClosed = true;
		});
		await settle();
		clock.advance(5_000);
		await settle();
		clock.advance(999);
		await settle();
		assert.equal(isClosed, false);
		clock.advance(1);
		await closed;
		const errors = log.lines.filter((line) => line.startsWith("error"));
		assert.deepEqual(errors, [
			"error Disconnected listeners have not settled; the hub is closed without them.",
		]);
		clock.advance(10_000);
	});

	it("answers every call that was started, then closes, whatever comes in between (property)", async () => {
		const step = fc.oneof(
			fc.record({ kind: fc.constantFrom("call", "notify", "stream"), client: fc.nat(2) }),
			fc.record({ kind: fc.constantFrom("answer", "close", "leave"), client: fc.nat(2) }),
		);
		await fc.assert(
			fc.asyncProperty(
				fc.array(step, { maxLength: 30 }),
				fc.integer({ min: 1, max: 3 }),
				async (steps, most) => {
					const gates: (() => void)[] = [];
					const hub = createHub()({
						maximumParallelInvocations: most,
						methods: {
							slow: () => new Promise<void>((resolve) => gates.push(resolve)),
							async *forever(ctx) {
								yield 1;
								await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
							},
						},
					});
					const clients = [0, 1, 2].map((at) => {
						const wire = new FakeWire();
						return { wire, client: hub.open(identityOf(`c${at}`), wire), left: false };
					});
					await settle();
					let closed: Promise<void> | undefined;
					let startedBefore = 0;
					for (const [id, { kind, client: at }] of steps.entries()) {
						const entry = clients[at] as (typeof clients)[number];
						const stream = { type: MessageType.StreamInvocation, invocationId: `${id}` } as const;
						if (kind === "call") void entry.client.receive(invocation("slow", [], `${id}`));
						if (kind === "notify") void entry.client.receive(invocation("slow"));
						if (kind === "stream") void entry.client.receive({ ...invocation("forever"), ...stream });
						if (kind === "answer") gates[at]?.();
						if (kind === "leave") {
							entry.left = true;
							void entry.client.ended({ kind: "lost" });
						}
						await settle();
						if (kind !== "close" || closed) continue;
						closed = hub.close();
						startedBefore = gates.length;
					}
					closed ??= hub.close();
					startedBefore ||= gates.length;
					await settle();
					for (const open of gates) open();
					await closed;
					assert.equal(gates.length, startedBefore, "nothing is started once it closes");
					assert.equal(hub.lifetime.size, 0);
					for (const { wire, left } of clients) {
						assert.deepEqual(
							wire.closes.map(({ allowReconnect }) => allowReconnect),
							left && wire.closes.length === 0 ? [] : [true],
						);
					}
				},
			),
			{ numRuns: 100 },
		);
	});

	it("closes once where a listener closes the hub too", async () => {
		await start();
		let closes = 0;
		const again: Promise<void>[] = [];
		server.hub.use({ install: () => undefined, close: async () => void closes++ });
		server.hub.on("disconnected", () => void again.push(server.hub.close()));
		await Promise.all([server.raw(), server.raw()]);
		const closed = server.hub.close();
		await closed;
		assert.deepEqual([closes, again.map((promise) => promise === closed)], [1, [true, true]]);
	});

	it("closes the other extensions where one fails", async () => {
		const log = collectingLog();
		await start({ log });
		let closes = 0;
		const install = (): undefined => undefined;
		server.hub.use({ install, close: () => Promise.reject(new Error("x")) });
		server.hub.use({ install, close: async () => void closes++ });
		await server.hub.close();
		assert.deepEqual([closes, log.lines], [1, ["error An extension failed while it was closed."]]);
	});

	it("refuses a time that is none, and goes on", async () => {
		await start();
		const raw = await server.raw();
		await assert.rejects(server.hub.close({ timeoutMs: -1 }), { code: "ERR_OPTION" });
		await assert.rejects(server.server.close({ timeoutMs: Number.NaN }), { code: "ERR_OPTION" });
		assert.equal(server.hub.isClosing, false);
		raw.invoke("1", "quick");
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: "quick" });
	});

	it("answers a stock client's call before it sends it away, and that reconnects", async () => {
		await start();
		const connection = await server.client({ reconnect: true });
		const reconnecting = deferred();
		connection.onreconnecting(() => reconnecting.resolve());
		const call = connection.invoke("slow");
		await until(() => server.hub.counters.get("invocations") === 1);
		const closed = server.server.close();
		gate.resolve("answered");
		assert.equal(await call, "answered");
		await Promise.all([reconnecting.promise, closed]);
		assert.notEqual(connection.state, HubConnectionState.Connected);
	});

	for (const transport of ["ServerSentEvents", "LongPolling"] as const) {
		/** A stock client over the transport, and what it is told when it loses its connection. */
		async function over(): Promise<{ connection: HubConnection; lost: Promise<Error | undefined> }> {
			const connection = new HubConnectionBuilder()
				.withUrl(server.url, { transport: HttpTransportType[transport] })
				.configureLogging(LogLevel.None)
				.withAutomaticReconnect([60_000])
				.build();
			const lost = deferred<Error | undefined>();
			connection.onreconnecting(lost.resolve);
			await connection.start();
			return { connection, lost: lost.promise };
		}

		it(`answers a call over ${transport}, whose client answers one itself meanwhile, before it sends that away`, async () => {
			await start({ methods: { ask: (ctx) => ctx.clients.caller.invoke("name") } });
			const { connection, lost } = await over();
			const [asked, named] = [deferred(), deferred<string>()];
			connection.on("name", () => {
				asked.resolve();
				return named.promise;
			});
			const call = connection.invoke("ask");
			await asked.promise;
			const closed = server.server.close();
			assert.equal((await fetch(`${server.url}/negotiate`, { method: "POST" })).status, 503);
			named.resolve("ann");
			assert.equal(await call, "ann");
			assert.equal(await lost, undefined, "told by a Close message");
			await Promise.all([connection.stop(), closed]);
		});

		it(`tells a client over ${transport} whose call is cut`, async () => {
			await start();
			const { connection, lost } = await over();
			const call = assert.rejects(connection.invoke("slow"));
			await until(() => server.hub.counters.get("invocations") === 1);
			const closed = server.server.close({ timeoutMs: 1 });
			assert.equal(await lost, undefined, "told by a Close message");
			await Promise.all([call, connection.stop(), closed]);
		});
	}

	it("cuts clients that do not close their end, so that a server's end comes", async () => {
		await start();
		const raw = await server.raw();
		// The closing frame is never read, and so never answered.
		raw.webSocket.pause();
		const sockets = await new Promise<number>((resolve) =>
			server.server.http.getConnections((_error, count) => resolve(count)),
		);
		assert.equal(sockets, 1);
		await server.server.close({ timeoutMs: 1 });
		const left = await new Promise<number>((resolve) =>
			server.server.http.getConnections((_error, count) => resolve(count)),
		);
		assert.equal(left, 0);
	});

	it("ends a server whose methods hang as its time or signal says", async () => {
		for (const options of [{ timeoutMs: 0 }, { signal: AbortSignal.timeout(1) }, { timeoutMs: 1 }]) {
			await start();
			const raw = await busy();
			const closed = server.server.close(options);
			assert.equal(server.server.close(), closed);
			assert.deepEqual(await raw.next(), CLOSE);
			await closed;
			assert.equal(await raw.closed, 1000);
		}
	});

	it("closes several hubs of a server side by side", async () => {
		await start();
		const other = createHub()();
		const wires = [new FakeWire(), new FakeWire()];
		const both = createServer().map("/a", other).map("/b", server.hub);
		for (const [at, wire] of wires.entries()) other.open(identityOf(`c${at}`), wire);
		const raw = await busy();
		const closed = both.close();
		await until(() => wires.every(({ closes }) => closes.length === 1));
		assert.deepEqual(raw.records, []);
		gate.resolve(1);
		await closed;
		assert.equal(server.hub.lifetime.size, 0);
	});
});
