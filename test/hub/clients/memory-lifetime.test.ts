import assert from "node:assert/strict";
import { MemoryLifetime } from "../../../lib/hub/clients/memory-lifetime.js";
import type { Carrier, ClientConnection, Selection } from "../../../lib/hub/index.js";
import { invocationOf, PreparedMessage } from "../../../lib/hub/index.js";
import { resolveHubOptions } from "../../../lib/hub/settings.js";
import { ClientResults } from "../../../lib/hub/streams/client-results.js";
import { fakeClient } from "../fakes.js";

/** A carrier that remembers what crosses. */
class FakeCarrier implements Carrier {
	readonly sends: { readonly selection: Selection; readonly ids: readonly string[] }[] = [];
	readonly groups: string[] = [];

	send(selection: Selection, members: readonly ClientConnection[]): void {
		this.sends.push({ selection, ids: members.map((member) => member.connectionId) });
	}

	joined(client: ClientConnection, group: string): void {
		this.groups.push(`${client.connectionId} in ${group}`);
	}

	left(client: ClientConnection, group: string): void {
		this.groups.push(`${client.connectionId} out of ${group}`);
	}
}

const RESULTS = new ClientResults(resolveHubOptions({}));
const MESSAGE = new PreparedMessage(invocationOf("t", []));

