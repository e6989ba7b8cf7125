import { Fifo } from "../../base/index.js";
import type { ClientConnection } from "../../hub/index.js";
import type { HubMessage } from "../../protocols/index.js";

/** One forwarded client's messages, handed to its connection one after another, as fast as it takes them. */
export class Inbox {
	readonly #client: ClientConnection;
	readonly #waiting = new Fifo<HubMessage>();
	readonly #changed: (by: number) => void;
	#isBusy = false;
	#whenEmpty: (() => void)[] = [];

	/** `changed` hears how many more (or less) messages wait. */
	constructor(client: ClientConnection, changed: (by: number) => void) {
		this.#client = client;
		this.#changed = changed;
	}

	/** Messages that wait for their turn. */
	get length(): number {
		return this.#waiting.length;
	}

	push(message: HubMessage): void {
		this.#waiting.push(message);
		this.#changed(1);
		if (!this.#isBusy) void this.#deliver();
	}

	/** Calls `task` once everything that is here now was handed over. */
	whenEmpty(task: () => void): void {
		if (this.#isBusy) this.#whenEmpty.push(task);
		else task();
	}

	/** Takes out what waits. */
	clear(): HubMessage[] {
		const dropped = [...this.#waiting];
		this.#waiting.clear();
		this.#changed(-dropped.length);
		return dropped;
	}

	async #deliver(): Promise<void> {
		this.#isBusy = true;
		// A draining client starts nothing more: what waits stays here, to be reported or sent again.
		while (this.#waiting.length > 0 && !this.#client.isDraining) {
			const message = this.#waiting.shift() as HubMessage;
			this.#changed(-1);
			const wait = this.#client.receive(message);
			if (wait) await wait;
		}
		this.#isBusy = false;
		const tasks = this.#whenEmpty;
		this.#whenEmpty = [];
		for (const task of tasks) task();
	}
}
