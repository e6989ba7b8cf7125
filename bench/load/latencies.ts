/** More are not kept: 2^21 of a window are enough for its p99. */
const CAPACITY = 2 ** 21;

/** Times in milliseconds, of which quantiles are wanted. */
export class Latencies {
	readonly #values = new Float32Array(CAPACITY);
	#length = 0;

	add(ms: number): void {
		if (this.#length < CAPACITY) this.#values[this.#length++] = ms;
	}

	clear(): void {
		this.#length = 0;
	}

	/** The value, in microseconds, that the share `quantile` of all values do not exceed; 0 where there are none. */
	quantileUs(quantile: number): number {
		const sorted = this.#values.subarray(0, this.#length).sort();
		const index = Math.min(this.#length - 1, Math.floor(quantile * this.#length));
		return Math.round((sorted[index] ?? 0) * 1000);
	}
}
