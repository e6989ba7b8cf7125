import type { Clock, Timer } from "../../base/index.js";

const MAX_TICK_MS = 1_000;

/** Something that looks at the time now and then. */
export interface Beating {
	tick(now: number): void;
}

/** One timer for all connections of a hub: a timer each would cost more than the connection itself. */
export class Heartbeat {
	readonly #clock: Clock;
	readonly #tickMs: number;
	readonly #members = new Set<Beating>();
	#timer: Timer | undefined;

	/** `shortestMs` is the shortest span that members measure; they are looked at four times in it, once a second at least. */
	constructor(clock: Clock, shortestMs: number) {
		this.#clock = clock;
		this.#tickMs = Math.max(1, Math.min(MAX_TICK_MS, Math.ceil(shortestMs / 4)));
	}

	add(member: Beating): void {
		this.#members.add(member);
		this.#timer ??= this.#plan();
	}

	remove(member: Beating): void {
		this.#members.delete(member);
		if (this.#members.size > 0) return;
		this.#timer?.cancel();
		this.#timer = undefined;
	}

	#plan(): Timer {
		return this.#clock.schedule(this.#tickMs, () => {
			// Planned first: members may leave (the last one cancels it) or join while they are looked at.
			this.#timer = this.#plan();
			const now = this.#clock.elapsed();
			for (const member of this.#members) member.tick(now);
		});
	}
}
