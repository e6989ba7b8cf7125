import type { Clock } from "../../base/index.js";
import type { LinkLoad } from "../../hub/index.js";
import { LoopDelay } from "./loop-delay.js";

/** Looks at the delay of the event loop from one report to the next: about a second. */
const SAMPLES_PER_REPORT = 4;
/** Changes of the delay that are news: so many milliseconds, and such a share of what was told. */
const DELAY_STEP_MS = 5;
const DELAY_SHARE = 1 / 5;
/** Changes of the number of clients that are news: a share of what was told. */
const CLIENTS_SHARE = 1 / 50;

/** Who is told how busy this app server is. */
export interface LoadListener {
	/** What it was told last. */
	readonly told: LinkLoad | undefined;
	/** Takes the news, if it can be told now. */
	tell(load: LinkLoad): void;
}

/** Tells proxies how busy this app server is: new ones soon, the others about once a second, and only what is news. */
export class LoadReports {
	readonly #clientCount: () => number;
	readonly #delay: LoopDelay;
	readonly #listeners = new Set<LoadListener>();
	#samples = 0;

	/** `clientCount` counts the clients of the app server, whoever holds them. */
	constructor(clock: Clock, clientCount: () => number) {
		this.#clientCount = clientCount;
		this.#delay = new LoopDelay(clock, () => this.#report());
	}

	add(listener: LoadListener): void {
		this.#listeners.add(listener);
		this.#delay.start();
	}

	/** Where nobody is left nothing is measured. */
	remove(listener: LoadListener): void {
		this.#listeners.delete(listener);
		if (this.#listeners.size === 0) this.#delay.stop();
	}

	#report(): void {
		const load = { clients: this.#clientCount(), delayMs: Math.round(this.#delay.ms) };
		const isDue = ++this.#samples % SAMPLES_PER_REPORT === 0;
		for (const listener of this.#listeners) {
			const { told } = listener;
			if (told ? isDue && isNews(told, load) : true) listener.tell(load);
		}
	}
}

/** Whether one load is noticeably another than the one before. */
export function isNews(told: LinkLoad, load: LinkLoad): boolean {
	const clients = Math.abs(load.clients - told.clients);
	if (clients > 0 && clients >= told.clients * CLIENTS_SHARE) return true;
	return Math.abs(load.delayMs - told.delayMs) >= Math.max(DELAY_STEP_MS, told.delayMs * DELAY_SHARE);
}