describe("hub/clients/memory-lifetime", () => {
	let lifetime: MemoryLifetime;
	let clients: ReturnType<typeof fakeClient>[];

	beforeEach(() => {
		lifetime = new MemoryLifetime(3, RESULTS);
		clients = [
			fakeClient("a", { userId: "ann" }),
			fakeClient("b", { userId: "ann" }),
			fakeClient("c", { userId: "bob" }),
		];
		clients.push(fakeClient("d"));
		for (const { client } of clients) lifetime.add(client);
	});

	/** Ids of those whom a message reaches, each as often as it does. */
	async function reached(selection: Selection): Promise<string> {
		for (const { wire } of clients) wire.sent.length = 0;
		await lifetime.send(selection, MESSAGE);
		return clients.flatMap(({ client, wire }) => wire.sent.map(() => client.connectionId)).join("");
	}

	it("knows its clients", () => {
		assert.equal(lifetime.size, 4);
		assert.equal(lifetime.get("a"), clients[0]?.client);
		assert.equal(lifetime.get("A"), undefined);
		assert.deepEqual(
			[...lifetime].map((client) => client.connectionId),
			["a", "b", "c", "d"],
		);
	});

	it("sends to all, to one and to several, with and without exceptions", async () => {
		assert.equal(await reached({ kind: "all" }), "abcd");
		assert.equal(await reached({ kind: "all", except: ["b", "nobody"] }), "acd");
		assert.equal(await reached({ kind: "client", connectionId: "c" }), "c");
		assert.equal(await reached({ kind: "clients", connectionIds: ["a", "a", "x", "d"] }), "ad");
		assert.equal(await reached({ kind: "clients", connectionIds: ["a", "d"], except: ["a"] }), "d");
	});

	it("sends to groups, each member once", async () => {
		for (const id of ["a", "b"]) await lifetime.join(id, "g");
		for (const id of ["b", "c"]) await lifetime.join(id, "h");
		assert.equal(await reached({ kind: "groups", groups: ["g"] }), "ab");
		assert.equal(await reached({ kind: "groups", groups: ["G"] }), "");
		assert.equal(await reached({ kind: "groups", groups: ["g", "h", "none"] }), "abc");
		assert.equal(await reached({ kind: "groups", groups: ["g", "h"], except: ["b"] }), "ac");
		assert.equal(await reached({ kind: "groups", groups: [] }), "");
	});

	it("sends to every connection of users", async () => {
		assert.equal(await reached({ kind: "users", userIds: ["ann"] }), "ab");
		assert.equal(await reached({ kind: "users", userIds: ["ann", "bob", "ann"] }), "abc");
		assert.equal(await reached({ kind: "users", userIds: ["ANN", ""] }), "");
		assert.equal(await reached({ kind: "users", userIds: ["ann"], except: ["a"] }), "b");
	});

	it("passes over unknown ids and groups, and joins once", async () => {
		await lifetime.join("nobody", "g");
		await lifetime.leave("nobody", "g");
		await lifetime.leave("a", "g");
		await lifetime.join("a", "g");
		await lifetime.join("a", "g");
		assert.equal(await reached({ kind: "groups", groups: ["g"] }), "a");
		await lifetime.leave("a", "g");
		assert.equal(await reached({ kind: "groups", groups: ["g"] }), "");
	});

	it("refuses more groups than allowed, and takes more once one was left", async () => {
		for (const group of ["1", "2", "3", "3"]) await lifetime.join("a", group);
		await assert.rejects(lifetime.join("a", "4"), { code: "ERR_LIMIT" });
		assert.equal(await reached({ kind: "groups", groups: ["4"] }), "");
		await lifetime.leave("a", "1");
		await lifetime.join("a", "4");
		assert.equal(await reached({ kind: "groups", groups: ["4"] }), "a");
	});

	it("forgets a client with its groups and its user", async () => {
		const gone = clients[0]?.client;
		assert(gone);
		await lifetime.join("a", "g");
		lifetime.remove(gone);
		lifetime.remove(gone);
		assert.equal(lifetime.size, 3);
		assert.equal(await reached({ kind: "groups", groups: ["g"] }), "");
		assert.equal(await reached({ kind: "users", userIds: ["ann"] }), "b");
		await lifetime.join("a", "g");
		assert.equal(await reached({ kind: "groups", groups: ["g"] }), "");
	});

	it("does not take another client with the same id for the one it knows", () => {
		lifetime.remove(fakeClient("a").client);
		assert.equal(lifetime.get("a"), clients[0]?.client);
	});

	it("rejects where some cannot be sent to, and sends to all others", async () => {
		const carrier = new FakeCarrier();
		lifetime.add(fakeClient("x", { carrier }).client);
		const broken = new FakeCarrier();
		broken.send = () => {
			throw new Error("carrier");
		};
		lifetime.add(fakeClient("y", { carrier: broken }).client);
		for (const at of [0, 2]) {
			const wire = clients[at]?.wire;
			assert(wire);
			wire.send = () => {
				throw new Error(`wire ${at}`);
			};
		}
		await assert.rejects(lifetime.send({ kind: "all" }, MESSAGE), { message: "wire 0" });
		assert.deepEqual(
			clients.map(({ wire }) => wire.sent.length),
			[0, 1, 0, 1],
		);
		assert.equal(carrier.sends.length, 1);
	});

	it("sends once through a carrier, whatever the number of members", async () => {
		const carrier = new FakeCarrier();
		const carried = ["x", "y"].map((id) => fakeClient(id, { carrier }));
		for (const { client } of carried) lifetime.add(client);
		await lifetime.join("x", "g");
		await lifetime.join("a", "g");
		await lifetime.leave("x", "none");
		assert.equal(await reached({ kind: "groups", groups: ["g"] }), "a");
		assert.equal(await reached({ kind: "all", except: ["x"] }), "abcd");
		assert.equal(await reached({ kind: "client", connectionId: "a" }), "a");
		assert.deepEqual(carrier.sends, [
			{ selection: { kind: "groups", groups: ["g"] }, ids: ["x"] },
			{ selection: { kind: "all", except: ["x"] }, ids: ["y"] },
		]);
		await lifetime.leave("x", "g");
		assert.deepEqual(carrier.groups, ["x in g", "x out of g"]);
		assert.deepEqual(
			carried.flatMap(({ wire }) => wire.sent),
			[],
		);
	});

	it("asks each carrier for users that only it may know, for as long as it has a client", async () => {
		const carrier = new FakeCarrier();
		const carried = ["x", "y"].map((id) => fakeClient(id, { carrier }));
		for (const { client } of carried) lifetime.add(client);
		const selection: Selection = { kind: "users", userIds: ["ann"] };
		assert.equal(await reached(selection), "ab");
		assert.deepEqual(carrier.sends, [{ selection, ids: [] }]);
		for (const { client } of carried) {
			await reached(selection);
			lifetime.remove(client);
		}
		await reached(selection);
		assert.equal(carrier.sends.length, 3);
	});
});
