import type { Clock, Timer } from "../base/index.js";

/** Settings of an {@link Admission}. */
export interface AdmissionSettings {
	/** Infinite: nobody waits. */
	readonly maxConnectsPerSecond: number;
	readonly maxWaitingConnects: number;
	readonly clock: Clock;
}

/** How a request for admission ended. */
export type Admitted = "admitted" | "full" | "closed" | "gone";

interface Waiting {
	settle(admitted: Admitted): void;
}

/** How often those who wait are let in, and how much time's worth may pass at once. */
const STEP_MS = 100;

/**
 * Paces connects: at most `maxConnectsPerSecond`, in steps of a tenth of a second, the rest in the order in which they
 * came. Thousands of clients that return at once then cost those that are connected a share of the process and not all
 * of it, and none of the thousands is refused: stock clients try four times and then stay away.
 */
export class Admission {
	readonly #settings: AdmissionSettings;
	readonly #waiting = new Set<Waiting>();
	/** Connects in a step. */
	readonly #most: number;
	#left: number;
	#filledAt: number;
	#timer: Timer | undefined;
	#isClosed = false;

	constructor(settings: AdmissionSettings) {
		this.#settings = settings;
		this.#most = Math.max(1, (settings.maxConnectsPerSecond * STEP_MS) / 1000);
		this.#left = this.#most;
		this.#filledAt = settings.clock.elapsed();
	}

	/** Connects that wait their turn. */
	get waiting(): number {
		return this.#waiting.size;
	}

	/**
	 * Lets one in: now where it can, or when its turn comes. `whenGone` is called only with one that waits, and is given
	 * what takes it out of the queue.
	 */
	enter(whenGone: (leave: () => void) => void): Exclude<Admitted, "gone"> | Promise<Admitted> {
		if (this.#isClosed) return "closed";
		if (this.#waiting.size === 0 && this.#take()) return "admitted";
		if (this.#waiting.size >= this.#settings.maxWaitingConnects) return "full";
		return new Promise((resolve) => {
			const waiting: Waiting = { settle: resolve };
			this.#waiting.add(waiting);
			whenGone(() => {
				if (this.#waiting.delete(waiting)) resolve("gone");
			});
			this.#schedule();
		});
	}

	/** Lets nobody in any more. */
	close(): void {
		this.#isClosed = true;
		this.#timer?.cancel();
		this.#timer = undefined;
		for (const waiting of this.#waiting) waiting.settle("closed");
		this.#waiting.clear();
	}

	#take(): boolean {
		this.#fill();
		if (this.#left < 1) return false;
		this.#left--;
		return true;
	}

	#fill(): void {
		const { clock, maxConnectsPerSecond } = this.#settings;
		const now = clock.elapsed();
		const passed = (now - this.#filledAt) / 1000;
		this.#filledAt = now;
		this.#left = Math.min(this.#most, this.#left + passed * maxConnectsPerSecond);
	}

	#schedule(): void {
		if (this.#timer || this.#waiting.size === 0) return;
		const { clock, maxConnectsPerSecond } = this.#settings;
		const afterMs = Math.max(STEP_MS, 1000 / maxConnectsPerSecond);
		this.#timer = clock.schedule(afterMs, () => this.#letIn());
	}

	#letIn(): void {
		this.#timer = undefined;
		for (const waiting of this.#waiting) {
			if (!this.#take()) break;
			this.#waiting.delete(waiting);
			waiting.settle("admitted");
		}
		this.#schedule();
	}
}
