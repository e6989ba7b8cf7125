import assert from "node:assert/strict";
import { deferred } from "../../../lib/base/index.js";
import type { Scene } from "../scene.js";

/** Calls of the hub that clients answer. */
export function clientResultsContract(scene: () => Scene): void {
	describe("client results", () => {
		it("gives the method what its caller answers, now or later", async () => {
			const { connection } = await scene().connect();
			connection.on("double", (value: number) => value * 2);
			connection.on("later", async (value: unknown) => ({ value }));
			connection.on("null", () => null);
			assert.equal(await connection.invoke("AskCaller", "double", 21), "result 42");
			assert.equal(await connection.invoke("AskCaller", "later", "x"), 'result {"value":"x"}');
			assert.equal(await connection.invoke("AskCaller", "null", 0), "result null");
			assert.equal(await connection.invoke("AskCaller", "DOUBLE", 1), "result 2");
		});

		it("throws what the client refuses with", async () => {
			const { connection } = await scene().connect();
			connection.on("refuse", () => {
				throw new Error("not now");
			});
			connection.on("undefined", () => undefined);
			const none = "error Client didn't provide a result.";
			assert.equal(await connection.invoke("AskCaller", "refuse", 0), "error Error: not now");
			assert.equal(await connection.invoke("AskCaller", "undefined", 0), none);
			assert.equal(await connection.invoke("AskCaller", "nobody", 0), none);
		});

		it("asks another client by its id", async () => {
			const [asking, asked] = [await scene().connect(), await scene().connect()];
			asked.connection.on("who", () => "me");
			assert.equal(await asking.connection.invoke("Ask", asked.id, "who", 0), 'result "me"');
		});

		it("says so where there is no such connection, or it goes before it answers", async () => {
			const [asking, asked] = [await scene().connect(), await scene().connect()];
			assert.equal(
				await asking.connection.invoke("Ask", "nobody", "who", 0),
				"error Connection 'nobody' does not exist.",
			);
			const wasAsked = deferred();
			asked.connection.on("who", () => {
				wasAsked.resolve();
				return new Promise(() => {});
			});
			const answer = asking.connection.invoke("Ask", asked.id, "who", 0);
			await wasAsked.promise;
			await asked.connection.stop();
			assert.equal(await answer, `error Connection '${asked.id}' disconnected.`);
		});

		it("lets other calls of the caller run while its method waits for it", async () => {
			const { connection } = await scene().connect();
			connection.on("sum", () => connection.invoke("Add", 1, 2));
			assert.equal(await connection.invoke("AskCaller", "sum", 0), "result 3");
			assert.equal(await connection.invoke("Add", 2, 3), 5);
		});
	});
}
