import assert from "node:assert/strict";
import fc from "fast-check";
import { ManualClock } from "../../../lib/index.js";
import {
	assertCounted,
	type Call,
	type Client,
	codesOf,
	failure,
	range,
	Scene,
	type Station,
	WIRES,
	type Wire,
} from "../support/scene.js";

/** What a view model was told, whichever wire has carried it. */
const toldOf = ({ data }: Call): unknown => (typeof data === "string" ? JSON.parse(data) : data);
/** Sends an update for which nobody waits: over native links its answer comes from the app server. */
const update = ({ connection }: Client, vmId: string, data: unknown): Promise<void> =>
	connection.send("Update_VM", vmId, data);

for (const wire of WIRES) {
	describe(`forwarding/proxy-end/waiting over the ${wire} wire`, () => {
		let scene: Scene;
		beforeEach(() => {
			scene = new Scene(wire);
		});
		afterEach(() => scene.close());

		/** Resolves when a proxy has read and taken this many calls. */
		const taken = ({ hub }: Station, count: number): Promise<void> =>
			scene.until(() => hub.counters.get("forwarded") === count);

		it("keeps messages until an app server that was not there at the start comes, in order", async () => {
			const app = await scene.app();
			const relay = await scene.relay(app.port);
			relay.off();
			const proxy = await scene.proxy(relay.url);
			const clients = await Promise.all([scene.client(proxy.url), scene.client(proxy.url)]);
			for (const at of range(200)) for (const client of clients) void update(client, "V", at);
			const answer = clients[0]?.invoke("echo", "late");
			for (const client of clients) void update(client, "V", 200);
			await taken(proxy, 403);
			relay.on();
			assert.equal(await answer, "late");
			await scene.until(() => app.calls.length === 402);
			for (const { id } of clients)
				assert.deepEqual(app.calls.filter(({ client }) => client === id).map(toldOf), range(201));
			assert.deepEqual(proxy.undeliverable, []);
		});

		it("keeps messages while the app server is away, and delivers them in order when it is back", async () => {
			const app = await scene.app();
			const relay = await scene.relay(app.port);
			const proxy = await scene.proxy(relay.url, { connectionPoolSize: 2 });
			await scene.links(proxy, 2);
			const client = await scene.client(proxy.url);
			assert.equal(await client.invoke("echo", 1), 1);
			relay.off();
			relay.cut();
			await scene.until(() => proxy.logs.filter(({ message }) => message.includes("was lost")).length === 2);
			for (const at of range(50)) void update(client, "V", at);
			await taken(proxy, 51);
			assert.deepEqual(app.calls, []);
			relay.on();
			await scene.until(() => app.calls.length === 50);
			assert.deepEqual(app.calls.map(toldOf), range(50));
			assert.deepEqual(proxy.undeliverable, []);
			assert.deepEqual(app.disconnected, [], "within the grace the client is the same at the app server");
		});

		it("loses no message without a word where the app server and then the proxy close", async () => {
			const app = await scene.app({ recovery: "reopen" });
			const proxy = await scene.proxy(app.url, { connectionPoolSize: 2 });
			await scene.links(proxy, 2);
			const client = await scene.client(proxy.url);
			let confirmed = 0;
			let isOver = false;
			const sending = (async () => {
				while (!isOver) {
					await client.invoke("Update_VM", "V", confirmed);
					confirmed++;
				}
			})().catch(() => {});
			await scene.until(() => app.calls.length > 50);
			await app.close();
			isOver = true;
			// A call that waits for an app server is waited for, too.
			await proxy.hub.close({ timeoutMs: 50 });
			await sending;
			const reported = proxy.undeliverable.filter(({ target }) => target === "Update_VM").length;
			assert.ok(
				app.calls.length + reported >= confirmed,
				`${confirmed} confirmed, ${app.calls.length} delivered, ${reported} reported`,
			);
			assert.ok(
				codesOf(proxy).every((code) => /^ERR_FORWARD_(LINK_LOST|CLOSED)$/.test(code)),
				String(codesOf(proxy)),
			);
		});

		it("takes 1,000 messages of a client, tells it of the next, and delivers the 1,000 later", async () => {
			const app = await scene.app();
			const relay = await scene.relay(app.port);
			relay.off();
			const proxy = await scene.proxy(relay.url);
			const client = await scene.client(proxy.url);
			const other = await scene.client(proxy.url);
			for (const at of range(1_003)) void update(client, "V", at);
			await assert.rejects(
				client.invoke("echo", 1),
				/Failed to invoke 'echo': the message could not be delivered \(ERR_FORWARD_QUEUE_FULL\)/,
			);
			assert.equal(await client.invoke("Request_VM", "W", null), null);
			void update(other, "O", 1);
			await taken(proxy, 1_006);
			await scene.until(() => client.responses.length === 4);
			assert.deepEqual(client.responses, [
				...range(3).map(() => failure("V", "ERR_FORWARD_QUEUE_FULL")),
				failure("W", "ERR_FORWARD_QUEUE_FULL"),
			]);
			assert.deepEqual(codesOf(proxy), Array(5).fill("ERR_FORWARD_QUEUE_FULL"));
			assertCounted(proxy);
			assert.deepEqual(other.responses, []);
			relay.on();
			await scene.until(() => app.calls.length === 1_001);
			assert.deepEqual(app.calls.filter(({ vmId }) => vmId === "V").map(toldOf), range(1_000));
		});

		for (const [what, options] of [
			["messages", { maxQueued: 10 }],
			// About 100 of data, 9 of the target, and 64: the native wire has the client's own bytes, brackets and commas included.
			["bytes", { maxQueuedBytes: 1_850 }],
		] as const) {
			it(`tells callers when too many ${what} wait in all`, async () => {
				const relay = await scene.relay(1);
				relay.off();
				const proxy = await scene.proxy(relay.url, options);
				const [a, b] = await Promise.all([scene.client(proxy.url), scene.client(proxy.url)]);
				for (const _ of range(10)) void update(a, "V", { x: "x".repeat(91) });
				await taken(proxy, 10);
				assert.deepEqual(codesOf(proxy), []);
				void update(b, "V", { x: "x".repeat(91) });
				await scene.until(() => b.responses.length === 1);
				assert.deepEqual(b.responses, [failure("V", "ERR_FORWARD_QUEUE_FULL")]);
				assert.deepEqual(codesOf(proxy), ["ERR_FORWARD_QUEUE_FULL"]);
				assertCounted(proxy);
			});
		}

		it("tells callers of messages that have waited 30 s", async () => {
			const relay = await scene.relay(1);
			relay.off();
			const clock = new ManualClock(1_700_000_000_000);
			const timeouts = { clientTimeoutMs: 10_000_000, keepAliveIntervalMs: 10_000_000 };
			const proxy = await scene.proxy(relay.url, {}, { clock, ...timeouts });
			const client = await scene.client(proxy.url);
			const request = client.invoke("Request_VM", "R", null);
			const method = assert.rejects(client.invoke("echo", 1), /ERR_FORWARD_EXPIRED/);
			void update(client, "U", 1);
			await taken(proxy, 3);
			clock.advance(29_999);
			assert.deepEqual(proxy.undeliverable, []);
			clock.advance(1);
			await method;
			assert.equal(await request, null);
			await scene.until(() => client.responses.length === 2);
			assert.deepEqual(client.responses, [
				failure("R", "ERR_FORWARD_EXPIRED"),
				failure("U", "ERR_FORWARD_EXPIRED"),
			]);
			assert.deepEqual(codesOf(proxy), Array(3).fill("ERR_FORWARD_EXPIRED"));
			assertCounted(proxy);
		});

		it("tells the view model's id also where the hub knows no routes", async () => {
			const relay = await scene.relay(1);
			relay.off();
			const proxy = await scene.proxy(relay.url, { maxQueuedPerClient: 1 }, { route: () => undefined });
			const client = await scene.client(proxy.url);
			for (const at of [1, 2]) void update(client, "V", at);
			await scene.until(() => client.responses.length === 1);
			assert.deepEqual(client.responses, [failure("V", "ERR_FORWARD_QUEUE_FULL")]);
		});

		it("goes on where a listener of undeliverable throws", async () => {
			const relay = await scene.relay(1);
			relay.off();
			const proxy = await scene.proxy(relay.url, { maxQueuedPerClient: 1 });
			proxy.hub.on("undeliverable", () => {
				throw new Error("a listener's own");
			});
			const client = await scene.client(proxy.url);
			for (const at of range(3)) void update(client, "V", at);
			await scene.until(() => client.responses.length === 2);
			assert.equal(await client.invoke("Update_VM", "V", 3), null);
		});

		it("delivers a backlog of several MiB over the first link that comes, and keeps that link", async () => {
			const app = await scene.app();
			const relay = await scene.relay(app.port);
			relay.off();
			const proxy = await scene.proxy(relay.url, { connectionPoolSize: 1 });
			const clients = await Promise.all(range(4).map(() => scene.client(proxy.url)));
			for (const client of clients)
				for (const at of range(40)) void update(client, "V", { at, x: "x".repeat(25_000) });
			await taken(proxy, 160);
			relay.on();
			await scene.until(() => app.calls.length === 160);
			for (const { id } of clients) {
				const mine = app.calls.filter(({ client }) => client === id).map(toldOf) as { at: number }[];
				assert.deepEqual(
					mine.map(({ at }) => at),
					range(40),
				);
			}
			assert.deepEqual([proxy.undeliverable, app.hub.counters.get("links")], [[], 1]);
		});

		it("connects again where an address takes the connection and says nothing", async () => {
			const app = await scene.app();
			const relay = await scene.relay(app.port);
			relay.hold();
			const proxy = await scene.proxy(relay.url, { connectionPoolSize: 1 });
			const client = await scene.client(proxy.url);
			const answer = client.invoke("echo", 1);
			relay.on();
			assert.equal(await answer, 1);
		});

		const outcome =
			wire === "native"
				? "delivers every message once through random losses of links"
				: "delivers or reports every message through random losses of links";
		it(`${outcome}, in order (property)`, async () => {
			const plan = fc.record({
				sizes: fc.array(fc.nat(30), { minLength: 3, maxLength: 8 }),
				cuts: fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 8, maxLength: 8 }),
				all: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
			});
			const test = (run: Run): Promise<void> => killTest(wire, run);
			await fc.assert(fc.asyncProperty(plan, test), { numRuns: 15 });
		}).timeout(60_000);
	});
}

