/** A count of its own; see {@link Counters.of}. */
export interface Count {
	value: number;
}

/** Named counts of what happened in a hub since it was made. Reading them costs nothing until someone does. */
export class Counters {
	readonly #counts = new Map<string, Count>();

	/** Adds to a count (1 by default); the first time makes it. */
	add(name: string, amount = 1): void {
		this.of(name).value += amount;
	}

	/** The count itself, for those who add to it with every message. */
	of(name: string): Count {
		let count = this.#counts.get(name);
		if (!count) {
			count = { value: 0 };
			this.#counts.set(name, count);
		}
		return count;
	}

	get(name: string): number {
		return this.#counts.get(name)?.value ?? 0;
	}

	/** All counts at this moment, but for those that are 0. */
	snapshot(): Record<string, number> {
		const counted = [...this.#counts].filter(([, { value }]) => value !== 0);
		return Object.fromEntries(counted.map(([name, { value }]) => [name, value]));
	}
}
