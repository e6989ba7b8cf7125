import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { deferred, ManualClock } from "../../../lib/base/index.js";
import { HubException, type InvocationContext, method } from "../../../lib/index.js";
import { collectingLog } from "../fakes.js";
import { type AnyClient, failureOf, type Live, live, until } from "../live.js";

type Ctx = InvocationContext<AnyClient>;

/** How a call of ours ended, as text. */
async function outcomeOf(call: Promise<unknown>): Promise<string> {
	return call.then(
		(value) => `result ${JSON.stringify(value)}`,
		(error) => `${error.code ?? error.name}: ${error.message}`,
	);
}

describe("hub/streams/client-results", () => {
	let scene: Live;
	const clock = new ManualClock();
	afterEach(() => scene.close());
	const open = async (): Promise<void> => {
		scene = await live({
			maxPendingClientResults: 2,
			methods: {
				askCaller: async (ctx: Ctx, target: string, ...args: unknown[]) =>
					outcomeOf(ctx.clients.caller.invoke(target, ...args)),
				ask: (ctx: Ctx, id: string, target: string) => outcomeOf(ctx.clients.client(id).invoke(target)),
				leak: (ctx: Ctx) => ctx.clients.caller.invoke("fails"),
				hasSchema: method({ args: [] as const }, () => "other"),
				me: (ctx: Ctx) => ctx.connectionId,
			},
		});
	};

	for (const messagePack of [false, true]) {
		it(`asks a ${messagePack ? "messagepack" : "json"} client, and hears its result, its error or that it has none`, async () => {
			await open();
			const client = await scene.client({ messagePack });
			client.on("add", (a: number, b: number) => a + b);
			client.on("later", async () => ({ ok: true }));
			client.on("nothing", () => null);
			client.on("fails", () => {
				throw new Error("no, thanks");
			});
			assert.equal(await client.invoke("askCaller", "add", 1, 2), "result 3");
			assert.equal(await client.invoke("askCaller", "LATER"), 'result {"ok":true}');
			assert.equal(await client.invoke("askCaller", "nothing"), "result null");
			assert.equal(await client.invoke("askCaller", "fails"), "HubException: Error: no, thanks");
			assert.equal(await client.invoke("askCaller", "nope"), "HubException: Client didn't provide a result.");
			assert.match(await failureOf(client.invoke("leak")), /HubException: .*no, thanks/);
		});
	}

	it("asks from outside of a call, also several clients at once", async () => {
		await open();
		const clients = await Promise.all([scene.client(), scene.client()]);
		const answers = clients.map(async (client, at) => {
			client.on("who", () => at);
			return scene.hub.clients.client(client.connectionId ?? "").invoke("who");
		});
		assert.deepEqual(await Promise.all(answers), [0, 1]);
	});

	it("lets other invocations of the caller run while its method waits for it", async () => {
		await open();
		const client = await scene.client();
		client.on("ask back", async () => client.invoke("hasSchema"));
		assert.equal(await client.invoke("askCaller", "ask back"), 'result "other"');
		assert.equal(await client.invoke("hasSchema"), "other");
	});

	it("says so where the connection is not there, or goes", async () => {
		await open();
		const asking = await scene.client();
		assert.equal(
			await asking.invoke("ask", "nobody", "x"),
			"ERR_CLIENT_GONE: Connection 'nobody' does not exist.",
		);
		const asked = await scene.client();
		const id = asked.connectionId ?? "";
		const wasAsked = deferred();
		asked.on("hang", () => {
			wasAsked.resolve();
			return new Promise(() => {});
		});
		const answer = asking.invoke("ask", id, "hang");
		await wasAsked.promise;
		await asked.stop();
		assert.equal(await answer, `ERR_CLIENT_GONE: Connection '${id}' disconnected.`);
	});

	it("gives up when the time is over or the signal says so, and takes later answers for nothing", async () => {
		scene = await live({ clock, clientResultTimeoutMs: 700, methods: { ok: () => "ok" } });
		const raw = await scene.raw();
		const [client] = [...scene.hub.lifetime];
		const proxy = scene.hub.clients.client(client?.connectionId ?? "");
		const byDefault = outcomeOf(proxy.invoke("hang"));
		assert.deepEqual(await raw.next(), { type: 1, invocationId: "s1", target: "hang", arguments: [] });
		clock.advance(700);
		assert.equal(
			await byDefault,
			'ERR_CLIENT_RESULT_TIMEOUT: The client has not answered "hang" within 700 ms.',
		);
		const own = outcomeOf(proxy.with({ timeoutMs: 50 }).invoke("hang"));
		assert.equal(((await raw.next()) as { invocationId: string }).invocationId, "s2");
		clock.advance(50);
		assert.match(await own, /within 50 ms/);
		const controller = new AbortController();
		const aborted = outcomeOf(proxy.with({ signal: controller.signal }).invoke("hang"));
		await raw.next();
		controller.abort(new HubException("enough"));
		assert.equal(await aborted, "HubException: enough");
		assert.equal(
			await outcomeOf(proxy.with({ signal: controller.signal }).invoke("hang")),
			"HubException: enough",
		);
		for (const invocationId of ["s1", "s2", "s3", "s9"]) raw.send({ type: 3, invocationId, result: 1 });
		raw.invoke("1", "ok");
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: "ok" });
	});

	it("asks one client no more than allowed at once", async () => {
		await open();
		const raw = await scene.raw();
		const [client] = [...scene.hub.lifetime];
		const proxy = scene.hub.clients.client(client?.connectionId ?? "");
		const first = proxy.invoke("a");
		const second = proxy.invoke("b");
		assert.match(await outcomeOf(proxy.invoke("c")), /^ERR_LIMIT: .*2 calls.*maxPendingClientResults/);
		for (const invocationId of ["s1", "s2"]) raw.send({ type: 3, invocationId, result: invocationId });
		assert.deepEqual(await Promise.all([first, second]), ["s1", "s2"]);
		const third = proxy.invoke("c");
		raw.send({ type: 3, invocationId: "s3", result: 3 });
		assert.equal(await third, 3);
	});

	it("lets no more calls run beside their slots than may be unanswered, though each was answered", async () => {
		let running = 0;
		let most = 0;
		const gate = deferred();
		scene = await live({
			maxPendingClientResults: 2,
			methods: {
				async work(ctx: Ctx) {
					most = Math.max(most, ++running);
					const outcome = await outcomeOf(ctx.clients.caller.invoke("confirm"));
					await gate.promise;
					running--;
					return outcome;
				},
			},
		});
		const raw = await scene.raw();
		for (let at = 1; at <= 5; at++) raw.invoke(`${at}`, "work");
		for (const invocationId of ["s1", "s2"]) {
			assert.equal(((await raw.next()) as { invocationId: string }).invocationId, invocationId);
			raw.send({ type: 3, invocationId, result: true });
		}
		await until(() => running === 3);
		await scene.hub.clients.all.send("seen");
		assert.equal(((await raw.next()) as { target: string }).target, "seen");
		assert.equal(running, 3);
		gate.resolve();
		const outcomes: unknown[] = [];
		while (outcomes.length < 5) {
			const record = (await raw.next()) as { type: number; invocationId: string; result: string };
			if (record.type === 3) outcomes.push(record.result.slice(0, 11));
			else raw.send({ type: 3, invocationId: record.invocationId, result: true });
		}
		assert(outcomes.includes("ERR_LIMIT: "));
		assert.equal(most, 3);
	});

	for (const [what, fails] of [
		["whose client refuses", async (ctx: Ctx) => ctx.clients.caller.invoke("confirm")],
		[
			"that asks when it is over",
			async (ctx: Ctx) => {
				setImmediate(() => ctx.clients.caller.invoke("confirm").catch(() => {}));
			},
		],
	] as const) {
		it(`lets one call run at a time after a method ${what}`, async () => {
			const gate = deferred();
			const ran: number[] = [];
			scene = await live({
				methods: {
					fails,
					async slow(_ctx: Ctx, at: number) {
						ran.push(at);
						await gate.promise;
					},
				},
			});
			scene.hub.use((_ctx, next) => next());
			const raw = await scene.raw();
			for (let at = 0; at < 3; at++) {
				raw.invoke("f", "fails");
				for (let records = 0; records < 2; records++) {
					const { type, invocationId } = (await raw.next()) as { type: number; invocationId: string };
					if (type === 1) raw.send({ type: 3, invocationId, error: "no" });
				}
			}
			for (let at = 0; at < 3; at++) raw.invoke(`${at}`, "slow", at);
			await until(() => ran.length > 0);
			for (let turn = 0; turn < 50; turn++) await nextTurn();
			assert.deepEqual(ran, [0]);
			gate.resolve();
			for (let at = 0; at < 3; at++) await raw.next();
			assert.deepEqual(ran, [0, 1, 2]);
		});
	}

	it("ends a connection that answers for another, whose own answer still counts", async () => {
		await open();
		const asked = await scene.raw();
		const [client] = [...scene.hub.lifetime];
		const forger = await scene.raw();
		const answer = scene.hub.clients.client(client?.connectionId ?? "").invoke("secret");
		await asked.next();
		forger.send({ type: 3, invocationId: "s1", result: "forged" });
		assert.deepEqual(await forger.next(), {
			type: 7,
			error: "Connection closed with an error.",
			allowReconnect: true,
		});
		asked.send({ type: 3, invocationId: "s1", result: "true" });
		assert.equal(await answer, "true");
	});

	it("keeps a client's text out of the log above debug, and a client that goes as well", async () => {
		const log = collectingLog();
		scene = await live({
			log,
			methods: { leak: (ctx: Ctx) => ctx.clients.caller.invoke("fails") },
		});
		const raw = await scene.raw();
		raw.invoke("1", "leak");
		await raw.next();
		raw.send({ type: 3, invocationId: "s1", error: "e".repeat(30_000) });
		await raw.next();
		raw.invoke("2", "leak");
		await raw.next();
		raw.webSocket.terminate();
		await until(() => log.entries.filter(({ target }) => target === "leak").length === 2);
		const failures = log.entries.filter(({ target }) => target === "leak");
		assert.deepEqual(
			failures.map(({ level, code }) => [level, code]),
			[
				["debug", "HubException"],
				["debug", "ERR_CLIENT_GONE"],
			],
		);
		assert(JSON.stringify(log.entries).length < 2_000);
	});

	it("refuses to ask while the connected listener runs, which would wait for ever", async () => {
		await open();
		const asked = deferred<string>();
		scene.hub.on("connected", async (ctx) => asked.resolve(await outcomeOf(ctx.clients.caller.invoke("x"))));
		await scene.client();
		assert.match(await asked.promise, /^ERR_CLIENT_RESULT: /);
	});

	it("fails at once where the call cannot be written, and keeps nothing", async () => {
		await open();
		await scene.raw();
		const [client] = [...scene.hub.lifetime];
		const cycle: unknown[] = [];
		cycle.push(cycle);
		const proxy = scene.hub.clients.client(client?.connectionId ?? "");
		for (let at = 0; at < 5; at++)
			assert.match(await outcomeOf(proxy.invoke("x", cycle)), /^ERR_SERIALIZATION/);
		await until(() => scene.hub.lifetime.size === 1);
	});
});
