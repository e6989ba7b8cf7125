import assert from "node:assert/strict";
import { deferred, ManualClock } from "../../../lib/base/index.js";
import { ClientConnection } from "../../../lib/hub/clients/client-connection.js";
import { createHub } from "../../../lib/hub/index.js";
import { type HubMessage, type InvocationMessage, MessageType } from "../../../lib/protocols/index.js";
import { collectingLog, FakeHost, FakeWire, identityOf, invocation, settle } from "../fakes.js";

/** A host whose methods end when the test says so. */
class GatedHost extends FakeHost {
	readonly started: string[] = [];
	readonly gates = new Map<string, () => void>();

	override dispatch = async (_client: ClientConnection, message: InvocationMessage): Promise<boolean> => {
		const { target } = message;
		this.started.push(target);
		const gate = deferred();
		this.gates.set(target, gate.resolve);
		await gate.promise;
		return true;
	};

	async end(target: string): Promise<void> {
		this.gates.get(target)?.();
		await settle();
	}
}

function make(host = new GatedHost()): { client: ClientConnection; wire: FakeWire; host: GatedHost } {
	const wire = new FakeWire();
	return { client: new ClientConnection(identityOf("c1"), wire, host), wire, host };
}

/** Whether a promise for back-pressure has been resolved. */
function watch(wait: Promise<void> | undefined): { isResolved: boolean } {
	assert(wait, "back-pressure is asked for");
	const state = { isResolved: false };
	void wait.then(() => {
		state.isResolved = true;
	});
	return state;
}

