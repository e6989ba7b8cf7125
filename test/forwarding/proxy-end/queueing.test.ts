import assert from "node:assert/strict";
import fc from "fast-check";
import { ManualClock } from "../../../lib/index.js";
import { type Call, type Client, Scene, type Station } from "../support/scene.js";

const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
const failure = (vmId: string, code: string) => [
	vmId,
	{ ExceptionType: "ForwardingException", Message: `The message could not be delivered (${code}).` },
];
const codesOf = ({ undeliverable }: Station): string[] => undeliverable.map(({ code }) => code);

/** All that happened to messages is an event and a count of its code. */
function assertCounted({ hub, undeliverable }: Station): void {
	assert.equal(hub.counters.get("undeliverable"), undeliverable.length);
	for (const { code } of undeliverable) {
		const count = undeliverable.filter((event) => event.code === code).length;
		assert.equal(hub.counters.get(`undeliverable.${code}`), count);
	}
}

describe("forwarding/proxy-end/queueing", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("dotNetify");
	});
	afterEach(() => scene.close());

	it("keeps messages until an app server that was not there at the start comes, in order", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		relay.refuses = true;
		const proxy = await scene.proxy(relay.url);
		const clients = await Promise.all([scene.client(proxy.url), scene.client(proxy.url)]);
		for (const at of range(200))
			for (const { connection } of clients) void connection.send("Update_VM", "V", at);
		const answer = clients[0]?.invoke("echo", "late");
		for (const client of clients) await client.invoke("Update_VM", "V", 200);
		relay.refuses = false;
		assert.equal(await answer, "late");
		await scene.until(() => app.calls.length === 402);
		for (const { id } of clients) {
			assert.deepEqual(
				app.calls.filter(({ client }) => client === id).map(({ data }) => data),
				range(201).map(String),
			);
		}
		assert.deepEqual(proxy.undeliverable, []);
	});

	it("keeps messages while the app server is away, and delivers them in order when it is back", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 2 });
		await scene.links(proxy, 2);
		const client = await scene.client(proxy.url);
		assert.equal(await client.invoke("echo", 1), 1);
		relay.refuses = true;
		relay.cut();
		await scene.until(() => proxy.logs.filter(({ message }) => message.includes("was lost")).length === 2);
		for (const at of range(50)) await client.invoke("Update_VM", "V", at);
		assert.deepEqual(app.calls, []);
		relay.refuses = false;
		await scene.until(() => app.calls.length === 50);
		assert.deepEqual(
			app.calls.map(({ data }) => data),
			range(50).map(String),
		);
		assert.deepEqual(proxy.undeliverable, []);
		assert.deepEqual(app.disconnected, [], "within the grace the client is the same at the app server");
	});

	it("reports unconfirmed updates and methods of a lost link, and sends requests and disposes again", async () => {
		const app = await scene.fakeApp();
		app.holds = true;
		const relay = await scene.relay(app.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 1 });
		await scene.links(proxy, 1);
		const client = await scene.client(proxy.url);
		await client.invoke("Request_VM", "R", null);
		await client.invoke("Update_VM", "U", 1);
		await client.invoke("Dispose_VM", "D");
		const method = assert.rejects(
			client.invoke("method"),
			/could not be delivered \(ERR_FORWARD_LINK_LOST\)/,
		);
		await scene.until(() => app.invokes.length === 4);
		app.holds = false;
		relay.cut();
		await method;
		await scene.until(() => app.invokes.length === 6 && client.responses.length === 1);
		assert.deepEqual(app.methods.slice(4), ["Request_VM", "Dispose_VM"]);
		assert.deepEqual(client.responses, [failure("U", "ERR_FORWARD_LINK_LOST")]);
		assert.deepEqual(codesOf(proxy), ["ERR_FORWARD_LINK_LOST", "ERR_FORWARD_LINK_LOST"]);
		assert.deepEqual(
			proxy.undeliverable.map(({ client: id, target }) => [id, target]),
			[
				[client.id, "Update_VM"],
				[client.id, "method"],
			],
		);
		assertCounted(proxy);
	});

	it("loses no confirmed message to an app server that closes in order while others are on their way", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url, { connectionPoolSize: 2 });
		await scene.links(proxy, 2);
		const client = await scene.client(proxy.url);
		let sent = 0;
		let isOver = false;
		const sending = (async () => {
			while (!isOver) {
				await client.invoke("Update_VM", "V", sent);
				sent++;
			}
		})();
		await scene.until(() => app.calls.length > 50);
		await app.close();
		isOver = true;
		await sending;
		await client.stop();
		await proxy.close();
		const reported = proxy.undeliverable.filter(({ target }) => target === "Update_VM").length;
		assert.ok(
			app.calls.length + reported >= sent,
			`${sent} sent, ${app.calls.length} delivered, ${reported} reported`,
		);
		assert.ok(
			codesOf(proxy).every((code) => /^ERR_FORWARD_(LINK_LOST|CLOSED)$/.test(code)),
			String(codesOf(proxy)),
		);
	});

	it("takes 1,000 messages of a client, tells it of the next, and delivers the 1,000 later", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		relay.refuses = true;
		const proxy = await scene.proxy(relay.url);
		const client = await scene.client(proxy.url);
		const other = await scene.client(proxy.url);
		for (const at of range(1_003)) void client.connection.send("Update_VM", "V", at);
		await assert.rejects(
			client.invoke("echo", 1),
			/Failed to invoke 'echo': the message could not be delivered \(ERR_FORWARD_QUEUE_FULL\)/,
		);
		assert.equal(await client.invoke("Request_VM", "W", null), null);
		await other.invoke("Update_VM", "O", 1);
		await scene.until(() => client.responses.length === 4);
		assert.deepEqual(client.responses, [
			...range(3).map(() => failure("V", "ERR_FORWARD_QUEUE_FULL")),
			failure("W", "ERR_FORWARD_QUEUE_FULL"),
		]);
		assert.deepEqual(codesOf(proxy), Array(5).fill("ERR_FORWARD_QUEUE_FULL"));
		assertCounted(proxy);
		assert.deepEqual(other.responses, []);
		relay.refuses = false;
		await scene.until(() => app.calls.length === 1_001);
		assert.deepEqual(
			app.calls.filter(({ vmId }) => vmId === "V").map(({ data }) => data),
			range(1_000).map(String),
		);
	});

	for (const [what, options] of [
		["messages", { maxQueued: 10 }],
		["bytes", { maxQueuedBytes: 1_000 }],
	] as const) {
		it(`tells callers when too many ${what} wait in all`, async () => {
			const relay = await scene.relay(1);
			relay.refuses = true;
			const proxy = await scene.proxy(relay.url, options);
			const [a, b] = await Promise.all([scene.client(proxy.url), scene.client(proxy.url)]);
			for (const _ of range(10)) await a.invoke("Update_VM", "V", { x: "x".repeat(91) });
			assert.deepEqual(codesOf(proxy), []);
			await b.invoke("Update_VM", "V", { x: "x".repeat(91) });
			await scene.until(() => b.responses.length === 1);
			assert.deepEqual(b.responses, [failure("V", "ERR_FORWARD_QUEUE_FULL")]);
			assert.deepEqual(codesOf(proxy), ["ERR_FORWARD_QUEUE_FULL"]);
			assertCounted(proxy);
		});
	}

	it("tells callers of messages that have waited 30 s", async () => {
		const relay = await scene.relay(1);
		relay.refuses = true;
		const clock = new ManualClock(1_700_000_000_000);
		const proxy = await scene.proxy(
			relay.url,
			{},
			{ clock, clientTimeoutMs: 10_000_000, keepAliveIntervalMs: 10_000_000 },
		);
		const client = await scene.client(proxy.url);
		await client.invoke("Request_VM", "R", null);
		const method = assert.rejects(client.invoke("echo", 1), /ERR_FORWARD_EXPIRED/);
		await client.invoke("Update_VM", "U", 1);
		clock.advance(29_999);
		assert.deepEqual(proxy.undeliverable, []);
		clock.advance(1);
		await method;
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
		relay.refuses = true;
		const proxy = await scene.proxy(relay.url, { maxQueuedPerClient: 1 }, { route: () => undefined });
		const client = await scene.client(proxy.url);
		await client.invoke("Update_VM", "V", 1);
		await client.invoke("Update_VM", "V", 2);
		await scene.until(() => client.responses.length === 1);
		assert.deepEqual(client.responses, [failure("V", "ERR_FORWARD_QUEUE_FULL")]);
	});

	it("goes on where a listener of undeliverable throws", async () => {
		const relay = await scene.relay(1);
		relay.refuses = true;
		const proxy = await scene.proxy(relay.url, { maxQueuedPerClient: 1 });
		proxy.hub.on("undeliverable", () => {
			throw new Error("a listener's own");
		});
		const client = await scene.client(proxy.url);
		for (const at of range(3)) assert.equal(await client.invoke("Update_VM", "V", at), null);
		await scene.until(() => client.responses.length === 2);
	});

	it("holds a client that has 100 unconfirmed messages, and reads on when they are confirmed", async () => {
		const app = await scene.fakeApp();
		app.holds = true;
		const proxy = await scene.proxy(app.url);
		const client = await scene.client(proxy.url);
		const other = await scene.client(proxy.url);
		for (const at of range(500)) void client.connection.send("Update_VM", "V", at);
		await scene.until(() => app.invokes.length === 100);
		// Another client gets through meanwhile, and what it sends comes after all that was read before.
		await other.invoke("Update_VM", "O", 1);
		await scene.until(() => app.invokes.length > 100);
		assert.deepEqual(app.invokes.filter(({ args }) => args[0] === "V").length, 100);
		app.release();
		await scene.until(() => app.invokes.length === 501);
		const seen = app.invokes.filter(({ args }) => args[0] === "V").map(({ args }) => args[1]);
		assert.deepEqual(seen, range(500).map(String));
		assert.deepEqual(proxy.undeliverable, []);
	});

	it("lets messages wait, and bounds them, while the app server is too slow to confirm", async () => {
		const app = await scene.fakeApp();
		app.holds = true;
		const proxy = await scene.proxy(app.url, {
			maxUnconfirmedBytes: 4_000,
			maxQueued: 5,
			connectionPoolSize: 1,
		});
		await scene.links(proxy, 1);
		const clients = await Promise.all(range(4).map(() => scene.client(proxy.url)));
		for (const client of clients)
			for (const _ of range(5)) await client.invoke("Update_VM", "V", { x: "x".repeat(1_000) });
		await scene.until(() => proxy.undeliverable.length === 20 - 5 - 3);
		assert.equal(app.invokes.length, 3, "the context counts, which is written with every message");
		app.release();
		await scene.until(() => app.invokes.length === 8);
		assertCounted(proxy);
	});

	it("delivers a backlog of several MiB over the first link that comes, and keeps that link", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		relay.refuses = true;
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 1 });
		const clients = await Promise.all(range(4).map(() => scene.client(proxy.url)));
		for (const client of clients)
			for (const at of range(40))
				void client.connection.send("Update_VM", "V", { at, x: "x".repeat(25_000) });
		for (const client of clients) await client.invoke("Update_VM", "V", { at: 40 });
		relay.refuses = false;
		await scene.until(() => app.calls.length === 4 * 41);
		for (const { id } of clients) {
			const mine = app.calls.filter(({ client }) => client === id);
			assert.deepEqual(
				mine.map(({ data }) => JSON.parse(data as string).at),
				range(41),
			);
		}
		assert.deepEqual([proxy.undeliverable, app.hub.counters.get("links")], [[], 1]);
	});

	it("makes every view current again when an app server has restarted, before it delivers what waited", async () => {
		const first = await scene.app();
		const relay = await scene.relay(first.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 2 });
		const clients = await Promise.all(range(3).map(() => scene.client(proxy.url)));
		for (const client of clients) {
			await client.invoke("Request_VM", "Page", { a: client.id });
			await client.invoke("Request_VM", "Page.List", null);
			await client.invoke("Request_VM", "Gone", null);
			await client.invoke("Dispose_VM", "Gone");
			// Its answer comes behind the confirmations of all that.
			await client.invoke("echo", 1);
		}
		const second = await scene.app();
		relay.refuses = true;
		relay.cut();
		await scene.until(() => proxy.logs.some(({ message }) => message.startsWith("All links")));
		for (const client of clients) await client.invoke("Update_VM", "Page", { b: 1 });
		relay.target = second.port;
		relay.refuses = false;
		await scene.until(() => second.calls.length === 9);
		for (const { id } of clients) {
			const calls = second.calls.filter(({ client }) => client === id);
			assert.deepEqual(
				calls.map(({ method, vmId, data }) => [method, vmId, data]),
				[
					["Request_VM", "Page", JSON.stringify({ a: id })],
					["Request_VM", "Page.List", null],
					["Update_VM", "Page", '{"b":1}'],
				],
			);
		}
		assert.deepEqual(proxy.undeliverable, []);
	});

	it("asks for views again when one of several links is lost: what was pushed on it may be", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 2 });
		await scene.links(proxy, 2);
		const client = await scene.client(proxy.url);
		await client.invoke("Request_VM", "Page", null);
		await client.invoke("echo", 1);
		relay.cutOne(0);
		await scene.until(() => app.calls.length === 2);
		assert.deepEqual(
			app.calls.map(({ method, vmId }) => [method, vmId]),
			[
				["Request_VM", "Page"],
				["Request_VM", "Page"],
			],
		);
	});

	it("ends a held client's wait when it goes away, and forwards its end", async () => {
		const app = await scene.fakeApp();
		app.holds = true;
		const proxy = await scene.proxy(app.url, { maxUnconfirmedPerClient: 2 });
		const client = await scene.client(proxy.url);
		for (const at of range(3)) void client.connection.send("Update_VM", "V", at);
		await scene.until(() => app.invokes.length === 2);
		app.release();
		await client.stop();
		await scene.until(() => app.methods.includes("OnDisconnectedAsync"));
		assert.deepEqual(app.methods, ["Update_VM", "Update_VM", "Update_VM", "OnDisconnectedAsync"]);
	});

	it("connects again where an address takes the connection and says nothing", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		relay.stalls = true;
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 1 });
		const client = await scene.client(proxy.url);
		const answer = client.invoke("echo", 1);
		relay.stalls = false;
		relay.cut();
		assert.equal(await answer, 1);
	});

	it("delivers or reports every message through random losses of links, in order (property)", async () => {
		const plan = fc.record({
			sizes: fc.array(fc.nat(30), { minLength: 3, maxLength: 8 }),
			cuts: fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 8, maxLength: 8 }),
			all: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
		});
		await fc.assert(fc.asyncProperty(plan, killTest), { numRuns: 15 });
	}).timeout(60_000);
});

