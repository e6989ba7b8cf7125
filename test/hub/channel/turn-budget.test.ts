import assert from "node:assert/strict";
import { settle } from "../fakes.js";
import { live } from "../live.js";
import { call, Fixture, PING } from "./channel-fixture.js";

describe("hub/channel/turn-budget: turns of the event loop", () => {
	/** Many messages in one chunk. */
	function flood(count: number): string {
		return Array.from({ length: count }, (_, at) => call(`m${at}`)).join("\u001e");
	}

	/** How many messages were handed out in each turn, once all were. */
	async function turns(fixture: Fixture, count: number): Promise<number[]> {
		const taken: number[] = [];
		for (let before = 0; before < count; before = fixture.messages.length) {
			if (taken.length > 0) await settle();
			taken.push(fixture.messages.length - before);
			assert(taken.length <= count);
		}
		assert.deepEqual(
			fixture.targets,
			Array.from({ length: count }, (_, at) => `m${at}`),
		);
		return taken;
	}

	it("come after every 64 messages of a chunk, and the client is not read meanwhile", async () => {
		const fixture = new Fixture().shake();
		fixture.connection.receive(flood(200), call("m200"));
		assert.deepEqual([fixture.messages.length, fixture.connection.isPaused], [64, true]);
		assert.deepEqual(await turns(fixture, 201), [64, 64, 64, 9]);
		assert.equal(fixture.connection.isPaused, false);
	});

	it("come also where each message waits, and its wait ends in a microtask", async () => {
		const fixture: Fixture = new Fixture();
		let running = 0;
		fixture.handler = {
			...fixture.handler,
			message: async (message) => {
				assert.equal(++running, 1);
				fixture.messages.push(message);
				await Promise.resolve();
				running--;
			},
		};
		fixture.shake().connection.receive(flood(200));
		assert.equal(fixture.messages.length, 1);
		await settle();
		assert.deepEqual([fixture.messages.length, fixture.connection.isPaused], [64, true]);
		await settle();
		assert.equal(fixture.messages.length, 128);
		await turns(fixture, 200);
		assert.equal(fixture.connection.isPaused, false);
	});

	it("come as soon as 10 ms were worked, in one chunk or many", async () => {
		for (const split of [false, true]) {
			const fixture: Fixture = new Fixture();
			fixture.handler = {
				...fixture.handler,
				message: (message) => {
					fixture.messages.push(message);
					fixture.clock.advance(4);
					return undefined;
				},
			};
			fixture.shake().connection.receive(...(split ? flood(7).split("\u001e") : [flood(7)]));
			assert.deepEqual(await turns(fixture, 7), [3, 3, 1]);
		}
	});

	it("come after 64 messages that follow each other in chunks of their own", async () => {
		const fixture = new Fixture().shake();
		fixture.connection.receive(...flood(100).split("\u001e"));
		assert.deepEqual(await turns(fixture, 100), [64, 36]);
	});

	it("are not asked for by sparse traffic, however much there is of it", () => {
		const fixture = new Fixture().shake();
		for (let at = 0; at < 500; at++) {
			fixture.connection.receive(`${call("a")}\u001e${call("b")}`);
			fixture.clock.advance(10);
			assert.equal(fixture.connection.isPaused, false);
		}
		assert.equal(fixture.messages.length, 1_000);
	});

	it("count as our silence, not the client's", async () => {
		const fixture = new Fixture().shake();
		fixture.connection.receive(PING, flood(64));
		assert.equal(fixture.connection.isPaused, true);
		fixture.clock.advance(600_000);
		assert.equal(fixture.connection.isEnded, false);
		await settle();
		assert.equal(fixture.messages.length, 65);
		fixture.clock.advance(29_000);
		assert.equal(fixture.connection.isEnded, false);
		fixture.clock.advance(1_000);
		assert.equal(fixture.connection.isEnded, true);
	});

	it("bring nothing more of a connection that ended meanwhile", async () => {
		const fixture = new Fixture().shake();
		fixture.connection.receive(flood(200));
		fixture.connection.vanish();
		await settle();
		assert.deepEqual([fixture.messages.length, fixture.reasons], [64, [{ kind: "closed" }]]);
	});

	it("let others be served while one client's frame is worked on", async () => {
		let count = 0;
		const served = await live({ methods: { flood: () => void count++, count: () => count } });
		try {
			const other = await served.client();
			const flooding = await served.raw();
			flooding.webSocket.send(`${call("flood")}\u001e`.repeat(5_000));
			const seen: number[] = [];
			while (seen.at(-1) !== 5_000) seen.push(await other.invoke("count"));
			assert(
				seen.some((at) => at > 0 && at < 5_000),
				seen.join(),
			);
		} finally {
			await served.close();
		}
	});
});
