/** A pending timer; `cancel` may be called any number of times. */
export interface Timer {
	cancel(): void;
}

/** Where a room gets time from, so that tests can own it. */
export interface Clock {
	/** Milliseconds since the epoch: for what others read. It jumps when the system's clock is set. */
	now(): number;
	/** Milliseconds since some moment in the past, which only ever grow: for measuring spans. */
	elapsed(): number;
	/** Calls `task` once after `delayMs`. The timer does not keep the process alive. */
	schedule(delayMs: number, task: () => void): Timer;
}

/** The real clock. */
export const systemClock: Clock = {
	now: Date.now,
	elapsed: () => performance.now(),
	schedule(delayMs, task) {
		const handle = setTimeout(task, delayMs);
		handle.unref();
		return { cancel: () => clearTimeout(handle) };
	},
};

interface Planned {
	readonly at: number;
	readonly order: number;
	readonly task: () => void;
}

/** A clock that stands still until it is told to advance; timers run in the order of their due times. */
export class ManualClock implements Clock {
	#now: number;
	#order = 0;
	readonly #planned = new Set<Planned>();

	constructor(start = 0) {
		this.#now = start;
	}

	/** How many timers wait. */
	get pending(): number {
		return this.#planned.size;
	}

	now(): number {
		return this.#now;
	}

	elapsed(): number {
		return this.#now;
	}

	schedule(delayMs: number, task: () => void): Timer {
		const planned: Planned = { at: this.#now + Math.max(0, delayMs), order: this.#order++, task };
		this.#planned.add(planned);
		return { cancel: () => void this.#planned.delete(planned) };
	}

	/** Moves time forward and runs what falls due, including what that schedules within the span. */
	advance(ms: number): void {
		const end = this.#now + ms;
		for (let next = this.#nextUntil(end); next; next = this.#nextUntil(end)) {
			this.#planned.delete(next);
			this.#now = next.at;
			next.task();
		}
		this.#now = end;
	}

	#nextUntil(end: number): Planned | undefined {
		let first: Planned | undefined;
		for (const planned of this.#planned) {
			if (planned.at > end) continue;
			if (!first || planned.at < first.at || (planned.at === first.at && planned.order < first.order))
				first = planned;
		}
		return first;
	}
}