describe("hub/clients/client-connection", () => {
	it("does not hold the reader for the running invocation, but for the next", async () => {
		const { client, host } = make();
		await client.open();
		assert.equal(client.receive(invocation("a")), undefined);
		const wait = watch(client.receive(invocation("b")));
		await settle();
		assert.deepEqual(host.started, ["a"]);
		assert.equal(wait.isResolved, false);
		await host.end("a");
		assert.deepEqual(host.started, ["a", "b"]);
		assert.equal(wait.isResolved, true);
	});

	it("runs one at a time in the order of arrival, also where the caller does not wait", async () => {
		const { client, host } = make();
		await client.open();
		for (const target of ["a", "b", "c", "d"]) void client.receive(invocation(target));
		for (const target of ["a", "b", "c", "d"]) {
			assert.equal(host.started.at(-1), target);
			await host.end(target);
		}
		assert.equal(client.receive(invocation("e")), undefined);
	});

	it("runs as many at once as maximumParallelInvocations allows", async () => {
		const host = new GatedHost();
		host.maximumParallelInvocations = 2;
		const { client } = make(host);
		await client.open();
		assert.equal(client.receive(invocation("a")), undefined);
		assert.equal(client.receive(invocation("b")), undefined);
		const wait = watch(client.receive(invocation("c")));
		assert.deepEqual(host.started, ["a", "b"]);
		await host.end("b");
		assert.deepEqual(host.started, ["a", "b", "c"]);
		assert.equal(wait.isResolved, true);
	});

	it("starts streams beside a running invocation, and ignores what a client has no reason to send", async () => {
		const { client, host } = make();
		await client.open();
		client.receive(invocation("a"));
		const { arguments: args } = invocation("s");
		assert.equal(
			client.receive({ type: MessageType.StreamInvocation, invocationId: "1", target: "s", arguments: args }),
			undefined,
		);
		assert.deepEqual(host.started, ["a"]);
		assert.equal(host.streamed.length, 1);
		const ignored: HubMessage[] = [
			{ type: MessageType.Ping },
			{ type: MessageType.Ack, sequenceId: 1 },
			{ type: MessageType.Sequence, sequenceId: 1 },
			{ type: MessageType.CancelInvocation, invocationId: "9" },
			{ type: MessageType.StreamItem, invocationId: "9", item: 1 },
			{ type: MessageType.Completion, invocationId: "9" },
		];
		for (const message of ignored) assert.equal(client.receive(message), undefined);
		assert.equal(host.started.length, 1);
	});

	it("keeps messages back while the connected listeners run", async () => {
		const { client, host } = make();
		const gate = deferred();
		host.connected = () => gate.promise;
		void client.open();
		const waits = ["a", "b"].map((target) => watch(client.receive(invocation(target))));
		await settle();
		assert.deepEqual(host.started, []);
		gate.resolve();
		await settle();
		assert.deepEqual([host.started, waits.map((wait) => wait.isResolved)], [["a"], [true, false]]);
	});

	it("refuses a client whose connected listener throws, without a disconnected", async () => {
		const { client, wire, host } = make();
		const cause = new Error("no");
		host.connected = () => Promise.reject(cause);
		void client.open();
		await client.receive(invocation("a"));
		await client.ended({ kind: "closed" });
		client.send("late");
		assert.deepEqual([host.refusals, host.reasons, host.started], [[cause], [], []]);
		assert.deepEqual(wire.closes, [{ type: MessageType.Close, error: "refused" }]);
		assert.equal(client.aborted.aborted, true);
		assert.deepEqual(wire.sent, []);
	});

	it("ends a client that goes while it is opening after its connected listeners", async () => {
		const { client, host } = make();
		const gate = deferred();
		host.connected = () => gate.promise;
		void client.open();
		const wait = watch(client.receive(invocation("a")));
		const end = client.ended({ kind: "lost" });
		assert.equal(client.aborted.aborted, true, "listeners can see that it is gone");
		await settle();
		assert.equal(wait.isResolved, true);
		assert.deepEqual(host.reasons, []);
		gate.resolve();
		await end;
		assert.deepEqual([host.reasons, host.started], [["lost"], []]);
	});

	it("ends a client whose connected listeners never settle", async () => {
		const { client, host } = make();
		host.connected = () => new Promise(() => {});
		host.settled = async () => {};
		void client.open();
		await client.ended({ kind: "closed" });
		assert.deepEqual(host.reasons, ["closed"]);
	});

	it("counts a refusal that comes after the end as late, and disconnects once", async () => {
		const { client, wire, host } = make();
		const gate = deferred();
		host.connected = () => gate.promise;
		host.settled = async () => {};
		void client.open();
		await client.ended({ kind: "closed" });
		gate.reject(new Error("too late"));
		await settle();
		assert.deepEqual([host.reasons, host.refusals], [["closed"], ["late"]]);
		assert.equal(wire.sent.length, 0);
	});

	it("does not disconnect a client that left before its listener refused it", async () => {
		const { client, host } = make();
		const gate = deferred();
		host.connected = () => gate.promise;
		void client.open();
		const end = client.ended({ kind: "closed" });
		gate.reject(new Error("no"));
		await end;
		assert.deepEqual([host.reasons, host.refusals.length], [[], 1]);
	});

	it("ends once: aborted at once, what waits is dropped, what runs may end", async () => {
		const { client, wire, host } = make();
		await client.open();
		client.receive(invocation("a"));
		const wait = watch(client.receive(invocation("b")));
		const first = client.ended({ kind: "lost" });
		assert.equal(client.ended({ kind: "closed" }), first);
		assert.equal(client.aborted.aborted, true);
		await first;
		assert.deepEqual([host.reasons, wait.isResolved], [["lost"], true]);
		await host.end("a");
		assert.deepEqual(host.started, ["a"]);
		assert.equal(client.receive(invocation("c")), undefined);
		client.send("late");
		assert.deepEqual([host.started, wire.sent], [["a"], []]);
	});

	it("closes in order, once, and says whether to come back", async () => {
		for (const [close, expected] of [
			[(client: ClientConnection) => client.abort(), { type: 7, error: undefined, allowReconnect: false }],
			[
				(client: ClientConnection) => client.close("why", true),
				{ type: 7, error: "why", allowReconnect: true },
			],
		] as const) {
			const { client, wire, host } = make();
			await client.open();
			close(client);
			close(client);
			await settle();
			assert.deepEqual([wire.closes, host.reasons], [[expected], ["closed"]]);
		}
	});

	it("ends by the client's Close, with its error", async () => {
		const { client, wire, host } = make();
		const errors: (string | undefined)[] = [];
		host.disconnected = async (
			_client,
			reason: { readonly kind: string; readonly error?: Error | undefined },
		) => {
			errors.push(reason.error?.message);
		};
		await client.open();
		client.receive({ type: MessageType.Close, error: "mine" });
		await settle();
		assert.deepEqual([errors, wire.closes], [["mine"], [{ type: MessageType.Close }]]);
	});

	it("aborts a signal that is asked for before its end or after it, and keeps its items and groups", async () => {
		const { client } = make();
		await client.open();
		const early = client.aborted;
		assert.equal(client.aborted, early);
		client.items.set("a", 1);
		client.groups.add("g");
		assert.deepEqual([early.aborted, client.isEnded], [false, false]);
		await client.ended({ kind: "closed" });
		assert.deepEqual([early.aborted, client.isEnded], [true, true]);
		assert.deepEqual([client.items.get("a"), client.groups.has("g")], [1, true]);
		const { client: other } = make();
		await other.open();
		await other.ended({ kind: "closed" });
		assert.equal(other.aborted.aborted, true);
	});

	it("is forgotten in time by a hub with listeners that never settle", async () => {
		const clock = new ManualClock();
		const log = collectingLog();
		const hub = createHub()({ clock, log, listenerTimeoutMs: 100 });
		const never = (): Promise<void> => new Promise(() => {});
		hub.on("connected", never);
		hub.on("disconnected", never);
		const end = hub.open(identityOf("c1"), new FakeWire()).ended({ kind: "lost" });
		for (let turn = 0; turn < 2; turn++) {
			await settle();
			assert.equal(hub.lifetime.size, 1);
			clock.advance(100);
		}
		await end;
		assert.equal(hub.lifetime.size, 0);
		assert.equal(log.lines.filter((line) => line.startsWith("error A listener has not settled")).length, 2);
		assert.equal(clock.pending, 0);
	});
});
