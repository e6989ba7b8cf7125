import assert from "node:assert/strict";
import fc from "fast-check";
import { readFrame, Sharers } from "./test-window.js";

const SHARE = 100;
const LARGEST = 250;
const LIGHT = 999;

const sizes = fc.integer({ min: 6, max: LARGEST });
const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

/** What a client does, or what becomes of what was written. */
const step = fc.oneof(
	fc.record({ client: fc.integer({ min: 0, max: 5 }), bytes: sizes, count: fc.integer({ min: 1, max: 20 }) }),
	fc.constantFrom("turn" as const, "confirm" as const, "serve" as const),
);

/** What was written, by client, in order. */
function numbersOf(written: readonly Buffer[]): Map<number, number[]> {
	const found = new Map<number, number[]>();
	for (const { client, number } of written.map(readFrame))
		found.set(client, [...(found.get(client) ?? []), number]);
	return found;
}

describe("forwarding/sharing/window-shares", () => {
	it("is not asked while less than half of the window is used, and nobody waits", () => {
		const sharers = new Sharers(1_000, SHARE);
		for (const client of [0, 0, 0, 0]) sharers.write(client, 100);
		assert.equal(sharers.shares.isOpen, true);
		sharers.write(0, 100);
		assert.equal(sharers.shares.isOpen, false);
		assert.equal(sharers.window.written.length, 5);
	});

	it("keeps the order of each client, loses and doubles nothing, and knows what waits", () => {
		fc.assert(
			fc.property(
				fc.array(step, { maxLength: 60 }),
				fc.constantFrom("take", "flush", "serve"),
				(steps, end) => {
					const { shares, window, ...sharers } = play(steps);
					const waiting = sharers.all() - window.written.length;
					assert.equal(shares.waiting, waiting);
					assert.equal(shares.waitingBytes > 0, waiting > 0);
					const rest = end === "take" ? shares.take() : [];
					if (end === "flush") shares.flush();
					for (let left = 0; end === "serve" && left < 10_000 && shares.waiting > 0; left++) sharers.step();
					assert.deepEqual([shares.waiting, shares.waitingBytes], [0, 0]);
					for (const [client, found] of numbersOf([...window.written, ...rest]))
						assert.deepEqual(found, numbers(sharers.given(client)));
					assert.equal(window.written.length + rest.length, sharers.all());
				},
			),
		);
	});

	it("serves a client with little to send within one round, whatever the others queue", () => {
		const others = fc.array(fc.record({ bytes: sizes, frames: fc.integer({ min: 1, max: 50 }) }), {
			minLength: 1,
			maxLength: 60,
		});
		fc.assert(
			fc.property(others, fc.integer({ min: 6, max: SHARE }), (flooders, bytes) => {
				const sharers = full(flooders);
				sharers.write(LIGHT, bytes);
				assert.equal(sharers.share(LIGHT).isWaiting, true);
				const from = sharers.window.written.length;
				for (let left = 0; left < 10_000 && sharers.share(LIGHT).isWaiting; left++) {
					// The others have more all the time.
					for (const [client, flooder] of flooders.entries()) sharers.write(client, flooder.bytes);
					sharers.step();
				}
				assert.equal(sharers.share(LIGHT).isWaiting, false);
				const at = sharers.window.written.findIndex((frame) => readFrame(frame).client === LIGHT);
				const before = sharers.window.written.slice(from, at);
				for (const [client, found] of numbersOf(before)) {
					// Its turn, and what it may write without one where nothing of it waits.
					const most = 2 * (SHARE + LARGEST);
					const written = found.length * (flooders[client]?.bytes ?? 0);
					assert.ok(written <= most, `client ${client} wrote ${written} bytes before`);
				}
			}),
		);
	});

	it("lets who has little on its way write at once, while fifty flooders wait", () => {
		const sharers = new Sharers(40_000, SHARE);
		for (const client of numbers(50)) sharers.flood(client, LARGEST);
		assert.ok(sharers.window.load < 1);
		const from = sharers.window.written.length;
		for (const client of numbers(20)) sharers.write(LIGHT - client, 50);
		assert.equal(sharers.window.written.length, from + 20);
		assert.equal(sharers.shares.waiting, 50);
	});

	it("gives turns by bytes: who writes large frames gets no more than who writes small ones", () => {
		const sharers = full([
			{ bytes: LARGEST, frames: 600 },
			{ bytes: LARGEST / 10, frames: 6_000 },
		]);
		const from = sharers.window.written.length;
		for (let at = 0; at < 40; at++) {
			sharers.window.turn();
			while (sharers.window.segments > 0) sharers.window.confirm();
			sharers.shares.serve();
		}
		const found = sharers.bytesOf(from);
		assert.ok((found.get(1) ?? 0) > 0 && sharers.share(0).isWaiting && sharers.share(1).isWaiting);
		assert.ok(Math.abs((found.get(0) ?? 0) - (found.get(1) ?? 0)) <= SHARE + LARGEST);
	});

	it("does not let many clients with little to send keep the others waiting for ever", () => {
		const sharers = new Sharers(10_000, SHARE);
		const write = (client: number, bytes: number): boolean => {
			sharers.write(client, bytes);
			sharers.window.turn();
			return !sharers.share(client).isWaiting;
		};
		while (write(0, 50));
		let client = 1;
		let passed = 0;
		// As much is handed on as passes: the window is always more than half used.
		for (let left = 0; left < 1_000 && sharers.share(0).isWaiting; left++) {
			while (sharers.window.load < 0.7 && write(client, 50)) {
				client++;
				passed += 50;
			}
			for (const _ of numbers(20)) sharers.window.confirm();
			sharers.shares.serve();
		}
		assert.equal(sharers.share(0).isWaiting, false);
		assert.ok(passed > 3_000, `${passed} bytes had passed before`);
	});

	it("says when nothing of a client waits any more", async () => {
		const sharers = new Sharers(1_000, SHARE);
		assert.equal(sharers.share(0).room, undefined);
		sharers.flood(0, LARGEST);
		const { room } = sharers.share(0);
		assert.ok(room);
		assert.equal(sharers.share(0).room, room);
		for (let left = 0; left < 10; left++) sharers.step();
		await room;
		assert.equal(sharers.share(0).room, undefined);
	});

	it("counts as on its way what was not handed on since the first of it", () => {
		const sharers = new Sharers(10_000, SHARE);
		for (let filler = 2_000; sharers.window.load < 0.6; filler++) sharers.write(filler, 50);
		sharers.window.turn();
		for (const _ of numbers(2)) sharers.write(1, 60);
		sharers.write(1, 60);
		assert.equal(sharers.share(1).isWaiting, true, "two were all that it may have");
		sharers.write(2, 60);
		sharers.window.turn();
		sharers.write(2, 30);
		sharers.window.turn();
		sharers.window.confirm();
		sharers.window.confirm();
		sharers.write(2, 60);
		sharers.write(2, 60);
		assert.equal(sharers.share(2).isWaiting, false, "the first of it was handed on: it begins anew");
		sharers.write(2, 60);
		assert.equal(sharers.share(2).isWaiting, true);
	});

	it("forgets what waits of a client that is gone, and nothing else", () => {
		const sharers = full([
			{ bytes: 50, frames: 3 },
			{ bytes: 50, frames: 3 },
		]);
		sharers.shares.drop(sharers.share(0));
		sharers.shares.drop(sharers.share(0));
		assert.equal(sharers.share(0).isWaiting, false);
		const [first] = numbersOf(sharers.shares.take()).keys();
		assert.equal(first, 1);
	});
});

