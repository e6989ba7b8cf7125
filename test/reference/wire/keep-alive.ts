import assert from "node:assert/strict";
import type { Scene } from "../scene.js";

const CLOSED = { type: 7, error: "Connection closed with an error.", allowReconnect: true };

/** Pings of both sides, at a hub that gives clients 600 ms. */
export function keepAliveContract(scene: () => Scene): void {
	describe("keep-alive", () => {
		it("ends a client that has pinged and is silent then; one that never pinged, and one that goes on, stay", async () => {
			const [silent, once, often] = await Promise.all([1, 2, 3].map(() => scene().raw("/hasty")));
			assert(silent && once && often);
			const pings = setInterval(() => often.send({ type: 6 }), 50);
			try {
				once.send({ type: 6 });
				assert.deepEqual(await once.last(), { said: [CLOSED], code: "1000 " });
				for (const raw of [silent, often]) {
					raw.invoke("1", "Add", 1, 2);
					assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: 3 });
				}
			} finally {
				clearInterval(pings);
			}
		});

		it("sends pings, and answers none", async () => {
			const raw = await scene().raw("/hasty");
			while (!raw.records.includes('{"type":6}'))
				await new Promise((resolve) => raw.webSocket.once("message", resolve));
			const other = await scene().raw();
			other.send({ type: 6 }, { type: 6 });
			await scene().meanwhile();
			assert.deepEqual(other.records, []);
		});

		it("ends a client that is silent while its method runs, and keeps one that pings", async () => {
			const gate = scene().unique();
			const [silent, often] = await Promise.all([scene().raw("/hasty"), scene().raw("/hasty")]);
			const pings = setInterval(() => often.send({ type: 6 }), 50);
			try {
				silent.send({ type: 6 });
				for (const raw of [silent, often]) raw.invoke("1", "Hold", gate);
				assert.deepEqual(await silent.last(), { said: [CLOSED], code: "1000 " });
				await scene().release(gate);
				assert.deepEqual(await often.next(), { type: 3, invocationId: "1", result: gate });
			} finally {
				clearInterval(pings);
			}
		});
	});
}
