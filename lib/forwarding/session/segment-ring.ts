const SMALLEST = 64;
/** A ring that has grown beyond this is given back once it is empty. */
const LARGEST_KEPT = 4_096;

/** Items by number, for a range of numbers that moves upwards: constant time, and nothing made for an item. */
export class SegmentRing<T> {
	#items: (T | undefined)[] = new Array(SMALLEST).fill(undefined);
	#mask = SMALLEST - 1;

	/** The item with a number that is in the range; outside of it, the answer means nothing. */
	get(seq: number): T | undefined {
		return this.#items[seq & this.#mask];
	}

	/** Puts an item in; `first` is the lowest number that may hold one. */
	set(seq: number, item: T, first: number): void {
		if (seq - first > this.#mask) this.#grow(seq, first);
		this.#items[seq & this.#mask] = item;
	}

	/** Takes an item out. */
	take(seq: number): T | undefined {
		const at = seq & this.#mask;
		const item = this.#items[at];
		this.#items[at] = undefined;
		return item;
	}

	/** Says that no item is left. */
	rest(): void {
		if (this.#mask >= LARGEST_KEPT) this.#resize(SMALLEST);
	}

	#grow(seq: number, first: number): void {
		const old = this.#items;
		const oldMask = this.#mask;
		let length = old.length;
		while (length <= seq - first) length *= 2;
		this.#resize(length);
		for (let moved = first; moved <= first + oldMask; moved++)
			this.#items[moved & this.#mask] = old[moved & oldMask];
	}

	#resize(length: number): void {
		this.#items = new Array(length).fill(undefined);
		this.#mask = length - 1;
	}
}
