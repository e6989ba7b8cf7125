import assert from "node:assert/strict";
import { deferred } from "../../lib/base/index.js";
import { hubContract } from "./contract/contract.js";
import { behindChain, behindFilter, behindProxy, besideFiltered } from "./forwarded.js";
import { Scene } from "./scene.js";
import { COMBINATIONS, type Subject } from "./subject.js";

for (const subject of [behindProxy, behindChain, besideFiltered, behindFilter]) hubContract(subject);

/** What two app servers behind one proxy do not share. */
function twoUpstreams(subject: Subject): void {
	describe(`reference: two hubs: ${subject.name}`, () => {
		before(() => subject.open());
		after(() => subject.close());
		for (const combination of COMBINATIONS) {
			const { transport, protocol } = combination;
			describe(`${transport}, ${protocol}`, () => {
				const scene = new Scene(subject, combination);
				afterEach(() => scene.leave());

				it("have groups of the same name, each with its own members", async () => {
					const [a, b] = [await scene.connect(), await scene.connect()];
					const group = scene.unique();
					await a.connection.invoke("Join", group);
					await b.connection.invoke("otherJoin", group);
					await a.connection.invoke("Say", "group", [group], "to a");
					await a.connection.invoke("otherSay", "group", [group], "to b");
					await a.connection.invoke("otherSay", "client", [b.id], "end");
					await b.connection.invoke("Say", "client", [a.id], "end");
					assert.deepEqual(
						[await a.heard(2), await b.heard(2)],
						[
							["to a", "end"],
							["to b", "end"],
						],
					);
				});

				it("both send to all of their clients", async () => {
					const [a, b] = [await scene.connect(), await scene.connect()];
					for (const { connection } of [a, b]) await connection.invoke("otherWhoAmI");
					await a.connection.invoke("Say", "all", [], "one");
					await a.connection.invoke("otherSay", "all", [], "other");
					assert.deepEqual(
						[await a.heard(2), await b.heard(2)],
						[
							["one", "other"],
							["one", "other"],
						],
					);
				});

				it("know one client as the same", async () => {
					const { connection, id } = await scene.connect({ user: "ada" });
					assert.deepEqual(await connection.invoke("WhoAmI"), [id, "ada"]);
					assert.deepEqual(await connection.invoke("otherWhoAmI"), [id, "ada"]);
				});

				it("ask one client at the same time, and each gets its own answer", async () => {
					const { connection } = await scene.connect();
					const gates = { hub: deferred(), other: deferred() };
					connection.on("who", async (name: "hub" | "other") => {
						const turns = ["hub", "other"] as const;
						for (const turn of turns) if (turn === name) gates[turn].resolve();
						// Both are asked before either is answered.
						await Promise.all(turns.map((turn) => gates[turn].promise));
						return name;
					});
					const answers = [
						connection.invoke("AskCaller", "who", "hub"),
						connection.invoke("otherAskCaller", "who", "other"),
					];
					assert.deepEqual(await Promise.all(answers), ['result "hub"', 'result "other"']);
				});
			});
		}
	});
}

for (const subject of [besideFiltered, behindFilter]) twoUpstreams(subject);
