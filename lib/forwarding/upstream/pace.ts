import type { Clock, Timer } from "../../base/index.js";
import type { FrameStream } from "../link/frame-stream.js";

/** Who deals with batches: a session with an app server. */
export interface Paced {
	readonly stream: Pick<FrameStream, "whenHandled">;
}

/** Batches on their way at most: enough that nobody waits for a round trip, and not more than is done in a moment. */
export const BATCHES_UNDER_WAY = 4;
/** A batch that takes no longer lets one more be on its way beside it; one that does leaves one, in milliseconds. */
const PROMPT_MS = 100;
/** After which a batch is waited for no more, in milliseconds. */
export const LONGEST_MS = 250;
/** The same at most, where nobody else is there and nothing is dealt with, in milliseconds: twice as long each time. */
const MOST_PATIENT_MS = 4_000;

/** A batch that is waited for. */
interface Batch {
	readonly awaited: Set<Paced>;
	readonly timer: Timer;
}

/**
 * The pace at which batches of work go to app servers: as fast as they deal with them, so that they serve others in
 * between. Each proxy has a pace of its own, and others send to the same app server: so it begins with one batch on its
 * way, has one more for each that is dealt with promptly, and one again where one is not. One that takes long is not
 * waited for while there are others: it must not hold up their clients.
 */
export class Pace {
	readonly #clock: Clock;
	readonly #next: () => void;
	/** Sessions that a batch was waited too long for, and that have dealt with nothing since. */
	readonly #late = new WeakSet<Paced>();
	readonly #underWay = new Set<Batch>();
	/** Batches that may be on their way. */
	#most = 1;
	/** How long those are waited for who are all late. */
	#patienceMs = LONGEST_MS;

	/** `next` is called when another batch may go. */
	constructor(clock: Clock, next: () => void) {
		this.#clock = clock;
		this.#next = next;
	}

	/** Whether a batch has to wait. */
	get isFull(): boolean {
		return this.#underWay.size >= this.#most;
	}

	/** A batch was written for these sessions. */
	sent(sessions: ReadonlySet<Paced>): void {
		const prompt = [...sessions].filter((session) => !this.#late.has(session));
		const awaited = new Set(prompt.length > 0 ? prompt : sessions);
		if (awaited.size === 0) return;
		const batch = this.#await(awaited, prompt.length > 0 ? LONGEST_MS : this.#patienceMs);
		const since = this.#clock.elapsed();
		for (const session of sessions)
			session.stream.whenHandled(() => {
				this.#late.delete(session);
				this.#patienceMs = LONGEST_MS;
				if (!awaited.delete(session) || awaited.size > 0) return;
				const isPrompt = this.#clock.elapsed() - since <= PROMPT_MS;
				this.#most = isPrompt ? Math.min(this.#most + 1, BATCHES_UNDER_WAY) : 1;
				this.#over(batch);
			});
	}

	/** A session is over: it deals with nothing any more. Does not ask for the next batch. */
	ended(session: Paced): void {
		this.#patienceMs = LONGEST_MS;
		for (const batch of this.#underWay)
			if (batch.awaited.delete(session) && batch.awaited.size === 0) this.#forget(batch);
	}

	/** Waits for nothing any more. */
	clear(): void {
		for (const batch of this.#underWay) {
			batch.awaited.clear();
			this.#forget(batch);
		}
	}

	#await(awaited: Set<Paced>, longestMs: number): Batch {
		const timer = this.#clock.schedule(longestMs, () => {
			for (const session of awaited) this.#late.add(session);
			awaited.clear();
			this.#most = 1;
			this.#patienceMs = Math.min(2 * longestMs, MOST_PATIENT_MS);
			this.#over(batch);
		});
		const batch = { awaited, timer };
		this.#underWay.add(batch);
		return batch;
	}

	#over(batch: Batch): void {
		this.#forget(batch);
		this.#next();
	}

	#forget(batch: Batch): void {
		batch.timer.cancel();
		this.#underWay.delete(batch);
	}
}
