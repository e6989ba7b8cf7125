/** Calls of one event's listeners, in the order in which they were added. */
export class Listeners<Events extends { [Name in keyof Events]: readonly unknown[] }> {
	readonly #lists = new Map<keyof Events, Listener[]>();

	add(name: keyof Events, listener: Listener): void {
		this.#lists.set(name, [...this.#of(name), listener]);
	}

	/** Removes a listener once; one that is not there is passed over. */
	remove(name: keyof Events, listener: Listener): void {
		const at = this.#of(name).lastIndexOf(listener);
		if (at >= 0) this.#lists.set(name, this.#of(name).toSpliced(at, 1));
	}

	/** Runs one listener after another and waits for each; rejects with the first failure, which ends the row. */
	async run<Name extends keyof Events>(name: Name, args: Events[Name]): Promise<void> {
		for (const listener of this.#of(name)) await call(listener, args);
	}

	/** As {@link run}, but a failure is only reported: the others run all the same. Never rejects. */
	async runAll<Name extends keyof Events>(
		name: Name,
		args: Events[Name],
		failed: (cause: unknown) => void,
	): Promise<void> {
		for (const listener of this.#of(name)) {
			try {
				await call(listener, args);
			} catch (cause) {
				failed(cause);
			}
		}
	}

	#of(name: keyof Events): readonly Listener[] {
		return this.#lists.get(name) ?? [];
	}
}

type Listener = (...args: never[]) => unknown;

function call(listener: Listener, args: readonly unknown[]): unknown {
	return (listener as (...args: readonly unknown[]) => unknown)(...args);
}
