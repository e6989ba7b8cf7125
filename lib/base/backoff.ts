/** How the waits between attempts grow. */
export interface BackoffOptions {
	/** The wait before each attempt in milliseconds; the last one repeats. */
	readonly delaysMs?: readonly number[];
	/** Share of each wait that is random (0 to 1), so that a fleet does not come back in step. */
	readonly jitter?: number;
	/** Source of randomness in [0, 1); for tests. */
	readonly random?: () => number;
}

/** Waits of {@link Backoff} where no others are given, in milliseconds. */
export const DEFAULT_BACKOFF_DELAYS_MS: readonly number[] = [0, 100, 1_000, 2_000, 5_000];
/** Share of a wait that is random where no other is given. */
export const DEFAULT_BACKOFF_JITTER = 0.5;

/** Counts attempts and says how long to wait before the next one. */
export class Backoff {
	readonly #delaysMs: readonly number[];
	readonly #jitter: number;
	readonly #random: () => number;
	#attempt = 0;

	constructor(options: BackoffOptions = {}) {
		this.#delaysMs = options.delaysMs ?? DEFAULT_BACKOFF_DELAYS_MS;
		this.#jitter = options.jitter ?? DEFAULT_BACKOFF_JITTER;
		this.#random = options.random ?? Math.random;
	}

	/** Attempts since the start or the last {@link reset}. */
	get attempt(): number {
		return this.#attempt;
	}

	/** The wait before the next attempt: its listed delay, plus or minus up to half of the jitter share. */
	nextDelayMs(): number {
		const delay = this.#delaysMs[Math.min(this.#attempt, this.#delaysMs.length - 1)] ?? 0;
		this.#attempt++;
		return Math.round(delay * (1 + this.#jitter * (this.#random() - 0.5)));
	}

	/** An attempt succeeded. */
	reset(): void {
		this.#attempt = 0;
	}
}
