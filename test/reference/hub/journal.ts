import { type Deferred, deferred } from "../../../lib/base/index.js";

/** What happened in a hub, by scope, and gates that hold methods: how a test waits for events. */
export class Journal {
	readonly #scopes = new Map<string, string[]>();
	readonly #gates = new Map<string, Deferred<void>>();
	#changed = deferred();

	note(scope: string, text: string): void {
		const notes = this.#scopes.get(scope);
		if (notes) notes.push(text);
		else this.#scopes.set(scope, [text]);
		this.#changed.resolve();
		this.#changed = deferred();
	}

	/** The notes of a scope, as soon as there are as many. */
	async reached(scope: string, count: number): Promise<readonly string[]> {
		for (;;) {
			const notes = this.#scopes.get(scope) ?? [];
			if (notes.length >= count) return [...notes];
			await this.#changed.promise;
		}
	}

	gate(name: string): Deferred<void> {
		const gate = this.#gates.get(name) ?? deferred();
		this.#gates.set(name, gate);
		return gate;
	}
}
