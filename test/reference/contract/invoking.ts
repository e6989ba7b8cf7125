import assert from "node:assert/strict";
import type { Scene } from "../scene.js";
import { failureOf } from "../scene.js";

const VALUES: readonly unknown[] = [
	null,
	true,
	0,
	-1,
	2.5,
	2 ** 40,
	"",
	"straße € \u{1F600}",
	"a record\u001eseparator",
	[],
	{},
	[1, [2, [3]]],
	{ text: "é", list: [1, null, "x"], nested: { deep: {} } },
];

/** Calls with one answer. */
export function invokingContract(scene: () => Scene): void {
	describe("invoking", () => {
		it("gives back every kind of value as it was sent", async () => {
			const { connection } = await scene().connect();
			for (const value of VALUES) assert.deepEqual(await connection.invoke("Echo", value), value);
		});

		it("answers null for a method without a result, promised or not", async () => {
			const { connection } = await scene().connect();
			assert.equal(await connection.invoke("Nothing"), null);
			assert.equal(await connection.invoke("NothingLater"), null);
		});

		it("keeps null properties", async () => {
			const { connection } = await scene().connect();
			const person = { name: "Ada", rank: 1, note: null };
			assert.deepEqual(await connection.invoke("Promoted", person), { ...person, rank: 2 });
		});

		it("finds methods without regard to case, and a renamed one by its new name only", async () => {
			const { connection } = await scene().connect();
			assert.equal(await connection.invoke("aDD", 1, 2), 3);
			assert.equal(await connection.invoke("newname"), "renamed");
			assert.match(await failureOf(connection.invoke("OldName")), /Method does not exist\.$/);
		});

		it("lets nobody reach what is no hub method", async () => {
			const { connection } = await scene().connect();
			const names = ["ToString", "GetType", "Equals", "Dispose", "OnConnectedAsync", "OnDisconnectedAsync"];
			names.push("Protected", "constructor", "__proto__", "hasOwnProperty", "onConnected", "toString");
			for (const name of names) {
				const expected = `Failed to invoke '${name}' due to an error on the server. HubException: Method does not exist.`;
				assert.equal(await failureOf(connection.invoke(name)), expected);
			}
		});

		it("runs calls that want no answer, in order", async () => {
			const { connection } = await scene().connect();
			const scope = scene().unique();
			const texts = Array.from({ length: 50 }, (_, at) => String(at));
			for (const text of texts) await connection.send("Note", scope, text);
			assert.deepEqual(await scene().reached(scope, texts.length), texts);
		});

		it("gives every one of many callers its own answer", async () => {
			const { connection } = await scene().connect();
			const numbers = Array.from({ length: 50 }, (_, at) => at);
			assert.deepEqual(
				await Promise.all(numbers.map((number) => connection.invoke("Add", number, 1))),
				numbers.map((number) => number + 1),
			);
		});

		it("runs one call of a client at a time, and does not hold up others", async () => {
			const { connection } = await scene().connect();
			const gate = scene().unique();
			const held = connection.invoke("Hold", gate);
			const next = connection.invoke("Note", gate, "next");
			await scene().reached(gate, 1);
			await scene().meanwhile();
			assert.deepEqual(await scene().reached(gate, 0), ["held"]);
			await scene().release(gate);
			assert.equal(await held, gate);
			await next;
			assert.deepEqual(await scene().reached(gate, 3), ["held", "let go", "next"]);
		});

		it("runs as many calls of a client at a time as it is told to", async () => {
			const { connection } = await scene().connect({ path: "/parallel" });
			const gate = scene().unique();
			const calls = [1, 2, 3].map(() => connection.invoke("Hold", gate));
			await scene().reached(gate, 2);
			await scene().meanwhile();
			assert.deepEqual(await scene().reached(gate, 0), ["held", "held"]);
			await scene().release(gate);
			assert.deepEqual(await Promise.all(calls), [gate, gate, gate]);
		});

		it("carries bytes", async () => {
			const { connection } = await scene().connect();
			const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
			const isText = scene().combination.protocol === "json";
			const sent = isText ? Buffer.from(bytes).toString("base64") : bytes;
			const answer = await connection.invoke<string | Uint8Array>("Reversed", sent);
			assert.equal(typeof answer === "string", isText);
			const found = Buffer.from(answer as string, isText ? "base64" : undefined);
			assert.deepEqual([...found], [...bytes].reverse());
		});

		it("carries large messages, up to the limit towards the hub and without one from it", async () => {
			const { connection } = await scene().connect();
			assert.equal(await connection.invoke("LengthOf", "x".repeat(32_000)), 32_000);
			const text = "straße €".repeat(50_000);
			assert.equal(await connection.invoke("Repeated", "straße €", 50_000), text);
		});

		it("keeps things for one connection, from call to call", async () => {
			const [one, other] = [await scene().connect(), await scene().connect()];
			assert.equal(await one.connection.invoke("CountUp"), 1);
			assert.equal(await one.connection.invoke("CountUp"), 2);
			assert.equal(await other.connection.invoke("CountUp"), 1);
		});

		it("tells the method who calls: the connection id, and the user", async () => {
			const [ada, nobody] = [await scene().connect({ user: "ada" }), await scene().connect()];
			assert.deepEqual(await ada.connection.invoke("WhoAmI"), [ada.id, "ada"]);
			assert.deepEqual(await nobody.connection.invoke("WhoAmI"), [nobody.id, null]);
		});
	});
}
