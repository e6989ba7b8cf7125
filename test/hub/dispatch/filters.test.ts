import assert from "node:assert/strict";
import fc from "fast-check";
import { deferred, ManualClock } from "../../../lib/base/index.js";
import { HubException } from "../../../lib/errors/index.js";
import { createHub, type Hub, type HubFilter } from "../../../lib/hub/index.js";
import { MessageType } from "../../../lib/protocols/index.js";
import { collectingLog, FakeWire, identityOf, invocation, settle } from "../fakes.js";
import { live, until } from "../live.js";

/** A filter that notes what it sees, in and out. */
function noting(name: string, seen: string[]): HubFilter {
	const around =
		(what: string) =>
		async (_ctx: unknown, next: () => Promise<void>): Promise<void> => {
			seen.push(`${name} ${what}`);
			await next();
			seen.push(`${name} ${what} done`);
		};
	return {
		invocation: around("invocation"),
		connected: around("connected"),
		disconnected: around("disconnected"),
	};
}

function open(hub: Hub, connectionId = "c1") {
	const wire = new FakeWire();
	return { wire, client: hub.open(identityOf(connectionId), wire) };
}

describe("hub/dispatch/filters", () => {
	it("stand around calls, connected and disconnected listeners, the first one outermost", async () => {
		const seen: string[] = [];
		const server = await live({ methods: { m: () => void seen.push("method") } });
		server.hub.use(noting("a", seen)).use(noting("b", seen));
		server.hub.on("connected", () => void seen.push("connected listener"));
		server.hub.on("disconnected", () => void seen.push("disconnected listener"));
		const raw = await server.raw();
		raw.invoke("1", "m");
		await raw.next();
		raw.webSocket.close();
		await until(() => server.hub.lifetime.size === 0);
		const onion = (what: string, core: string): string[] => [
			...[`a ${what}`, `b ${what}`, core, `b ${what} done`, `a ${what} done`],
		];
		assert.deepEqual(seen, [
			...onion("connected", "connected listener"),
			...onion("invocation", "method"),
			...onion("disconnected", "disconnected listener"),
		]);
		await server.close();
	});

	it("give disconnected filters the reason, and every filter the client's items", async () => {
		const seen: unknown[] = [];
		const hub = createHub()();
		hub.use({
			connected(ctx, next) {
				ctx.items.set("since", 5);
				return next();
			},
			disconnected: (ctx) => void seen.push(ctx.reason.kind, ctx.items.get("since"), ctx.connectionId),
		});
		const { client } = open(hub);
		await settle();
		await client.ended({ kind: "lost" });
		assert.deepEqual(seen, ["lost", 5, "c1"]);
	});

	it("refuse a client by throwing, with the text of a HubException and without allowReconnect", async () => {
		for (const [thrown, error] of [
			[new HubException("too many"), "Connection closed with an error. HubException: too many"],
			[new Error("secret"), "Connection closed with an error."],
		] as const) {
			const seen: string[] = [];
			const server = await live({ methods: { m: () => 1 } });
			server.hub.use(noting("outer", seen));
			server.hub.use({
				connected() {
					throw thrown;
				},
				disconnected: () => void seen.push("disconnected"),
			});
			server.hub.on("connected", () => void seen.push("listener"));
			const raw = await server.raw();
			assert.deepEqual(await raw.next(), { type: 7, error });
			await raw.closed;
			assert.deepEqual([seen, server.hub.lifetime.size], [["outer connected"], 0]);
			await server.close();
		}
	});

	it("hold the client's first call until they are done", async () => {
		const gate = deferred();
		const server = await live({ methods: { m: () => 1 } });
		server.hub.use({
			async connected(_ctx, next) {
				await next();
				await gate.promise;
			},
		});
		const raw = await server.raw();
		raw.invoke("1", "m");
		await until(() => server.hub.lifetime.size === 1);
		await settle();
		assert.deepEqual([raw.records, server.hub.counters.get("invocations")], [[], 0]);
		gate.resolve();
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: 1 });
		await server.close();
	});

	it("keep connected listeners from running where next is not called, and leave the client in", async () => {
		const hub = createHub()();
		let runs = 0;
		hub.use({ connected: () => undefined }).on("connected", () => void runs++);
		const { client, wire } = open(hub);
		await settle();
		assert.deepEqual([runs, client.isOpening, client.isEnded, wire.closes], [0, false, false, []]);
	});

	it("run all for a disconnected client, whatever one of them does", async () => {
		const log = collectingLog();
		const hub = createHub()({ log });
		const seen: string[] = [];
		hub.use({ disconnected: () => void seen.push("without next") });
		hub.use({
			disconnected() {
				seen.push("throws");
				throw new Error("x");
			},
		});
		hub.use({
			async disconnected(_ctx, next) {
				await next();
				seen.push("twice");
				await next();
			},
		});
		hub.on("disconnected", () => {
			seen.push("listener 1");
			throw new Error("y");
		});
		hub.on("disconnected", () => void seen.push("listener 2"));
		const { client } = open(hub);
		await settle();
		await client.ended({ kind: "closed" });
		assert.deepEqual(seen, ["without next", "throws", "listener 1", "listener 2", "twice"]);
		assert.deepEqual(log.lines, [
			"error A disconnected filter failed.",
			"error A disconnected listener failed.",
			"error A disconnected filter failed.",
		]);
		assert.equal((log.entries[2]?.err as { code?: string } | undefined)?.code, "ERR_MIDDLEWARE");
		assert.equal(hub.lifetime.size, 0);
	});

	it("run disconnected once for each client that was let in, however it ends", async () => {
		const step = fc.record({
			isRefused: fc.boolean(),
			end: fc.constantFrom("closed", "lost", "abort"),
			isEarly: fc.boolean(),
		});
		await fc.assert(
			fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
				const hub = createHub()();
				const entered: string[] = [];
				const left: string[] = [];
				const refused = new Set<string>();
				hub.use({
					async connected({ connectionId }, next) {
						await settle();
						if (refused.has(connectionId)) throw new Error("no");
						entered.push(connectionId);
						await next();
					},
					disconnected: ({ connectionId }) => void left.push(connectionId),
				});
				for (const [at, { isRefused, end, isEarly }] of steps.entries()) {
					if (isRefused) refused.add(`c${at}`);
					const { client } = open(hub, `c${at}`);
					if (!isEarly) for (let turn = 0; turn < 3; turn++) await settle();
					if (end === "abort") client.abort();
					else void client.ended({ kind: end });
					await client.ended({ kind: "closed" });
				}
				await hub.close();
				assert.deepEqual(left, entered);
				assert.equal(hub.lifetime.size, 0);
			}),
			{ numRuns: 50 },
		);
	});

	it("are waited for no longer than listenerTimeoutMs at a client's end", async () => {
		const clock = new ManualClock();
		const hub = createHub()({ clock, listenerTimeoutMs: 100 });
		hub.use({ disconnected: () => new Promise(() => {}) });
		const { client } = open(hub);
		await settle();
		const ended = client.ended({ kind: "closed" });
		await settle();
		assert.equal(hub.lifetime.size, 1);
		clock.advance(100);
		await ended;
		assert.equal(hub.lifetime.size, 0);
	});

	it("answer a call by what they return where they do not call next", async () => {
		const server = await live({ methods: { m: () => "method" } });
		server.hub.use(async ({ args: [how] }, next) => {
			if (how === "return") return "filter";
			await next();
			return "too late";
		});
		server.hub.use((ctx, next) => {
			if (ctx.args[0] !== "set") return next();
			ctx.result = "set";
			return undefined;
		});
		const raw = await server.raw();
		for (const [how, result] of [
			["return", "filter"],
			["set", "set"],
			["next", "method"],
		]) {
			raw.invoke("1", "m", how);
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result });
		}
		await server.close();
	});

	it("answer a call for a stream by an iterable", async () => {
		const server = await live({ methods: { *m() {} } });
		server.hub.use((ctx) => (ctx.isStream ? [1, 2] : undefined));
		const raw = await server.raw();
		raw.send({ type: MessageType.StreamInvocation, invocationId: "1", target: "m", arguments: [] });
		assert.deepEqual(
			[await raw.next(), await raw.next(), await raw.next()],
			[
				{ type: 2, invocationId: "1", item: 1 },
				{ type: 2, invocationId: "1", item: 2 },
				{ type: 3, invocationId: "1" },
			],
		);
		await server.close();
	});

	it("that forget to await next lose the answer, and the failure only to the log", async () => {
		const log = collectingLog();
		const gate = deferred();
		const hub = createHub()({
			log,
			methods: {
				async m() {
					await gate.promise;
					throw new Error("x");
				},
			},
		});
		hub.use((_ctx, next) => void next());
		hub.use({ connected: (_ctx, next) => void next() });
		hub.on("connected", async () => {
			await gate.promise;
			throw new Error("y");
		});
		const { client, wire } = open(hub as unknown as Hub);
		await settle();
		client.receive(invocation("m", [], "1"));
		await settle();
		assert.deepEqual(wire.sent, [
			{ type: MessageType.Completion, invocationId: "1", hasResult: true, result: null },
		]);
		gate.resolve();
		await settle();
		assert.deepEqual(log.lines.sort(), [
			"error A connected listener failed, and a filter had not awaited next().",
			"error An invocation failed.",
		]);
	});

	it("are refused where they are none", () => {
		const hub = createHub()();
		for (const wrong of [{}, { connected: undefined }, null, undefined, 5, "x", { connect() {} }]) {
			assert.throws(() => hub.use(wrong as HubFilter), { code: "ERR_OPTION", message: /^hub\.use / });
		}
		assert.throws(() => hub.use({ connected: "x" } as unknown as HubFilter), {
			code: "ERR_OPTION",
			message: 'hub.use needs a function as "connected".',
		});
	});
});
