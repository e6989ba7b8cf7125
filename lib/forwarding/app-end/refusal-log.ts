import type { Clock, Log } from "../../base/index.js";
import type { ErrorCode } from "../../errors/index.js";

/** How long the same refusal of the same address is not told again, in milliseconds. */
export const REFUSAL_QUIET_MS = 60_000;
/** Refusals that are remembered; beyond, the oldest is forgotten, and would be told at once. */
export const MAX_REFUSALS = 1_000;

/** What was refused, and to whom. */
export interface Refusal {
	readonly code: ErrorCode;
	readonly remoteAddress: string;
}

/** Refused links and clients in the log. A proxy tries again and again: once a minute is enough. */
export class RefusalLog {
	readonly #clock: Clock;
	readonly #log: Log;
	readonly #told = new Map<string, { readonly at: number; omitted: number }>();

	constructor(clock: Clock, log: Log) {
		this.#clock = clock;
		this.#log = log;
	}

	/** Tells it where it is the first of its kind for a minute, with the number of those that were left out before. */
	tell({ code, remoteAddress }: Refusal, message: string): void {
		const key = `${remoteAddress} ${message}`;
		const now = this.#clock.elapsed();
		const former = this.#told.get(key);
		if (former && now - former.at < REFUSAL_QUIET_MS) {
			former.omitted++;
			return;
		}
		const omitted = former && former.omitted > 0 && { omitted: former.omitted };
		// The map's order is that of telling.
		this.#told.delete(key);
		this.#told.set(key, { at: now, omitted: 0 });
		if (this.#told.size > MAX_REFUSALS) this.#told.delete(String(this.#told.keys().next().value));
		this.#log.warn({ code, remoteAddress, ...omitted }, message);
	}
}
