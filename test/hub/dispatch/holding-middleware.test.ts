import assert from "node:assert/strict";
import { type Deferred, deferred, ManualClock } from "../../../lib/base/index.js";
import type { HubExtension } from "../../../lib/hub/index.js";
import { type Live, live, until } from "../live.js";

/** Extensions that take every call, and wait for `gate`: by middleware, and by a taker. */
const HOLDERS: Record<string, (wait: () => Promise<void>) => HubExtension> = {
	middleware: (wait) => ({ install: () => wait }),
	taker: (wait) => ({ install: () => undefined, take: wait }),
};

describe("hub/dispatch holding middleware", () => {
	for (const [name, make] of Object.entries(HOLDERS)) {
		describe(`(${name})`, () => {
			const clock = new ManualClock(1_000);
			let server: Live;
			let gates: Deferred<void>[] = [];
			let isOver = false;
			beforeEach(async () => {
				gates = [];
				isOver = false;
				server = await live({ clock, clientTimeoutMs: 30_000 });
				const wait = (): Promise<void> => {
					const gate = deferred();
					gates.push(gate);
					if (isOver) gate.resolve();
					return gate.promise;
				};
				server.hub.use(make(wait));
			});
			afterEach(async () => {
				isOver = true;
				for (const gate of gates) gate.resolve();
				await server.close();
			});

			it("stops the reading of its client behind the next call", async () => {
				const raw = await server.raw();
				for (let id = 1; id <= 2; id++) raw.invoke(String(id), "far");
				await until(() => gates.length === 1);
				// Far more than one read of the socket: it fills the buffers between the two ends once nobody reads.
				const message = JSON.stringify({ type: 1, target: "far", arguments: ["a".repeat(30_000)] });
				for (let at = 0; at < 400; at++) raw.send(message);
				for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
				assert(raw.webSocket.bufferedAmount > 0, "the client's bytes wait on its own side");
				assert.equal(gates.length, 1);
				gates[0]?.resolve();
				await until(() => gates.length === 2);
				assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: null });
			});

			it("lets the client's time stand still while it is not read", async () => {
				const raw = await server.raw();
				raw.send({ type: 6 });
				for (let id = 1; id <= 2; id++) raw.invoke(String(id), "far");
				raw.send({ type: 6 });
				await until(() => gates.length === 1);
				clock.advance(120_000);
				gates[0]?.resolve();
				assert.deepEqual(await readUntil(raw, 3), { type: 3, invocationId: "1", result: null });
				await until(() => gates.length === 2);
				clock.advance(29_000);
				await new Promise((resolve) => setImmediate(resolve));
				assert.equal(server.hub.lifetime.size, 1, "its time begins anew when it is read again");
				clock.advance(2_000);
				assert.deepEqual(await readUntil(raw, 7), {
					...{ type: 7, error: "Connection closed with an error.", allowReconnect: true },
				});
			});

			it("keeps nobody else waiting", async () => {
				const first = await server.raw();
				first.invoke("1", "far");
				await until(() => gates.length === 1);
				const second = await server.raw();
				second.invoke("1", "far");
				await until(() => gates.length === 2);
				gates[1]?.resolve();
				assert.deepEqual(await second.next(), { type: 3, invocationId: "1", result: null });
			});
		});
	}
});

/** The next record of a type. */
async function readUntil(raw: { next(): Promise<unknown> }, type: number): Promise<unknown> {
	for (;;) {
		const record = await raw.next();
		if ((record as { type: number }).type === type) return record;
	}
}
