import assert from "node:assert/strict";
import { ClientConnection } from "../../../lib/hub/clients/client-connection.js";
import { createHub, type RetainedCall } from "../../../lib/hub/index.js";
import {
	Arguments,
	type CompletionMessage,
	MessageType,
	writeMessagePack,
} from "../../../lib/protocols/index.js";
import { FakeHost, FakeWire, identityOf, invocation, settle } from "../fakes.js";

function completion(invocationId: string): CompletionMessage {
	return { type: MessageType.Completion, invocationId };
}

async function opened(): Promise<{ client: ClientConnection; host: FakeHost }> {
	const host = new FakeHost();
	const client = new ClientConnection(identityOf("c1"), new FakeWire(), host);
	await client.open();
	return { client, host };
}

/** A wire that keeps what outlives its server. */
class RetainingWire extends FakeWire {
	readonly told: unknown[] = [];

	retain(key: string, call: RetainedCall): void {
		this.told.push([key, call.target, call.arguments.values]);
	}

	forget(key: string): void {
		this.told.push(key);
	}
}

describe("hub/clients proxied clients", () => {
	it("give answers to whoever asked them through us, by the beginning of their ids", async () => {
		const { client, host } = await opened();
		const first: string[] = [];
		const second: string[] = [];
		const endFirst = client.relayAnswers("p1/", ({ invocationId }) => void first.push(invocationId));
		client.relayAnswers("p2/", ({ invocationId }) => void second.push(invocationId));
		for (const id of ["p1/s1", "p2/s1", "s1", "p1", "x/p1/s1"]) void client.receive(completion(id));
		assert.deepEqual([first, second], [["p1/s1"], ["p2/s1"]]);
		assert.deepEqual(
			host.completions.map((message) => (message as CompletionMessage).invocationId),
			["s1", "p1", "x/p1/s1"],
		);
		endFirst();
		endFirst();
		for (const id of ["p1/s2", "p2/s2"]) void client.receive(completion(id));
		assert.deepEqual([first, second], [["p1/s1"], ["p2/s1", "p2/s2"]]);
		assert.equal(host.completions.length, 4);
	});

	it("keep the ends of their uploads from those who wait for answers", async () => {
		const { client, host } = await opened();
		const taken: unknown[] = [];
		client.relayAnswers("p", (message) => void taken.push(message));
		client.streams.openUploads(["p1"]);
		void client.receive(completion("p1"));
		assert.deepEqual([taken, host.completions], [[], []]);
	});

	it("are asked by ids that begin as their identity says, and answer by them", async () => {
		const hub = createHub<{ ask(): number }>()();
		const wire = new FakeWire();
		const client = hub.open({ ...identityOf("c1"), idPrefix: "p1/7/" }, wire);
		const other = hub.open(identityOf("c2"), new FakeWire());
		await settle();
		const answer = hub.clients.client("c1").invoke("ask");
		await settle();
		const [asked] = wire.sent;
		assert(asked?.type === MessageType.Invocation);
		assert.equal(asked.invocationId, "p1/7/s1");
		assert.throws(() => other.receive(completion("p1/7/s1")), { code: "ERR_PROTOCOL" });
		void client.receive({ ...completion("p1/7/s1"), hasResult: true, result: 5 });
		assert.equal(await answer, 5);
	});

	it("begin with the items that they are given, and know that they were recovered", async () => {
		const hub = createHub()();
		const seen: unknown[] = [];
		hub.on("connected", (ctx) => void seen.push(ctx.connection.recovered, ctx.items.get("a")));
		const pushed = [{ name: "a", value: writeMessagePack(1) }];
		hub.open({ ...identityOf("c1"), recovered: true, pushed }, new FakeWire());
		hub.open(identityOf("c2"), new FakeWire());
		await settle();
		assert.deepEqual(seen, [true, 1, false, undefined]);
	});

	it("have calls made again where their wire can, until they are gone", async () => {
		const wire = new RetainingWire();
		const client = new ClientConnection(identityOf("c1"), wire, new FakeHost());
		await client.open();
		assert(client.isRetaining);
		client.retain("k", { target: "t", arguments: Arguments.of([1]) });
		client.retain("l", { target: "t", arguments: ["values"] });
		client.forget("k");
		await client.ended({ kind: "closed" });
		client.retain("k", { target: "t", arguments: Arguments.of([2]) });
		client.forget("k");
		assert.deepEqual(wire.told, [["k", "t", [1]], ["l", "t", ["values"]], "k"]);
	});

	it("are nobody's to call again where they have a connection of their own", async () => {
		const { client } = await opened();
		assert.equal(client.isRetaining, false);
		client.retain("k", { target: "t", arguments: Arguments.of([]) });
		client.forget("k");
		assert.equal(client.receive(invocation("t")), undefined);
	});
});
