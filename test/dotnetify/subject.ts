interface Observer<T> {
	next(value: T): void;
	error?(reason: unknown): void;
}

/** A minimal observable with a current value, shaped like rxjs's BehaviorSubject. */
export class Subject<T> {
	readonly #observers = new Set<Observer<T>>();
	#value: T;

	constructor(value: T) {
		this.#value = value;
	}

	get observers(): number {
		return this.#observers.size;
	}

	next(value: T): void {
		this.#value = value;
		for (const observer of this.#observers) observer.next(value);
	}

	fail(reason: unknown): void {
		for (const observer of this.#observers) observer.error?.(reason);
	}

	subscribe(observer: Observer<T>): { unsubscribe(): void } {
		this.#observers.add(observer);
		observer.next(this.#value);
		return { unsubscribe: () => void this.#observers.delete(observer) };
	}

	map<U>(project: (value: T) => U): Subject<U> {
		const mapped = new Subject(project(this.#value));
		this.subscribe({ next: (value) => mapped.next(project(value)) });
		return mapped;
	}
}
