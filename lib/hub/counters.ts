/** Named counts of what happened in a hub since it was made. Reading them costs nothing until someone does. */
export class Counters {
	readonly #counts = new Map<string, number>();

	/** Adds to a count (1 by default); the first time makes it. */
	add(name: string, amount = 1): void {
		this.#counts.set(name, (this.#counts.get(name) ?? 0) + amount);
	}

	get(name: string): number {
		return this.#counts.get(name) ?? 0;
	}

	/** All counts at this moment. */
	snapshot(): Record<string, number> {
		return Object.fromEntries(this.#counts);
	}
}
