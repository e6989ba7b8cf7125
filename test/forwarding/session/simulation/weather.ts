import type { Random } from "../../../fuzz/frames/random.js";
import type { Place, Pool, Side } from "./pool.js";

/** What can happen, and how often compared with the others. */
export type Faults = Readonly<
	Partial<Record<"stall" | "kill" | "halfOpen" | "outage" | "freeze" | "staleAcks", number>>
>;

/** Stalls, kills, half-open links and outages, as a network has them. */
export const ALL_FAULTS: Faults = { stall: 8, kill: 5, halfOpen: 4, outage: 1, freeze: 2, staleAcks: 4 };

const STALL_MS = 200;
const OUTAGE_MS = 1_000;
const HALF_OPEN_MS = [3_000, 8_000] as const;
const MAX_FREEZE_MS = 1_000;

/** Does things to the links of a pool, at random moments. */
export class Weather {
	readonly #pool: Pool;
	readonly #random: Random;
	readonly #kinds: (keyof Faults)[];
	readonly #gapMs: number;
	#isOver = false;
	/** What happened, and how often. */
	readonly happened: Record<string, number> = {};

	/** `gapMs` lies between two events, on average. */
	constructor(pool: Pool, faults: Faults, gapMs: number) {
		this.#pool = pool;
		this.#random = pool.settings.random;
		this.#gapMs = gapMs;
		this.#kinds = Object.entries(faults).flatMap(([kind, weight]) =>
			Array.from({ length: weight ?? 0 }, () => kind as keyof Faults),
		);
	}

	start(): void {
		this.#pool.settings.clock.post(this.#random.below(2 * this.#gapMs), () => {
			const kind = this.#kinds[this.#random.below(this.#kinds.length)];
			if (this.#isOver || !kind) return;
			this.#do(kind);
			this.happened[kind] = (this.happened[kind] ?? 0) + 1;
			this.start();
		});
	}

	/** Nothing new happens; links that are half-open are cut at their time. */
	stop(): void {
		this.#isOver = true;
		this.#pool.isDown = false;
	}

	#do(kind: keyof Faults): void {
		const place = this.#pool.places[this.#random.below(this.#pool.places.length)] as Place;
		if (kind === "stall") for (const side of this.#sides()) place.wires?.[side].stall(STALL_MS);
		else if (kind === "kill") place.cut();
		else if (kind === "halfOpen") this.#halfOpen(place);
		else if (kind === "outage") this.#outage();
		else if (kind === "freeze") this.#freeze();
		else this.#pool.repeatAcks();
	}

	#sides(): readonly Side[] {
		return this.#random.pick<readonly Side[]>([["a"], ["b"], ["a", "b"]]);
	}

	#halfOpen(place: Place): void {
		const { wires } = place;
		if (!wires) return;
		for (const side of this.#sides()) wires[side].isDead = true;
		const [least, most] = HALF_OPEN_MS;
		this.#pool.settings.clock.post(least + this.#random.below(most - least), () => {
			if (place.wires === wires) place.cut();
		});
	}

	#outage(): void {
		this.#pool.goDown();
		this.#pool.settings.clock.post(OUTAGE_MS, () => {
			this.#pool.isDown = false;
		});
	}

	/** One process does nothing for a while: what comes on its links waits. */
	#freeze(): void {
		const from = this.#random.pick(["a", "b"] as const);
		const ms = this.#random.below(MAX_FREEZE_MS);
		for (const { wires } of this.#pool.places) wires?.[from].stall(ms);
	}
}
