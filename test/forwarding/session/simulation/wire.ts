import { Fifo } from "../../../../lib/base/index.js";
import type { SimulatedClock } from "./simulated-clock.js";

/** One direction of one connection: in order, with delays, until it is closed. */
export class Wire {
	readonly #clock: SimulatedClock;
	readonly #delayMs: () => number;
	readonly #packets = new Fifo<() => void>();
	#lastAt = 0;
	#stalledUntil = 0;
	#isClosed = false;
	/** Half-open: what is sent vanishes, and nobody is told. */
	isDead = false;

	constructor(clock: SimulatedClock, delayMs: () => number) {
		this.#clock = clock;
		this.#delayMs = delayMs;
	}

	/** Makes `arrive` happen at the other end. */
	send(arrive: () => void): void {
		if (this.#isClosed || this.isDead) return;
		this.#packets.push(arrive);
		this.#lastAt = Math.max(this.#lastAt, this.#clock.elapsed() + this.#delayMs());
		this.#clock.post(this.#lastAt - this.#clock.elapsed(), () => this.#arrive());
	}

	/** Nothing arrives for a while; then all of it does. */
	stall(ms: number): void {
		this.#stalledUntil = Math.max(this.#stalledUntil, this.#clock.elapsed() + ms);
	}

	close(): void {
		this.#isClosed = true;
		this.#packets.clear();
	}

	/** Called once for each packet, perhaps later than planned: packets stay in order all the same. */
	#arrive(): void {
		if (this.#isClosed) return;
		const waitMs = this.#stalledUntil - this.#clock.elapsed();
		if (waitMs > 0) this.#clock.post(waitMs, () => this.#arrive());
		else if (this.isDead) this.#packets.clear();
		else this.#packets.shift()?.();
	}
}
