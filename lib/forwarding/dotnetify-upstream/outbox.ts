import { type Deferred, deferred } from "../../base/index.js";
import type { MessageLink } from "./link.js";
import { Retained, type RetainedBudget } from "./retained.js";

/** What one client has on its way to one app server. */
export class Outbox {
	/** The client's context as JSON text, written once. */
	readonly contextText: string;
	/** Messages that wait for a link. */
	waiting = 0;
	/** Messages that were sent and not confirmed, and their bytes. */
	unconfirmed = 0;
	unconfirmedBytes = 0;
	/** What is asked for again after a loss. */
	readonly retained: Retained;
	/** The link that carries the unconfirmed ones, where order is kept. */
	link: MessageLink | undefined;
	/** Whether the app server may know of this client. */
	wasSent = false;
	/** Whether the client's end was dealt with: nothing comes any more. */
	hasEnded = false;
	#room: Deferred<void> | undefined;

	constructor(contextText: string, budget: RetainedBudget) {
		this.contextText = contextText;
		this.retained = new Retained(budget);
	}

	get pending(): number {
		return this.waiting + this.unconfirmed;
	}

	/** Resolves when {@link freeRoom} says so. */
	room(): Promise<void> {
		this.#room ??= deferred();
		return this.#room.promise;
	}

	/** Lets the client's reading go on. */
	freeRoom(): void {
		this.#room?.resolve();
		this.#room = undefined;
	}
}
