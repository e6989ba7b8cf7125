/** Numbers that should come once each and in order, from 1 on or from another; says which did not. */
export class Sequence {
	/** The largest one so far. */
	last: number;
	/** Different ones so far. */
	count = 0;
	doubled = 0;
	/** Ones that came behind a larger one. */
	reordered = 0;
	/** Below {@link last}, and not there. */
	readonly missing = new Set<number>();

	constructor(first = 1) {
		this.last = first - 1;
	}

	take(number: number): void {
		if (number > this.last) {
			for (let at = this.last + 1; at < number; at++) this.missing.add(at);
			this.last = number;
			this.count++;
		} else if (this.missing.delete(number)) {
			this.count++;
			this.reordered++;
		} else {
			this.doubled++;
		}
	}

	/** Whether a number has come. */
	has(number: number): boolean {
		return number <= this.last && !this.missing.has(number);
	}

	/** Those up to `end` that have not come. */
	lost(end: number): number[] {
		const lost = [...this.missing].filter((number) => number <= end);
		for (let at = this.last + 1; at <= end; at++) lost.push(at);
		return lost;
	}
}
