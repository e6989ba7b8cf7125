import type { Clock, Timer } from "../../base/index.js";

/** How often is looked, in milliseconds. */
export const DELAY_SAMPLE_MS = 250;
/** What the newest sample counts: one long turn is no trouble, one after another is. */
const NEWEST_SHARE = 1 / 3;

/** How much later than due the event loop runs what is due, smoothed. It looks while it is started. */
export class LoopDelay {
	readonly #clock: Clock;
	readonly #sampled: () => void;
	#timer: Timer | undefined;
	#ms = 0;

	/** `sampled` is called after each look. */
	constructor(clock: Clock, sampled: () => void) {
		this.#clock = clock;
		this.#sampled = sampled;
	}

	/** Milliseconds; 0 before the first look. */
	get ms(): number {
		return this.#ms;
	}

	start(): void {
		this.#timer ??= this.#plan();
	}

	/** Looks no more, and forgets what it has seen. */
	stop(): void {
		this.#timer?.cancel();
		this.#timer = undefined;
		this.#ms = 0;
	}

	#plan(): Timer {
		const dueAt = this.#clock.elapsed() + DELAY_SAMPLE_MS;
		return this.#clock.schedule(DELAY_SAMPLE_MS, () => {
			const late = Math.max(0, this.#clock.elapsed() - dueAt);
			this.#ms += (late - this.#ms) * NEWEST_SHARE;
			// Planned first: whoever hears of it may stop it.
			this.#timer = this.#plan();
			this.#sampled();
		});
	}
}
