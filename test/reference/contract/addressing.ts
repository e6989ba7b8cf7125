import assert from "node:assert/strict";
import type { Scene, StockClient } from "../scene.js";

type Row = readonly [audience: string, names: readonly string[], hearers: readonly StockClient[]];

/** Who hears what: groups, users, connections. */
export function addressingContract(scene: () => Scene): void {
	describe("groups and addressing", () => {
		/** Has `speaker` say each row's text, and compares what everybody has heard; others' clients may be connected too. */
		async function hears(
			speaker: StockClient,
			all: readonly StockClient[],
			rows: readonly Row[],
		): Promise<void> {
			for (const [at, [audience, names]] of rows.entries())
				await speaker.connection.invoke("Say", audience, names, `${at} ${audience}`);
			for (const client of all) await speaker.connection.invoke("Say", "client", [client.id], "end");
			for (const client of all) {
				const texts = rows.flatMap(([audience, , hearers], at) =>
					hearers.includes(client) ? [`${at} ${audience}`] : [],
				);
				assert.deepEqual(await client.heard(texts.length + 1), [...texts, "end"]);
			}
		}

		it("sends to all, others, connections, groups and users, and leaves out whom it is told to", async () => {
			const [left, right, ada, bob] = [1, 2, 3, 4].map(() => scene().unique());
			assert(left && right && ada && bob);
			const [a, b, c, d] = await Promise.all([
				scene().connect({ user: ada }),
				scene().connect({ user: ada }),
				scene().connect({ user: bob }),
				scene().connect({ user: bob }),
			]);
			for (const { connection } of [a, b, c]) await connection.invoke("Join", left);
			await d.connection.invoke("Join", right);
			await hears(
				a,
				[a, b, c, d],
				[
					["all", [], [a, b, c, d]],
					["allExcept", [a.id, c.id, "nobody"], [b, d]],
					["others", [], [b, c, d]],
					["caller", [], [a]],
					["client", [b.id], [b]],
					["clients", [c.id, d.id, "nobody"], [c, d]],
					["group", [left], [a, b, c]],
					["groups", [left, right], [a, b, c, d]],
					["groupExcept", [left, b.id], [a, c]],
					["othersInGroup", [left], [b, c]],
					["othersInGroup", [right], [d]],
					["user", [ada], [a, b]],
					["users", [ada, bob], [a, b, c, d]],
					["client", ["nobody"], []],
					["clients", [], []],
					["group", ["nobody"], []],
					["user", ["nobody"], []],
				],
			);
		});

		it("sends to a member of several groups once for each group", async () => {
			const [left, right] = [scene().unique(), scene().unique()];
			const a = await scene().connect();
			for (const group of [left, right]) await a.connection.invoke("Join", group);
			await a.connection.invoke("Say", "groups", [left, right], "both");
			await a.connection.invoke("Say", "caller", [], "end");
			const expected = scene().subject.deviates("member of several groups")
				? ["both", "end"]
				: ["both", "both", "end"];
			assert.deepEqual(await a.heard(expected.length), expected);
		});

		it("compares names of groups and users exactly", async () => {
			const name = `${scene().unique()}x`;
			const [a, b] = [await scene().connect({ user: name }), await scene().connect()];
			await a.connection.invoke("Join", name);
			await hears(
				b,
				[a, b],
				[
					["group", [name.toUpperCase()], []],
					["user", [name.toUpperCase()], []],
					["group", [name], [a]],
					["user", [name], [a]],
				],
			);
		});

		it("adds twice as once, and forgets a member that leaves", async () => {
			const group = scene().unique();
			const [a, b] = [await scene().connect(), await scene().connect()];
			for (let times = 0; times < 2; times++) await a.connection.invoke("Join", group);
			await b.connection.invoke("Join", group);
			await b.connection.invoke("Leave", group);
			await b.connection.invoke("Leave", group);
			await hears(b, [a, b], [["group", [group], [a]]]);
		});

		it("adds any connection by its id, and passes over one that is not there", async () => {
			const group = scene().unique();
			const [a, b] = [await scene().connect(), await scene().connect()];
			await a.connection.invoke("JoinFor", b.id, group);
			await a.connection.invoke("JoinFor", "nobody", group);
			await hears(a, [a, b], [["group", [group], [b]]]);
		});

		it("ends a membership with its connection", async () => {
			const group = scene().unique();
			const [a, b] = [await scene().connect(), await scene().connect()];
			await a.connection.invoke("Join", group);
			await a.connection.stop();
			await scene().reached(a.id, 2);
			await a.connection.start();
			await b.connection.invoke("Say", "group", [group], "to nobody");
			await b.connection.invoke("Say", "client", [a.connection.connectionId], "end");
			assert.deepEqual(await a.heard(1), ["end"]);
		});

		it("keeps the order of what one connection is sent", async () => {
			const [a, b] = [await scene().connect(), await scene().connect()];
			const texts = Array.from({ length: 100 }, (_, at) => at);
			for (const text of texts) await a.connection.send("Say", "client", [b.id], String(text));
			assert.deepEqual(await b.heard(texts.length), texts.map(String));
		});

		it("finds handlers of the client without regard to case, and gives them all arguments", async () => {
			const { connection } = await scene().connect();
			const heard: unknown[][] = [];
			connection.on("TOLD", (...args: unknown[]) => void heard.push(args));
			await connection.invoke("SayTwo", "told", { deep: [null] }, null);
			assert.deepEqual(heard, [[{ deep: [null] }, null]]);
		});
	});
}
