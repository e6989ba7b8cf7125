import assert from "node:assert/strict";
import {
	CallerClients,
	type ClientProxy,
	Groups,
	type Lifetime,
	type PreparedMessage,
	type Selection,
} from "../../../lib/hub/index.js";
import { type InvocationMessage, MessageType } from "../../../lib/protocols/index.js";

interface Sent {
	readonly selection: Selection;
	readonly message: PreparedMessage;
}

function recording(): {
	readonly clients: CallerClients;
	readonly groups: Groups;
	readonly sent: Sent[];
	readonly calls: string[];
} {
	const sent: Sent[] = [];
	const calls: string[] = [];
	const lifetime = {
		send: async (selection: Selection, message: PreparedMessage) => void sent.push({ selection, message }),
		join: async (id: string, group: string) => void calls.push(`join ${id} ${group}`),
		leave: async (id: string, group: string) => void calls.push(`leave ${id} ${group}`),
	} as unknown as Lifetime;
	return { clients: new CallerClients(lifetime, "me"), groups: new Groups(lifetime), sent, calls };
}

describe("hub/clients/client-proxy", () => {
	it("names clients in every way", async () => {
		const { clients, sent } = recording();
		const expected: readonly (readonly [ClientProxy, Selection])[] = [
			[clients.all, { kind: "all" }],
			[clients.others, { kind: "all", except: ["me"] }],
			[clients.caller, { kind: "client", connectionId: "me" }],
			[clients.client("a"), { kind: "client", connectionId: "a" }],
			[clients.clients(["a", "b"]), { kind: "clients", connectionIds: ["a", "b"] }],
			[clients.group("g"), { kind: "groups", groups: ["g"] }],
			[clients.groups(["g", "h"]), { kind: "groups", groups: ["g", "h"] }],
			[clients.othersInGroup("g"), { kind: "groups", groups: ["g"], except: ["me"] }],
			[clients.user("u"), { kind: "users", userIds: ["u"] }],
			[clients.users(["u", "v"]), { kind: "users", userIds: ["u", "v"] }],
			[clients.all.except("a").except("b", "c"), { kind: "all", except: ["a", "b", "c"] }],
			[clients.client("a").except("b"), { kind: "clients", connectionIds: ["a"], except: ["b"] }],
			[clients.user("u").except("b"), { kind: "users", userIds: ["u"], except: ["b"] }],
		];
		for (const [proxy] of expected) await proxy.send("t");
		assert.deepEqual(
			sent.map(({ selection }) => selection),
			expected.map(([, selection]) => selection),
		);
	});

	it("sends an invocation without id", async () => {
		const { clients, sent } = recording();
		await clients.all.send("told", 1, { a: 2 });
		const message = sent[0]?.message.message as InvocationMessage;
		assert.equal(message.type, MessageType.Invocation);
		assert.deepEqual(
			[message.target, message.invocationId, message.arguments.values],
			["told", undefined, [1, { a: 2 }]],
		);
	});

	it("marks state with its key, and everything else as an event", async () => {
		const { clients, sent } = recording();
		await clients.all.send("t");
		await clients.all.state("k").except("a").send("t");
		assert.deepEqual(
			sent.map(({ message }) => message.delivery),
			[{ kind: "event" }, { kind: "state", key: "k" }],
		);
	});

	it("leaves group membership to the lifetime", async () => {
		const { groups, calls } = recording();
		await groups.add("a", "g");
		await groups.remove("a", "g");
		assert.deepEqual(calls, ["join a g", "leave a g"]);
	});
});
