/** Numbers that follow from their seed: the same on every machine. */
export class Random {
	#state: number;

	/** The parts are mixed, so that neighbours have nothing in common. */
	constructor(...seeds: readonly number[]) {
		this.#state = seeds.reduce((state, seed) => mix(state ^ mix(seed)), 0x9e3779b9);
	}

	/** A whole number of 32 bits without a sign. */
	next(): number {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		return mix(this.#state);
	}

	/** A whole number from 0, less than `limit`. */
	below(limit: number): number {
		return this.next() % Math.max(1, limit);
	}

	/** True once in `n` times. */
	once(n: number): boolean {
		return this.below(n) === 0;
	}

	/** One of some values. */
	pick<T>(values: readonly [T, ...T[]]): T {
		return values[this.below(values.length)] ?? values[0];
	}
}

function mix(seed: number): number {
	let value = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b);
	value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
	return (value ^ (value >>> 16)) >>> 0;
}
