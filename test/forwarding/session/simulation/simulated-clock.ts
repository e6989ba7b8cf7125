import type { Clock, Timer } from "../../../../lib/base/index.js";

interface Planned {
	readonly at: number;
	readonly order: number;
	task: (() => void) | undefined;
}

/** A clock that jumps from one event to the next: timers of what is tested, and events of the world around it. */
export class SimulatedClock implements Clock {
	readonly #heap: Planned[] = [];
	#now = 0;
	#order = 0;
	#timers = 0;

	/** Timers that wait. */
	get timers(): number {
		return this.#timers;
	}

	now(): number {
		return this.#now;
	}

	elapsed(): number {
		return this.#now;
	}

	schedule(delayMs: number, task: () => void): Timer {
		this.#timers++;
		const planned = this.post(delayMs, () => {
			this.#timers--;
			task();
		});
		return {
			cancel: () => {
				if (planned.task) this.#timers--;
				planned.task = undefined;
			},
		};
	}

	/** Makes something happen that is no timer. */
	post(delayMs: number, task: () => void): Planned {
		const planned: Planned = { at: this.#now + Math.max(0, delayMs), order: this.#order++, task };
		this.#rise(planned);
		return planned;
	}

	/** Lets everything happen until `ms` from now. */
	advance(ms: number): void {
		const end = this.#now + ms;
		for (let next = this.#heap[0]; next && next.at <= end; next = this.#heap[0]) {
			this.#sink();
			this.#now = next.at;
			const { task } = next;
			next.task = undefined;
			task?.();
		}
		this.#now = end;
	}

	#rise(planned: Planned): void {
		const heap = this.#heap;
		let at = heap.push(planned) - 1;
		while (at > 0) {
			const parent = (at - 1) >> 1;
			if (!isBefore(planned, heap[parent] as Planned)) break;
			heap[at] = heap[parent] as Planned;
			at = parent;
		}
		heap[at] = planned;
	}

	/** Takes the first away. */
	#sink(): void {
		const heap = this.#heap;
		const last = heap.pop() as Planned;
		if (heap.length === 0) return;
		let at = 0;
		for (;;) {
			let child = 2 * at + 1;
			if (child >= heap.length) break;
			const right = heap[child + 1];
			if (right && isBefore(right, heap[child] as Planned)) child++;
			if (!isBefore(heap[child] as Planned, last)) break;
			heap[at] = heap[child] as Planned;
			at = child;
		}
		heap[at] = last;
	}
}

function isBefore(one: Planned, other: Planned): boolean {
	return one.at < other.at || (one.at === other.at && one.order < other.order);
}
