import assert from "node:assert/strict";
import fc from "fast-check";
import { costOfAll, numberOf } from "./simulation/peer.js";
import { Simulation, type SimulationSettings, simulate } from "./simulation/simulation.js";
import { ALL_FAULTS } from "./simulation/weather.js";

/** Worlds that are tried; more of them, and longer, with `SESSION_WORLDS=2000`. */
const WORLDS = Number(process.env["SESSION_WORLDS"] ?? 12);
const TIMEOUT_MS = 20_000 + WORLDS * 2_000;

const MILD: SimulationSettings = {
	seed: 1,
	links: 5,
	delayMs: [0.1, 0.6],
	ms: 20_000,
	rate: 1,
	maxBytes: 400,
	faults: ALL_FAULTS,
	gapMs: 2_000,
	slowEach: 0,
	options: {},
};

const world: fc.Arbitrary<SimulationSettings> = fc.record({
	seed: fc.nat(),
	links: fc.integer({ min: 1, max: 7 }),
	delayMs: fc.constantFrom([0, 0], [0.1, 0.6], [5, 40], [100, 160]),
	ms: fc.integer({ min: 1_000, max: 8_000 }),
	rate: fc.constantFrom(0.05, 0.5, 2),
	maxBytes: fc.constantFrom(8, 400, 20_000),
	faults: fc.constantFrom(
		ALL_FAULTS,
		{ kill: 1 },
		{ halfOpen: 3, kill: 1, staleAcks: 3 },
		{ outage: 1, kill: 2 },
	),
	gapMs: fc.constantFrom(30, 200, 1_000),
	slowEach: fc.constantFrom(0, 200),
	options: fc.record({
		windowBytes: fc.constantFrom(1, 3_000, 100_000, 8 * 1024 * 1024),
		maxWaitingBytes: fc.constantFrom(1, 20_000),
		copyAfterMs: fc.constantFrom(1, 20),
		suspectTimeoutMs: fc.constantFrom(500, 15_000),
		ackBytes: fc.constantFrom(1, 64 * 1024),
	}),
});

describe("forwarding/session/session, simulated", function () {
	this.timeout(TIMEOUT_MS);

	it("hands everything on once and in order, both ways, whatever happens to links", () => {
		fc.assert(
			fc.property(world, (settings) => {
				assert.deepEqual(simulate(settings).faults, []);
			}),
			{ numRuns: WORLDS },
		);
	});

	it("sends less than a tenth again where a link is hurt every other second", () => {
		const { a, b, faults, happened, overhead } = simulate(MILD);
		assert.deepEqual(faults, []);
		assert.ok(a.said > 15_000 && b.said > 15_000);
		assert.deepEqual(Object.keys(happened).sort(), Object.keys(ALL_FAULTS).sort());
		assert.ok(overhead > 0 && overhead < 0.1, String(overhead));
	});

	it("sends nothing again while nothing happens", () => {
		const { a, b, faults, overhead } = simulate({ ...MILD, ms: 2_000, faults: {} });
		assert.deepEqual(faults, []);
		assert.equal(overhead, 0);
		assert.equal(a.counters.doubles + b.counters.doubles, 0);
	});

	it("is late by little more than 20 ms where links are half-open, by 100 ms where there is hardly any traffic", () => {
		const settings = { ...MILD, ms: 10_000, rate: 0.5, faults: { halfOpen: 1 }, gapMs: 3_000 };
		const busy = simulate(settings);
		const quiet = simulate({ ...settings, rate: 0.02 });
		assert.deepEqual([...busy.faults, ...quiet.faults], []);
		assert.ok(busy.happened["halfOpen"] && quiet.happened["halfOpen"]);
		assert.ok(busy.worstMs > 15 && busy.worstMs < 30, String(busy.worstMs));
		assert.ok(quiet.worstMs > 50 && quiet.worstMs < 110, String(quiet.worstMs));
	});

	it("drops what comes twice", () => {
		const options = { copyAfterMs: 1, maxCopyAfterMs: 1 };
		const { a, b, faults } = simulate({ ...MILD, ms: 3_000, gapMs: 100, options, delayMs: [0, 8] });
		assert.deepEqual(faults, []);
		assert.ok(a.counters.doubles + b.counters.doubles > 10);
	});

	for (const seed of [1, 2, 3])
		it(`reports what may not have been handed on after an outage of more than 15 s (${seed})`, () => {
			const simulation = new Simulation({
				...MILD,
				seed,
				options: { windowBytes: 50_000, maxWaitingBytes: 20_000 },
			});
			const { a, b, clock, pool } = simulation;
			clock.advance(500 + seed);
			pool.goDown();
			clock.advance(1_000);
			simulation.hush();
			clock.advance(2 * 15_000);
			for (const [near, far] of [
				[a, b],
				[b, a],
			] as const) {
				assert.deepEqual(near.faults, []);
				assert.equal(near.end?.reason, "lost");
				const { unconfirmed = [], unsent = [] } = near.end ?? {};
				const reported = [...unconfirmed, ...unsent].map(numberOf);
				const first = reported[0] ?? near.said;
				assert.deepEqual(
					reported,
					Array.from({ length: near.said - first }, (_, at) => first + at),
				);
				assert.ok(first <= far.heard, "what is not reported was handed on");
				assert.ok(far.heard <= near.said - unsent.length, "what was not sent was not handed on");
				assert.ok(costOfAll([...unconfirmed, ...unsent]) < 80_000);
			}
			assert.ok((a.end?.unsent ?? []).length > 0, "it writes more than there is room for");
			assert.equal(clock.timers, 0);
		});
});
