/** Waits for a condition by being told of each change; nothing here looks at the time. */
export class Watch {
	readonly #checks = new Set<() => void>();

	changed(): void {
		for (const check of [...this.#checks]) check();
	}

	/** Resolves at the first change after which `test` holds, at once where it holds already. */
	until(test: () => boolean): Promise<void> {
		if (test()) return Promise.resolve();
		return new Promise((resolve, reject) => {
			const check = (): void => {
				try {
					if (!test()) return;
					resolve();
				} catch (thrown) {
					reject(thrown);
				}
				this.#checks.delete(check);
			};
			this.#checks.add(check);
		});
	}
}
