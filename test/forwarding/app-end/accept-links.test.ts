import assert from "node:assert/strict";
import fc from "fast-check";
import { WebSocket } from "ws";
import { type Deferred, deferred } from "../../../lib/base/index.js";
import { LINK_HEADER } from "../../../lib/forwarding/index.js";
import { writeProof } from "../../../lib/forwarding/link-proof.js";
import { ManualClock } from "../../../lib/index.js";
import { until } from "../../hub/live.js";
import { type Call, type Client, range, Scene, SECRET, type Station } from "../support/scene.js";

const FAILED = "Failed to invoke 'Invoke' due to an error on the server.";
const contextOf = (hubId: string, connectionId: string) => ({
	$fwdConnContext: JSON.stringify({ HubId: hubId, ConnectionId: connectionId }),
});
const codesOf = ({ undeliverable }: Station): string[] => undeliverable.map(({ code }) => code);

describe("forwarding/app-end/accept-links", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("dotNetify");
	});
	afterEach(() => scene.close());

	/** A link as a proxy opens it, for tests that say themselves what goes over it. */
	const linkTo = (app: Station): Promise<Client> =>
		scene.client(app.url, { headers: { [LINK_HEADER]: writeProof(SECRET, app.hub.clock.now()) } });

	/** An update of one client of proxy `h`. */
	const update = (link: Client, id: string, data: unknown = "1", hubId = "h"): Promise<unknown> =>
		link.invoke("Invoke", "Update_VM", ["V", data], contextOf(hubId, id));

	describe("grace", () => {
		let clock: ManualClock;
		let app: Station;
		beforeEach(async () => {
			clock = new ManualClock(1_700_000_000_000);
			app = await scene.app({
				clock,
				accept: { secrets: [SECRET], maxHeldMessages: 3, maxLinkBufferedBytes: 1_000_000 },
			});
		});

		it("keeps the clients of a proxy without links for 15 s, then ends them as lost, 200 in a turn", async () => {
			const link = await linkTo(app);
			await Promise.all(range(450).map((at) => update(link, `c${at}`)));
			await link.stop();
			await scene.until(() => app.hub.counters.get("linksLost") === 1);
			clock.advance(14_999);
			assert.deepEqual(app.disconnected, []);
			clock.advance(1);
			assert.equal(app.disconnected.length, 200);
			await scene.until(() => app.disconnected.length === 450);
			assert.ok(app.disconnected.every(({ kind }) => kind === "lost"));
			await until(() => app.hub.lifetime.size === 0);
		});

		it("keeps clients whose proxy is back within the grace, and delivers what was for them meanwhile in order", async () => {
			const link = await linkTo(app);
			await update(link, "c");
			await link.stop();
			await scene.until(() => app.hub.counters.get("linksLost") === 1);
			for (const at of range(4)) await app.hub.clients.client("c").send("Response_VM", ["V", String(at)]);
			assert.deepEqual(codesOf(app), ["ERR_LIMIT"]);
			clock.advance(14_999);
			const again = await linkTo(app);
			const got: unknown[] = [];
			again.connection.on("Response_VM", ([kind, args, metadata]) => got.push([kind, args, metadata]));
			await update(again, "c");
			assert.deepEqual(
				got,
				range(3).map((at) => ["SendAsync", ["V", String(at)], { $fwdConnId: "c" }]),
			);
			clock.advance(15_000);
			assert.deepEqual(app.connected, ["c"]);
			assert.deepEqual(app.disconnected, []);
		});

		it("reports what waited for a proxy that did not come back", async () => {
			const link = await linkTo(app);
			await update(link, "c");
			await link.stop();
			await scene.until(() => app.hub.counters.get("linksLost") === 1);
			for (const at of range(2)) await app.hub.clients.client("c").send("Response_VM", ["V", String(at)]);
			clock.advance(15_000);
			assert.deepEqual(codesOf(app), ["ERR_FORWARD_LINK_LOST", "ERR_FORWARD_LINK_LOST"]);
		});

		it("bounds the bytes that wait for a proxy without links, and reports them all when the hub closes", async () => {
			const link = await linkTo(app);
			await update(link, "c");
			await link.stop();
			await scene.until(() => app.hub.counters.get("linksLost") === 1);
			for (const _ of range(2))
				await app.hub.clients.client("c").send("Response_VM", ["V", "x".repeat(600_000)]);
			assert.deepEqual(codesOf(app), ["ERR_LIMIT"]);
			await app.close();
			assert.deepEqual(codesOf(app), ["ERR_LIMIT", "ERR_FORWARD_CLOSED"]);
		});

		it("goes over to another link when the one that carries the responses is lost", async () => {
			const [first, second] = [await linkTo(app), await linkTo(app)];
			await update(first, "c");
			await update(second, "c");
			await first.stop();
			await scene.until(() => app.hub.counters.get("linksLost") === 1);
			const got: unknown[] = [];
			second.connection.on("Response_VM", ([, args]) => got.push(args));
			await app.hub.clients.client("c").send("Response_VM", ["V", "1"]);
			await update(second, "c");
			assert.deepEqual(got, [["V", "1"]]);
		});

		it("leaves no timer when the hub closes while a grace runs", async () => {
			const link = await linkTo(app);
			await update(link, "c");
			await link.stop();
			await scene.until(() => app.hub.counters.get("linksLost") === 1);
			await app.close();
			await until(() => clock.pending === 0);
		});
	});

	describe("inboxes", () => {
		let gate: Deferred<void>;
		let onCall: (call: Call) => unknown;
		beforeEach(() => {
			gate = deferred();
			onCall = ({ client }) => (client.startsWith("slow") ? gate.promise : undefined);
		});

		it("bounds the messages of one client that wait, tells of the next, and serves others of the link", async () => {
			const app = await scene.app({ onCall, accept: { secrets: [SECRET], maxInbox: 3 } });
			const link = await linkTo(app);
			const got: unknown[] = [];
			link.connection.on("Response_VM", (response) => {
				got.push(response);
				scene.watch.changed();
			});
			// One runs, one waits for its turn in the connection, three in the inbox.
			const taken = [update(link, "slow", "0")];
			await scene.until(() => app.calls.length === 1);
			for (const at of [1, 2, 3, 4]) taken.push(update(link, "slow", String(at)));
			await assert.rejects(update(link, "slow", "5"), { message: FAILED });
			await link.connection.send("Invoke", "Update_VM", ["V", "6"], contextOf("h", "slow"));
			await scene.until(() => got.length === 1);
			const text =
				'{"ExceptionType":"ForwardingException","Message":"The message could not be delivered (ERR_LIMIT)."}';
			assert.deepEqual(got, [["SendAsync", ["V", text], { $fwdConnId: "slow" }]]);
			assert.deepEqual(codesOf(app), ["ERR_LIMIT", "ERR_LIMIT"]);
			await update(link, "quick");
			gate.resolve();
			await Promise.all(taken);
			const seen = app.calls.filter(({ client }) => client === "slow").map(({ data }) => data);
			assert.deepEqual(seen, range(5).map(String));
		});

		it("bounds the messages of all clients that wait", async () => {
			const app = await scene.app({ onCall, accept: { secrets: [SECRET], maxInboxTotal: 4 } });
			const link = await linkTo(app);
			const clients = ["slow1", "slow2"];
			const taken = clients.map((id) => update(link, id));
			await scene.until(() => app.calls.length === 2);
			taken.push(...clients.flatMap((id) => range(3).map(() => update(link, id))));
			await assert.rejects(update(link, "slow3"), { message: FAILED });
			gate.resolve();
			await Promise.all(taken);
			await update(link, "slow3");
		});

		it("answers all that waits when the client ends, and forgets it", async () => {
			const app = await scene.app({ onCall, accept: { secrets: [SECRET] } });
			const link = await linkTo(app);
			const taken = range(4).map(() => update(link, "slow"));
			await scene.until(() => app.calls.length === 1);
			const failed = Promise.all(taken.map((call) => assert.rejects(call, { message: FAILED })));
			app.hub.lifetime.get("slow")?.abort();
			await failed;
			assert.equal(app.hub.lifetime.size, 0);
			assert.deepEqual(codesOf(app), ["ERR_FORWARD_UNSUPPORTED"]);
			gate.resolve();
		});

		it("answers what runs when the hub closes, starts nothing more, and lets the proxy send that again", async () => {
			const app = await scene.app({ onCall, accept: { secrets: [SECRET] } });
			const link = await linkTo(app);
			const [running, ...waiting] = range(4).map((at) => update(link, "slow", String(at)));
			await scene.until(() => app.calls.length === 1);
			const closed = app.close();
			const late = [update(link, "slow", "late"), update(link, "new")];
			await link.connection.send("Invoke", "Update_VM", ["V", "1"], contextOf("h", "other"));
			await scene.until(() => app.undeliverable.length === 1);
			const rest = Promise.allSettled([...waiting, ...late]);
			gate.resolve();
			assert.equal(await running, null);
			await closed;
			const reasons = (await rest).map((result) => result.status === "rejected" && String(result.reason));
			assert.ok(reasons.every((reason) => reason && /connection being closed|closed/i.test(reason)));
			assert.deepEqual([app.calls.length, app.connected], [1, ["slow"]]);
			assert.deepEqual(codesOf(app), ["ERR_CONNECTION_CLOSED"]);
		});

		it("answers what still runs when a client's end is forwarded, so that its proxy can forget it", async () => {
			const app = await scene.app({ onCall, accept: { secrets: [SECRET] } });
			const link = await linkTo(app);
			const running = update(link, "slow");
			const ended = link.invoke("Invoke", "OnDisconnectedAsync", [null], contextOf("h", "slow"));
			assert.deepEqual(await Promise.all([running, ended]), [null, null]);
			assert.deepEqual(app.disconnected, [{ id: "slow", kind: "closed" }]);
			assert.equal(await link.invoke("Invoke", "OnDisconnectedAsync", [null], contextOf("h", "slow")), null);
			gate.resolve();
		});

		it("ends a client twice at the same time only once, and answers both", async () => {
			const app = await scene.app({ onCall, accept: { secrets: [SECRET] } });
			const link = await linkTo(app);
			const updates = range(3).map(() => update(link, "slow"));
			const ends = range(2).map(() =>
				link.invoke("Invoke", "OnDisconnectedAsync", [null], contextOf("h", "slow")),
			);
			await scene.until(() => app.calls.length === 1);
			gate.resolve();
			await Promise.all([...updates, ...ends]);
			assert.equal(app.disconnected.length, 1);
		});
	});

	it("leaves a proxy nothing to wait for when the app server refuses a client", async () => {
		const app = await scene.app();
		app.hub.on("connected", () => {
			throw new Error("not this one");
		});
		const proxy = await scene.proxy(app.url, { flushTimeoutMs: 1_000_000 });
		const client = await scene.client(proxy.url);
		await assert.rejects(client.invoke("echo", 1), /ERR_FORWARD_REFUSED/);
		await client.invoke("Update_VM", "V", {});
		await scene.until(() => client.responses.length === 1);
		await client.stop();
		await proxy.close();
		assert.deepEqual(codesOf(proxy), ["ERR_FORWARD_REFUSED", "ERR_FORWARD_REFUSED"]);
	});

	it("lets a proxy close at once though a method of a client that is gone still runs", async () => {
		const gate = deferred();
		const app = await scene.app({ onCall: () => gate.promise });
		const proxy = await scene.proxy(app.url, { flushTimeoutMs: 1_000_000 });
		const client = await scene.client(proxy.url);
		await client.invoke("Update_VM", "V", {});
		await scene.until(() => app.calls.length === 1);
		await client.stop();
		await proxy.close();
		assert.deepEqual(codesOf(proxy), []);
		gate.resolve();
	});

	it("lets nobody claim a client of another proxy, nor a direct one", async () => {
		const app = await scene.app();
		const direct = await scene.client(app.url);
		const [first, second] = [await linkTo(app), await linkTo(app)];
		await update(first, "c", "1", "one");
		await assert.rejects(update(second, "c", "2", "two"), { message: FAILED });
		await assert.rejects(update(second, direct.id, "3", "two"), { message: FAILED });
		assert.equal(await second.invoke("Invoke", "OnDisconnectedAsync", [null], contextOf("two", "c")), null);
		assert.equal(
			await second.invoke("Invoke", "OnDisconnectedAsync", [null], contextOf("two", direct.id)),
			null,
		);
		assert.deepEqual(
			app.calls.map(({ data }) => data),
			["1"],
		);
		assert.deepEqual(codesOf(app), ["ERR_LINK_PROTOCOL", "ERR_LINK_PROTOCOL"]);
		await update(first, "c", "4", "one");
		assert.equal(await direct.invoke("echo", 1), 1);
		assert.deepEqual(app.disconnected, []);
	});

	it("says what dotNetify's wire cannot carry, and keeps the link", async () => {
		const app = await scene.app();
		const link = await linkTo(app);
		await update(link, "c");
		await assert.rejects(app.hub.clients.client("c").send("other", 1), { code: "ERR_FORWARD_UNSUPPORTED" });
		await assert.rejects(app.hub.clients.all.send("Response_VM", "V", "two arguments"), {
			code: "ERR_FORWARD_UNSUPPORTED",
		});
		await update(link, "c");
	});

	it("ends a link whose proxy does not read, and not the app server's memory", async () => {
		const app = await scene.app({ accept: { secrets: [SECRET], maxLinkBufferedBytes: 1_000_000 } });
		const relay = await scene.relay(app.port);
		const proxy = await scene.proxy(relay.url, { connectionPoolSize: 1 });
		const client = await scene.client(proxy.url);
		await client.invoke("echo", 1);
		relay.hold();
		const text = "x".repeat(1_000_000);
		for (let sent = 0; sent < 40 && app.hub.counters.get("linksLost") === 0; sent++) {
			await app.hub.clients.client(client.id).send("Response_VM", ["V", text]);
			await new Promise((resolve) => setImmediate(resolve));
		}
		assert.equal(app.hub.counters.get("linksLost"), 1);
		// Else the proxy, when it is closed, waits for the end of what is held.
		relay.on();
	});

	it("survives any metadata and arguments of Invoke: an answer or an error, and others are served (property)", async () => {
		const app = await scene.app();
		const link = await linkTo(app);
		const other = await linkTo(app);
		const direct = await scene.client(app.url);
		const text = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value));
		const almost = fc
			.record(
				{
					HubId: fc.oneof(fc.constant("h"), fc.jsonValue()),
					ConnectionId: fc.oneof(fc.constantFrom("c", direct.id), fc.jsonValue()),
					HttpConnection: fc.oneof(
						fc.jsonValue(),
						fc.record({ RemoteIpAddressString: fc.jsonValue(), RemotePort: fc.jsonValue() }),
					),
					HttpRequestHeaders: fc.oneof(
						fc.jsonValue(),
						fc.record({
							AllHeaders: fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.array(fc.string()))),
						}),
					),
					Items: fc.jsonValue(),
					User: fc.oneof(fc.jsonValue(), fc.record({ Id: fc.jsonValue(), Claims: fc.jsonValue() })),
				},
				{ requiredKeys: ["HubId", "ConnectionId"] },
			)
			.map((context) => JSON.stringify(context));
		const metadata = fc.oneof(
			fc.jsonValue(),
			fc.record({ $fwdConnContext: fc.oneof(text, almost, almost, fc.jsonValue()) }),
		);
		const method = fc.oneof(
			fc.constantFrom(
				"Request_VM",
				"Update_VM",
				"Dispose_VM",
				"OnDisconnectedAsync",
				"constructor",
				"Invoke",
			),
			fc.jsonValue(),
		);
		const call = fc.oneof(
			fc.tuple(method, fc.oneof(fc.jsonValue(), fc.array(fc.jsonValue())), metadata),
			fc.array(fc.jsonValue(), { maxLength: 5 }),
		);
		await fc.assert(
			fc.asyncProperty(call, async (args) => {
				await link
					.invoke("Invoke", ...args)
					.catch((error: Error) => assert.match(error.message, /^(Failed|An unexpected error)/));
			}),
			{ numRuns: 400 },
		);
		await update(other, "served", "1", "other");
		assert.equal(await direct.invoke("echo", 1), 1);
		await update(link, "still", "1");
		assert.equal(app.hub.counters.get("linksLost"), 0);
	}).timeout(10_000);

	it("ends a link that sends bytes which are no messages, and only that", async () => {
		const app = await scene.app();
		const link = await linkTo(app);
		await update(link, "c");
		for (const garbage of [
			"nonsense\u001e",
			'{"type":1}\u001e',
			'{"type":1,"target":"Invoke","arguments":5}\u001e',
			"\u0000\u001e",
		]) {
			const headers = { [LINK_HEADER]: writeProof(SECRET, Date.now()) };
			const socket = new WebSocket(`${app.url.replace("http", "ws")}/dotnetify`, { headers });
			socket.on("open", () => socket.send(`{"protocol":"json","version":1}\u001e${garbage}`));
			await new Promise((resolve) => socket.on("message", () => {}).on("close", resolve));
		}
		await update(link, "c");
	});
});