async function killTest({
	sizes,
	cuts,
	all,
}: {
	sizes: number[];
	cuts: number[];
	all: boolean[];
}): Promise<void> {
	const scene = new Scene("dotNetify");
	try {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 3 });
		await scene.links(proxy, 1);
		const clients: Client[] = await Promise.all(range(3).map(() => scene.client(proxy.url)));
		let sent = 0;
		const firsts = (): Call[] => {
			const known = new Set<unknown>();
			return app.calls.filter(({ data }) => !known.has(data) && known.add(data));
		};
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
		const updates = app.calls.filter(({ method }) => method === "Update_VM").map(({ data }) => data);
		assert.equal(new Set(updates).size, updates.length, "no update arrives twice");
		const reported = new Set(proxy.undeliverable.map(({ vmId }) => vmId));
		for (const { id } of clients) {
			// What was reported of a lost link can still be on its way there, and be passed by what is sent on another.
			const order = firsts()
				.filter(({ client }) => client === id)
				.map(({ data }) => JSON.parse(String(data)).sent as number)
				.filter((at) => !reported.has(`U${at}`));
			assert.deepEqual(
				order,
				[...order].sort((x, y) => x - y),
				"in the order in which they were sent",
			);
		}
		assert.ok(proxy.undeliverable.every(({ target }) => target === "Update_VM"));
		assert.ok(proxy.undeliverable.every(({ code }) => code === "ERR_FORWARD_LINK_LOST"));
		assertCounted(proxy);
	} finally {
		await scene.close();
	}
}
