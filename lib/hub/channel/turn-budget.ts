import type { Clock } from "../../base/index.js";

/** Messages of one client that are taken before the event loop gets its turn. */
const TURN_MESSAGES = 64;
/** Milliseconds of work for one client before the event loop gets its turn. */
const TURN_MS = 10;

/**
 * What one client may have done without a turn of the event loop: a frame can hold thousands of messages, and their
 * promises settle in microtasks, between which nobody else is served. Nothing tells whether the loop has turned between
 * two pieces of work, so they count together until the owner lets it turn, or rests for as long as a turn may last.
 */
export class TurnBudget {
	readonly #clock: Clock;
	#messages = 0;
	#workedMs = 0;
	/** When the present work began; undefined while there is none. */
	#since: number | undefined;
	#restedAt = Number.NEGATIVE_INFINITY;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Whether the loop has to turn before anything more is done. */
	get isSpent(): boolean {
		if (this.#messages === 0) return false;
		if (this.#messages >= TURN_MESSAGES) return true;
		const present = this.#since === undefined ? 0 : this.#clock.elapsed() - this.#since;
		return this.#workedMs + present >= TURN_MS;
	}

	/** Whether nothing has been done for so long that all of it is forgotten at the next beginning. */
	isOver(now: number): boolean {
		return this.#since === undefined && now - this.#restedAt >= TURN_MS;
	}

	/** Data has come; called again while it is worked on, it changes nothing. */
	begin(): void {
		if (this.#since !== undefined) return;
		const now = this.#clock.elapsed();
		if (now - this.#restedAt >= TURN_MS) this.#clear();
		this.#since = now;
	}

	/** A message was taken. */
	count(): void {
		this.#messages++;
	}

	/** All that has come is done. */
	rest(): void {
		if (this.#since === undefined) return;
		this.#restedAt = this.#clock.elapsed();
		this.#workedMs += this.#restedAt - this.#since;
		this.#since = undefined;
	}

	/** The loop has turned. */
	renew(): void {
		this.#clear();
		this.#since = this.#clock.elapsed();
	}

	#clear(): void {
		this.#messages = 0;
		this.#workedMs = 0;
	}
}
