import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import type { HubConnection } from "@microsoft/signalr";
import { type Audience, chatHub } from "./stock/chat-hub.js";
import { authenticate, describeEach, everyHttpScene, everyScene } from "./stock/scene.js";
import type { StockClient } from "./stock/stock-client.js";

/** The message of the error that an invocation ends with. */
async function failure(connection: HubConnection, method: string, ...args: unknown[]): Promise<string> {
	const result: unknown = await connection.invoke(method, ...args).catch((thrown: Error) => thrown);
	assert.ok(result instanceof Error, `${method} did not fail`);
	return result.message;
}

describeEach(
	"interop/stock-signalr-methods",
	(scene) => {
		before(() => scene.open({ app: chatHub, hubOptions: { authenticate } }));
		afterEach(() => scene.leave());
		after(() => scene.close());

		it("invokes methods with any arguments and gets their results", async () => {
			const { connection } = await scene.connect();
			const value = { text: "é\u{1F600}\u001e", list: [1, -2.5, null, true], nested: { deep: [[]] } };
			assert.deepEqual(await connection.invoke("echo", value), value);
			assert.equal(await connection.invoke("SUM", 1, 2, 3), 6);
			assert.equal((await connection.invoke("nothing")) ?? null, null);
			const results = await Promise.all([1, 2, 3].map((number) => connection.invoke("echo", number)));
			assert.deepEqual(results, [1, 2, 3]);
		});

		it("tells why a method failed, and no more than its caller may know", async () => {
			const { connection } = await scene.connect();
			assert.match(await failure(connection, "fail", "not today"), /HubException: not today$/);
			assert.match(await failure(connection, "nope"), /HubException: Method does not exist\.$/);
			const text = "An unexpected error occurred invoking 'crash' on the server.";
			assert.equal(await failure(connection, "crash"), text);
			assert.equal(await connection.invoke("echo", "still here"), "still here");
		});

		it("takes calls that want no answer, in order", async () => {
			const { connection } = await scene.connect();
			for (let number = 0; number < 20; number++) await connection.send("remember", number);
			assert.deepEqual(
				await connection.invoke("remembered"),
				Array.from({ length: 20 }, (_, number) => number),
			);
		});

		it("knows the user and the connection id of the client's end", async () => {
			const ada = await scene.connectAs("ada");
			assert.deepEqual(await ada.connection.invoke("whoami"), { connectionId: ada.id, user: "ada" });
		});

		it("sends to all, others, groups, users and connections, each with exceptions", async () => {
			const clients = await scene.connectAll("ada", "ada", "bob", "bob");
			const [a, b, c, d] = clients;
			for (const client of clients) await client.connection.invoke("join", "left");
			for (const client of [c, d]) await client.connection.invoke("join", "right");
			await d.connection.invoke("leave", "left");
			const table: [Audience, string[], StockClient[]][] = [
				["all", [], [a, b, c, d]],
				["others", [], [b, c, d]],
				["caller", [], [a]],
				["client", [c.id], [c]],
				["clients", [a.id, d.id, "unknown"], [a, d]],
				["group", ["left"], [a, b, c]],
				["groups", ["left", "right"], [a, b, c, d]],
				["othersInGroup", ["left"], [b, c]],
				["user", ["ada"], [a, b]],
				["users", ["ada", "bob"], [a, b, c, d]],
				["allExcept", [a.id, b.id], [c, d]],
				["groupExcept", ["left", b.id], [a, c]],
				["userExcept", ["ada", a.id], [b]],
				["group", ["nobody"], []],
			];
			for (const [audience, names] of table) {
				await a.connection.invoke("say", audience, names, `${audience} ${names}`);
			}
			await a.connection.invoke("say", "all", [], "end");
			for (const client of clients) {
				await client.next("Chat", ({ text }) => text === "end");
				const forClient = table.filter(([, , receivers]) => receivers.includes(client));
				const expected = forClient.map(([audience, names]) => `${audience} ${names}`);
				assert.deepEqual(
					client.received.get("Chat")?.map(({ text }) => text),
					[...expected, "end"],
				);
			}
		});

		for (const leave of scene.isOverSockets ? (["stop", "cut"] as const) : (["stop"] as const)) {
			it(`fires disconnected once for a client that leaves (${leave})`, async () => {
				const clients = await scene.connectAll(undefined, undefined);
				const ids = clients.map(({ id }) => id);
				const left: string[] = [];
				const events = new EventEmitter();
				scene.app.on("disconnected", ({ connectionId }) => {
					left.push(connectionId);
					events.emit(connectionId);
				});
				for (const [index, client] of clients.entries()) {
					await client.connection.invoke("echo", 1);
					const gone = once(events, ids[index] as string);
					await client[leave]();
					await gone;
				}
				assert.deepEqual(left, ids);
			});
		}
	},
	[...everyScene(), ...everyHttpScene()],
);
