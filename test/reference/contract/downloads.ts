import assert from "node:assert/strict";
import type { Scene } from "../scene.js";
import { receive } from "../scene.js";

/** Streams from the hub to a client. */
export function downloadsContract(scene: () => Scene): void {
	describe("streams to the client", () => {
		it("sends all items in order, and says that it is complete", async () => {
			const { connection } = await scene().connect();
			for (const count of [0, 1, 1_000]) {
				const { ended, items } = receive(connection.stream("Counter", count));
				assert.equal(await ended, "complete");
				assert.deepEqual(
					items,
					Array.from({ length: count }, (_, at) => at + 1),
				);
			}
		});

		it("sends null as an item", async () => {
			const { connection } = await scene().connect();
			const { ended, items } = receive(connection.stream("Nulls"));
			assert.equal(await ended, "complete");
			assert.deepEqual(items, [null, { name: null }]);
		});

		it("runs beside other streams and calls", async () => {
			const { connection } = await scene().connect();
			const quiet = receive(connection.stream("Quiet", scene().unique()));
			const endless = receive(connection.stream("Endless", scene().unique()));
			await Promise.all([quiet.reached(1), endless.reached(3)]);
			assert.equal(await connection.invoke("Add", 1, 2), 3);
			const counter = receive(connection.stream("Counter", 3));
			assert.equal(await counter.ended, "complete");
			const seen = endless.items.length;
			await endless.reached(seen + 1);
		});

		it("starts while a call runs", async () => {
			const { connection } = await scene().connect();
			const gate = scene().unique();
			const held = connection.invoke("Hold", gate);
			await scene().reached(gate, 1);
			const { ended, items } = receive(connection.stream("Counter", 3));
			assert.equal(await ended, "complete");
			assert.deepEqual(items, [1, 2, 3]);
			await scene().release(gate);
			await held;
		});

		for (const name of ["Endless", "Quiet"]) {
			it(`ends the generator where the client cancels (${name})`, async () => {
				const { connection } = await scene().connect();
				const scope = scene().unique();
				const { reached, subscription } = receive(connection.stream(name, scope));
				await reached(1);
				subscription.dispose();
				assert.deepEqual(await scene().reached(scope, 1), ["stream over"]);
				assert.equal(await connection.invoke("Add", 1, 2), 3);
			});

			it(`ends the generator where the client goes (${name})`, async () => {
				const { connection } = await scene().connect();
				const scope = scene().unique();
				const { reached } = receive(connection.stream(name, scope));
				await reached(1);
				await connection.stop();
				assert.deepEqual(await scene().reached(scope, 1), ["stream over"]);
			});
		}
	});
}
