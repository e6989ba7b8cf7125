import { type Clock, deferred, durationOption, type Timer } from "../../base/index.js";

/** How long the end of a hub waits for calls that run, in milliseconds. */
export const DEFAULT_SHUTDOWN_TIMEOUT_MS = 5_000;
/** What is left after that for Close messages on their way and for disconnected listeners, in milliseconds. */
export const SHUTDOWN_GRACE_MS = 1_000;

/** How a hub or server is closed. */
export interface CloseOptions {
	/**
	 * How long calls that run may take to end; 0 cuts them at once. Disconnected listeners have a second more, and so have
	 * Close messages on their way; forwarding waits up to 2 s for its app servers.
	 * @defaultValue 5_000 ms
	 */
	readonly timeoutMs?: number | undefined;
	/**
	 * Over how long clients are sent away, evenly, so that those who take them are not overrun; until its turn comes a
	 * client is served as ever. The time of `timeoutMs` begins behind it. @defaultValue 0: all at once
	 */
	readonly spreadMs?: number | undefined;
	/** Aborting it ends the wait now, as if the time were over. */
	readonly signal?: AbortSignal | undefined;
}

/** The time of `spreadMs`. @throws TrunklineError ERR_OPTION */
export function spreadOption(spreadMs: number | undefined): number {
	return spreadMs === 0 ? 0 : durationOption("spreadMs", spreadMs, 0);
}

/** A moment that is waited for, and can be drawn nearer. */
export class Deadline {
	readonly #clock: Clock;
	readonly #byDefault: number;
	readonly #passed = deferred();
	readonly #timers: Timer[] = [];
	readonly #signals: AbortSignal[] = [];
	#isOver = false;
	readonly #pass = (): void => this.release();

	constructor(clock: Clock, byDefault: number) {
		this.#clock = clock;
		this.#byDefault = byDefault;
	}

	/**
	 * Sets the deadline, or draws it nearer: the earliest of all counts, and the default only where it is the first.
	 * @throws TrunklineError ERR_OPTION
	 */
	set({ timeoutMs, signal, spreadMs }: CloseOptions): void {
		const ms = timeoutMs === 0 ? 0 : durationOption("timeoutMs", timeoutMs, this.#byDefault);
		const spread = spreadOption(spreadMs);
		if (this.#isOver) return;
		if (ms === 0 || signal?.aborted) {
			this.release();
			return;
		}
		signal?.addEventListener("abort", this.#pass, { once: true });
		if (signal) this.#signals.push(signal);
		if (timeoutMs !== undefined || this.#timers.length === 0)
			this.#timers.push(this.#clock.schedule(ms + spread, this.#pass));
	}

	/** Waits for `work` to settle, up to the deadline; tells whether it has. Never rejects. */
	async within(work: Promise<unknown>): Promise<boolean> {
		const settled = work.then(
			() => true,
			() => true,
		);
		return Promise.race([settled, this.#passed.promise.then(() => false)]);
	}

	/** The deadline has come, or is not needed any more: its timers and listeners go. */
	release(): void {
		this.#isOver = true;
		for (const timer of this.#timers) timer.cancel();
		for (const signal of this.#signals) signal.removeEventListener("abort", this.#pass);
		this.#passed.resolve();
	}
}
