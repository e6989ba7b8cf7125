import assert from "node:assert/strict";
import { ClientConnection } from "../../../lib/hub/clients/client-connection.js";
import { MAX_PUSHED_BYTES, type PushedItem } from "../../../lib/hub/index.js";
import { readMessagePack, writeMessagePack } from "../../../lib/protocols/index.js";
import { FakeHost, FakeWire, identityOf } from "../fakes.js";

/** A wire to somebody who holds the client, and hears of its items. */
class ItemWire extends FakeWire {
	readonly items: PushedItem[] = [];

	pushItem(item: PushedItem): void {
		this.items.push(item);
	}
}

function told(items: Iterable<PushedItem>): unknown[] {
	return [...items].map(({ name, value }) => [name, value && readMessagePack(value)]);
}

describe("hub/clients/pushed-items", () => {
	let wire: ItemWire;
	let passed: [item: PushedItem, from: unknown][];
	let client: ClientConnection;

	beforeEach(async () => {
		wire = new ItemWire();
		passed = [];
		const host = new FakeHost();
		host.itemPushed = (_client, item, from) => void passed.push([item, from]);
		client = new ClientConnection(identityOf("c1"), wire, host);
		await client.open();
	});

	it("are items here, and go to all who have the client", () => {
		client.pushItem("tenant", { id: 7n });
		client.pushItem("rank", null);
		assert.deepEqual([client.items.get("tenant"), client.items.get("rank")], [{ id: 7n }, null]);
		assert.deepEqual(told(wire.items), [
			["tenant", { id: 7 }],
			["rank", null],
		]);
		assert.deepEqual(told(passed.map(([item]) => item)), told(wire.items));
		assert.deepEqual(told(client.pushed), told(wire.items));
	});

	it("are taken out by undefined, everywhere", () => {
		client.pushItem("tenant", 1);
		client.pushItem("tenant", undefined);
		assert.equal(client.items.has("tenant"), false);
		assert.deepEqual(wire.items.at(-1), { name: "tenant", value: undefined });
		assert.deepEqual(told(client.pushed), []);
	});

	it("do not go back to where they came from", () => {
		const [name, value] = ["tenant", writeMessagePack("acme")];
		client.takeItem({ name, value }, wire);
		assert.deepEqual([wire.items, passed.length, passed[0]?.[1]], [[], 1, wire]);
		const below = {};
		client.takeItem({ name, value }, below);
		assert.deepEqual([wire.items.length, passed[1]?.[1]], [1, below]);
		assert.equal(client.items.get("tenant"), "acme");
	});

	it("are kept in bytes of their own", () => {
		const segment = Buffer.concat([writeMessagePack("acme"), Buffer.alloc(1_000)]);
		client.takeItem({ name: "tenant", value: segment.subarray(0, 5) }, wire);
		segment.fill(0xc1);
		assert.deepEqual(told(client.pushed), [["tenant", "acme"]]);
	});

	it("have 8 KiB, of which those that are taken out count no more", () => {
		const half = "x".repeat(MAX_PUSHED_BYTES / 2 - 150);
		client.pushItem("a", half);
		client.pushItem("b", half);
		assert.throws(() => client.pushItem("c", half), { code: "ERR_LIMIT" });
		assert.deepEqual([client.items.has("c"), wire.items.length, passed.length], [false, 2, 2]);
		client.pushItem("b", "less");
		client.pushItem("c", half);
		assert.throws(() => client.pushItem("many", "x".repeat(400)), { code: "ERR_LIMIT" });
		client.pushItem("a", undefined);
		client.pushItem("many", "x".repeat(400));
	});

	it("may be twice as many where other servers push as well, and no more", () => {
		const value = writeMessagePack("x".repeat(MAX_PUSHED_BYTES - 100));
		client.takeItem({ name: "a", value }, wire);
		client.takeItem({ name: "b", value }, wire);
		assert.throws(() => client.takeItem({ name: "c", value }, wire), { code: "ERR_LIMIT" });
		assert.throws(() => client.pushItem("d", 1), { code: "ERR_LIMIT" });
		client.pushItem("a", undefined);
	});

	for (const name of ["", "x".repeat(257), "\ud800", undefined])
		it(`cannot be called ${JSON.stringify(name)?.slice(0, 20)}`, () => {
			assert.throws(() => client.pushItem(name as string, 1), { code: "ERR_ARGUMENTS" });
			assert.equal(client.items.size, 0);
		});

	it("must be values that MessagePack carries", () => {
		const circle: unknown[] = [];
		circle.push(circle);
		assert.throws(() => client.pushItem("f", circle), { code: "ERR_SERIALIZATION" });
		assert.throws(() => client.takeItem({ name: "f", value: Buffer.from([0xc1]) }, wire), {
			code: "ERR_PROTOCOL",
		});
		assert.deepEqual([client.items.size, told(client.pushed), wire.items], [0, [], []]);
	});

	it("are nobody's once the client is gone", async () => {
		await client.ended({ kind: "closed" });
		client.pushItem("a", 1);
		client.takeItem({ name: "b", value: writeMessagePack(1) }, undefined);
		assert.deepEqual([client.items.size, wire.items, passed], [0, [], []]);
	});
});
