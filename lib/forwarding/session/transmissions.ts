const SMALLEST = 16;
const FIELDS = 3;

/**
 * What was sent on one link and not yet counted by the peer. A link is in order, so the peer's count says which came.
 * They are named by their place on the link, from 0.
 */
export class Transmissions {
	#fields: Float64Array = new Float64Array(SMALLEST * FIELDS);
	#mask = SMALLEST - 1;
	#counted = 0;
	#sent = 0;

	/** How many the peer has counted: place of the first that it has not. */
	get counted(): number {
		return this.#counted;
	}

	/** How many were sent. */
	get sent(): number {
		return this.#sent;
	}

	/** How many are under way. */
	get length(): number {
		return this.#sent - this.#counted;
	}

	/** Number of the segment. */
	seqAt(place: number): number {
		return this.#fields[(place & this.#mask) * FIELDS] as number;
	}

	/** Which transmission of the whole session it was: a later one has a higher number, whatever its link. */
	orderAt(place: number): number {
		return this.#fields[(place & this.#mask) * FIELDS + 1] as number;
	}

	/** When it was sent, as the clock's `elapsed`. */
	timeAt(place: number): number {
		return this.#fields[(place & this.#mask) * FIELDS + 2] as number;
	}

	push(seq: number, order: number, time: number): void {
		if (this.length > this.#mask) this.#grow();
		const at = (this.#sent++ & this.#mask) * FIELDS;
		this.#fields[at] = seq;
		this.#fields[at + 1] = order;
		this.#fields[at + 2] = time;
	}

	/** Drops those that the peer has counted. */
	countTo(received: number): void {
		this.#counted = received;
	}

	#grow(): void {
		const old = this.#fields;
		const oldMask = this.#mask;
		const length = (oldMask + 1) * 2;
		this.#fields = new Float64Array(length * FIELDS);
		this.#mask = length - 1;
		for (let place = this.#counted; place < this.#sent; place++) {
			const from = (place & oldMask) * FIELDS;
			this.#fields.set(old.subarray(from, from + FIELDS), (place & this.#mask) * FIELDS);
		}
	}
}
