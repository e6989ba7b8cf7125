import type { SessionOptions } from "../../../../lib/forwarding/session/options.js";
import type { SessionCounters } from "../../../../lib/forwarding/session/terms.js";
import { Random } from "../../../fuzz/frames/random.js";
import { Peer, type PeerSettings } from "./peer.js";
import { Pool } from "./pool.js";
import { SimulatedClock } from "./simulated-clock.js";
import { type Faults, Weather } from "./weather.js";

const TURN_MS = 1;
const STEP_MS = 10;
/** Longer than any link stays half-open. */
const CALM_MS = 20_000;

/** A world with two sessions in it. */
export interface SimulationSettings {
	readonly seed: number;
	readonly links: number;
	/** One way, in milliseconds: from, to. */
	readonly delayMs: readonly [number, number];
	/** How long there is traffic, and weather. */
	readonly ms: number;
	/** Segments that each end wants to send in a millisecond, on average. */
	readonly rate: number;
	readonly maxBytes: number;
	readonly faults: Faults;
	/** Between two faults, on average. */
	readonly gapMs: number;
	/** Once in so many turns, on average, an end changes how much it takes; 0 for never. */
	readonly slowEach: number;
	readonly options: SessionOptions;
}

/** What became of one end. */
export interface PeerResult {
	readonly said: number;
	readonly heard: number;
	readonly counters: SessionCounters;
}

/** What became of it all. */
export interface SimulationResult {
	readonly a: PeerResult;
	readonly b: PeerResult;
	/** Everything that was sent once too often or not in order, and all that was held too long. */
	readonly faults: readonly string[];
	readonly happened: Readonly<Record<string, number>>;
	/** Segments that were sent again, for each that was sent. */
	readonly overhead: number;
	/** The longest that a segment took, in milliseconds. */
	readonly worstMs: number;
}

/** Two sessions, joined by a pool of links, with traffic both ways. */
export class Simulation {
	readonly clock = new SimulatedClock();
	readonly a: Peer;
	readonly b: Peer;
	readonly pool: Pool;
	readonly #settings: SimulationSettings;
	readonly #random: Random;
	#isTalking = true;

	constructor(settings: SimulationSettings) {
		this.#settings = settings;
		this.#random = new Random(settings.seed);
		const { links, delayMs } = settings;
		this.pool = new Pool({ clock: this.clock, random: this.#random, links, delayMs });
		const other = (peer: () => Peer) => (number: number) => peer().saidAt[number] ?? Number.NaN;
		this.a = this.#peer({ name: "a", isPushy: true, answersEach: 0, saidAt: other(() => this.b) });
		this.b = this.#peer({ name: "b", isPushy: false, answersEach: 4, saidAt: other(() => this.a) });
		this.pool.start({ a: this.a, b: this.b });
		this.#talk();
	}

	/** Both ends want to say no more than they have. */
	hush(): void {
		this.#isTalking = false;
		for (const peer of [this.a, this.b]) peer.hush();
	}

	/** Lets time pass until nothing is left to be heard, or nothing is heard any more. */
	settle(): void {
		const { a, b } = this;
		let heard = -1;
		for (let quietMs = 0; quietMs < CALM_MS && !(a.isIdle && b.isIdle); quietMs += STEP_MS) {
			this.clock.advance(STEP_MS);
			if (a.heard + b.heard > heard) quietMs = 0;
			heard = a.heard + b.heard;
		}
	}

	#peer(settings: Pick<PeerSettings, "name" | "isPushy" | "answersEach" | "saidAt">): Peer {
		const { options, maxBytes } = this.#settings;
		return new Peer({
			...settings,
			...{ clock: this.clock, options, maxBytes },
			closeLink: (link, incarnation) => this.pool.places[link]?.cut(incarnation),
		});
	}

	#talk(): void {
		this.clock.post(TURN_MS, () => {
			if (!this.#isTalking) return;
			const { slowEach } = this.#settings;
			for (const peer of [this.a, this.b]) {
				peer.say(this.#amount());
				peer.check();
				if (slowEach > 0 && this.#random.once(slowEach)) peer.slow(this.#random.below(3) / 2);
			}
			this.#talk();
		});
	}

	/** Between none and twice as many as on average. */
	#amount(): number {
		const { rate } = this.#settings;
		return Math.floor((2 * rate * this.#random.below(1_001) + this.#random.below(1_000)) / 1_000);
	}
}

/** Runs a world to its end, and looks at what is left. */
export function simulate(settings: SimulationSettings): SimulationResult {
	const simulation = new Simulation(settings);
	const { a, b, clock, pool } = simulation;
	const weather = new Weather(pool, settings.faults, settings.gapMs);
	weather.start();
	clock.advance(settings.ms);
	weather.stop();
	simulation.hush();
	simulation.settle();
	const faults: string[] = [];
	if (!a.isIdle || !b.isIdle)
		faults.push(`stuck: ${JSON.stringify([a.session.counters, b.session.counters])}`);
	if (a.heard !== b.said || b.heard !== a.said)
		faults.push(`a heard ${a.heard} of ${b.said}, b heard ${b.heard} of ${a.said}`);
	const results = [a, b].map(({ said, heard, session }) => ({ said, heard, counters: session.counters }));
	for (const { session } of [a, b]) session.end("closed");
	if (clock.timers > 0) faults.push(`${clock.timers} timers are left`);
	faults.push(...a.faults, ...b.faults);
	const [first, second] = results as [PeerResult, PeerResult];
	return {
		a: first,
		b: second,
		faults,
		happened: weather.happened,
		overhead: overheadOf(results),
		worstMs: Math.max(a.worstMs, b.worstMs),
	};
}

function overheadOf(results: readonly PeerResult[]): number {
	const sum = (count: (counters: SessionCounters) => number): number =>
		results.reduce((total, { counters }) => total + count(counters), 0);
	return (
		sum(({ copies, resent }) => copies + resent) /
		Math.max(
			1,
			sum(({ sent }) => sent),
		)
	);
}
