const COMPACT_AT = 1_024;

/** A queue with constant-time `push` and `shift`, however long it grows (an array's `shift` moves every item). */
export class Fifo<T> implements Iterable<T> {
	#items: (T | undefined)[] = [];
	#head = 0;

	get length(): number {
		return this.#items.length - this.#head;
	}

	/** The oldest item, left in place. */
	get first(): T | undefined {
		return this.#items[this.#head];
	}

	push(item: T): void {
		this.#items.push(item);
	}

	shift(): T | undefined {
		if (this.#head === this.#items.length) return undefined;
		const item = this.#items[this.#head];
		this.#items[this.#head++] = undefined;
		if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#items.length) this.#compact();
		return item;
	}

	/** Puts items before all others, keeping their order. */
	unshift(items: readonly T[]): void {
		this.#items = [...items, ...this.#items.slice(this.#head)];
		this.#head = 0;
	}

	/** Removes and returns the items that `test` holds for; the others keep their order. */
	extract(test: (item: T) => boolean): T[] {
		const taken: T[] = [];
		const kept: T[] = [];
		for (const item of this) (test(item) ? taken : kept).push(item);
		this.#items = kept;
		this.#head = 0;
		return taken;
	}

	clear(): void {
		this.#items = [];
		this.#head = 0;
	}

	*[Symbol.iterator](): Iterator<T> {
		for (let at = this.#head; at < this.#items.length; at++) yield this.#items[at] as T;
	}

	#compact(): void {
		this.#items = this.#items.slice(this.#head);
		this.#head = 0;
	}
}
