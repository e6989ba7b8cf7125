import assert from "node:assert/strict";
import { Subject } from "@microsoft/signalr";
import type { Scene } from "../scene.js";
import { failureOf, receive } from "../scene.js";

/** Streams from a client to the hub, and both ways at once. */
export function uploadsContract(scene: () => Scene): void {
	describe("streams of the client", () => {
		it("gives the method all items in order, and the call its result", async () => {
			const { connection } = await scene().connect();
			const numbers = new Subject<number>();
			const sum = connection.invoke("Sum", 1, numbers);
			for (let number = 1; number <= 100; number++) numbers.next(number);
			numbers.complete();
			assert.equal(await sum, 5_051);
			const values = [null, 0, "", { deep: [null] }, [1]];
			const items = new Subject<unknown>();
			const all = connection.invoke("Collect", items);
			for (const value of values) items.next(value);
			items.complete();
			assert.deepEqual(await all, values);
		});

		it("takes one that is empty", async () => {
			const { connection } = await scene().connect();
			const numbers = new Subject<number>();
			const sum = connection.invoke("Sum", 7, numbers);
			numbers.complete();
			assert.equal(await sum, 7);
		});

		it("takes one with a call that wants no answer", async () => {
			const { connection } = await scene().connect();
			const [scope, gate] = [scene().unique(), scene().unique()];
			const items = new Subject<string>();
			await connection.send("Take", scope, gate, items);
			await scene().release(gate);
			items.next("a");
			items.next("b");
			items.complete();
			assert.deepEqual(await scene().reached(scope, 4), ["taking", "a", "b", "complete"]);
		});

		it("streams both ways at once", async () => {
			const { connection } = await scene().connect();
			const items = new Subject<unknown>();
			const echo = receive(connection.stream("EchoStream", items));
			for (let number = 0; number < 30; number++) {
				items.next(number);
				assert.equal((await echo.reached(number + 1))[number], number);
			}
			items.complete();
			assert.equal(await echo.ended, "complete");
		});

		it("does not hold up calls while it is open", async () => {
			const { connection } = await scene().connect();
			const numbers = new Subject<number>();
			const sum = connection.invoke("Sum", 0, numbers);
			assert.equal(await connection.invoke("Add", 1, 2), 3);
			numbers.next(5);
			assert.equal(await connection.invoke("Add", 1, 2), 3);
			numbers.complete();
			assert.equal(await sum, 5);
		});

		it("throws the client's error into the method, and shows it to the caller", async () => {
			const { connection } = await scene().connect();
			const [scope, gate] = [scene().unique(), scene().unique()];
			const items = new Subject<string>();
			const call = connection.invoke("Take", scope, gate, items);
			await scene().release(gate);
			items.next("a");
			items.error(new Error("boom"));
			assert.equal(
				await failureOf(call),
				"An unexpected error occurred invoking 'Take' on the server. HubException: boom",
			);
			assert.deepEqual(await scene().reached(scope, 3), ["taking", "a", "boom"]);
		});

		it("throws it into a stream both ways", async () => {
			const { connection } = await scene().connect();
			const items = new Subject<unknown>();
			const echo = receive(connection.stream("EchoStream", items));
			items.next(1);
			await echo.reached(1);
			items.error(new Error("boom"));
			assert.equal(
				await echo.ended,
				"An error occurred on the server while streaming results. HubException: boom",
			);
		});

		it("drops what comes when the method has ended", async () => {
			const { connection } = await scene().connect();
			const items = new Subject<unknown>();
			const first = connection.invoke("First", items);
			items.next("first");
			assert.equal(await first, "first");
			for (let number = 0; number < 50; number++) items.next(number);
			items.complete();
			assert.equal(await connection.invoke("Add", 1, 2), 3);
		});

		it("ends the method's loop where the client goes", async () => {
			const { connection } = await scene().connect();
			const [scope, gate] = [scene().unique(), scene().unique()];
			const items = new Subject<string>();
			const call = connection.invoke("Take", scope, gate, items);
			call.catch(() => {});
			await scene().release(gate);
			items.next("a");
			assert.deepEqual(await scene().reached(scope, 2), ["taking", "a"]);
			await connection.stop();
			assert.deepEqual(await scene().reached(scope, 3), ["taking", "a", "lost"]);
		});
	});
}