/** Flooders of whom each has something that waits, and a full window. */
function full(flooders: readonly { readonly bytes: number; readonly frames: number }[]): Sharers {
	const sharers = new Sharers(10_000, SHARE);
	let filler = 2_000;
	while (sharers.window.load < 1) {
		sharers.write(filler++, 50);
		if (filler % 10 === 0) sharers.window.turn();
	}
	for (const [client, { bytes, frames }] of flooders.entries())
		for (let at = 0; at < frames; at++) sharers.write(client, bytes);
	return sharers;
}

/** Does what a property wants. */
function play(steps: readonly (typeof step extends fc.Arbitrary<infer Step> ? Step : never)[]) {
	const sharers = new Sharers(3_000, SHARE);
	const clients = new Set<number>();
	for (const each of steps) {
		if (each === "turn") sharers.window.turn();
		else if (each === "confirm") sharers.window.confirm();
		else if (each === "serve") sharers.shares.serve();
		else {
			clients.add(each.client);
			for (let at = 0; at < each.count; at++) sharers.write(each.client, each.bytes);
		}
	}
	return {
		shares: sharers.shares,
		window: sharers.window,
		given: (client: number) => sharers.given(client),
		all: () => [...clients].reduce((sum, client) => sum + sharers.given(client), 0),
		step: () => sharers.step(),
	};
}
