import { Fifo } from "../../base/index.js";
import type { ClientConnection } from "./client-connection.js";

/**
 * Sends a client the whole of a state, as a message of delivery `whole`, where it knows that state; else it does
 * nothing. Another one may know it. Must not throw.
 */
export type StateSource = (client: ClientConnection, key: string) => void;

/** States that are brought up to date in one turn of the event loop; the rest waits for the next. */
const TASKS_PER_TURN = 50;

/** Those who can send the whole of a state, to clients that were too slow for its changes. */
export class StateSources {
	readonly #sources: StateSource[] = [];
	readonly #tasks = new Fifo<() => void>();
	#isPlanned = false;

	/** Adds one. */
	add(source: StateSource): void {
		this.#sources.push(source);
	}

	/** Has the whole of a state sent to a client. */
	ask(client: ClientConnection, key: string): void {
		for (const source of this.#sources) source(client, key);
	}

	/** Runs a task soon: many clients can have room at once, and a whole state may be much work. */
	plan(task: () => void): void {
		this.#tasks.push(task);
		if (this.#isPlanned) return;
		this.#isPlanned = true;
		setImmediate(() => this.#turn());
	}

	#turn(): void {
		for (let ran = 0; ran < TASKS_PER_TURN; ran++) this.#tasks.shift()?.();
		this.#isPlanned = this.#tasks.length > 0;
		if (this.#isPlanned) setImmediate(() => this.#turn());
	}
}