/** How many messages each round has, and which link is lost behind it, where not all are. */
interface Run {
	readonly sizes: number[];
	readonly cuts: number[];
	readonly all: boolean[];
}

/** Each message of a client, and whether it is a request. */
interface Numbered {
	readonly sent: number;
}

async function killTest(wire: Wire, { sizes, cuts, all }: Run): Promise<void> {
	const scene = new Scene(wire);
	try {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 3 });
		await scene.links(proxy, 1);
		const clients: Client[] = await Promise.all(range(3).map(() => scene.client(proxy.url)));
		const arrived = new Set<number>();
		const firsts = (): Call[] => {
			arrived.clear();
			return app.calls.filter((call) => {
				const { sent } = toldOf(call) as Numbered;
				return !arrived.has(sent) && arrived.add(sent);
			});
		};
		let sent = 0;
		for (const [round, size] of sizes.entries()) {
			for (const _ of range(size))
				for (const { connection } of clients) {
					if (sent % 2 === 0) void connection.send("Request_VM", "V", { sent });
					else void connection.send("Update_VM", `U${sent}`, { sent });
					sent++;
				}
			await scene.until(() => firsts().length + proxy.undeliverable.length >= sent / 2);
			if (all[round]) relay.cut();
			else relay.cutOne(cuts[round] ?? 0);
		}
		const requests = (): number => firsts().filter(({ method }) => method === "Request_VM").length;
		// Every request arrives. An update of a lost link may have arrived and is reported all the same: nobody can know.
		await scene.until(() => requests() === Math.ceil(sent / 2));
		await scene.until(() => firsts().length + proxy.undeliverable.length >= sent);
		if (wire === "native") {
			assert.deepEqual(proxy.undeliverable, [], "the session outlives its links");
			assert.equal(app.calls.length, sent, "nothing arrives twice");
		}
		assertUpdates(app, proxy);
		for (const { id } of clients) assertOrder(firsts(), id, proxy);
		assertCounted(proxy);
	} finally {
		await scene.close();
	}
}

function assertUpdates({ calls }: Station, { undeliverable }: Station): void {
	const updates = calls.filter(({ method }) => method === "Update_VM").map(({ vmId }) => vmId);
	assert.equal(new Set(updates).size, updates.length, "no update arrives twice");
	assert.ok(undeliverable.every(({ target }) => target === "Update_VM"));
	assert.ok(undeliverable.every(({ code }) => code === "ERR_FORWARD_LINK_LOST"));
}

function assertOrder(calls: readonly Call[], id: string, { undeliverable }: Station): void {
	const reported = new Set(undeliverable.map(({ vmId }) => vmId));
	// What was reported of a lost link can still be on its way there, and be passed by what is sent on another.
	const order = calls
		.filter(({ client }) => client === id)
		.map((call) => (toldOf(call) as Numbered).sent)
		.filter((at) => !reported.has(`U${at}`));
	assert.deepEqual(
		order,
		[...order].sort((x, y) => x - y),
		"in the order in which they were sent",
	);
}
