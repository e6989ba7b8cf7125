const COMPACT_AT = 1_024;
/** An empty queue keeps room for so many items: one that is used all the time does not make it anew. */
const KEPT_ROOM = 64;

/** A queue with constant-time `push` and `shift`, however long it grows (an array's `shift` moves every item). */
export class Fifo<T> implements Iterable<T> {
	#items: (T | undefined)[] = [];
	#head = 0;
	#tail = 0;

	get length(): number {
		return this.#tail - this.#head;
	}

	/** The oldest item, left in place. */
	get first(): T | undefined {
		return this.#items[this.#head];
	}

	push(item: T): void {
		this.#items[this.#tail++] = item;
	}

	shift(): T | undefined {
		if (this.#head === this.#tail) return undefined;
		const item = this.#items[this.#head];
		this.#items[this.#head++] = undefined;
		if (this.#head === this.#tail) this.#rewind();
		else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#tail) this.#compact();
		return item;
	}

	/** Puts items before all others, keeping their order. */
	unshift(items: readonly T[]): void {
		this.#replace([...items, ...this]);
	}

	/** Removes and returns the items that `test` holds for; the others keep their order. */
	extract(test: (item: T) => boolean): T[] {
		const taken: T[] = [];
		const kept: T[] = [];
		for (const item of this) (test(item) ? taken : kept).push(item);
		this.#replace(kept);
		return taken;
	}

	clear(): void {
		this.#replace([]);
	}

	*[Symbol.iterator](): Iterator<T> {
		for (let at = this.#head; at < this.#tail; at++) yield this.#items[at] as T;
	}

	/** Empty: what comes next stands at the beginning again. */
	#rewind(): void {
		if (this.#items.length > KEPT_ROOM) this.#items = [];
		this.#head = 0;
		this.#tail = 0;
	}

	#compact(): void {
		this.#items = this.#items.slice(this.#head, this.#tail);
		this.#tail -= this.#head;
		this.#head = 0;
	}

	#replace(items: T[]): void {
		this.#items = items;
		this.#head = 0;
		this.#tail = items.length;
	}
}
