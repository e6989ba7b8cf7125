import type { Clock } from "../../base/index.js";
import type { FrameStream } from "../link/frame-stream.js";

/** Who deals with batches: a session with an app server. */
export interface Paced {
	readonly stream: Pick<FrameStream, "whenHandled">;
}

/** Batches on their way: enough that nobody waits for a round trip, and not more than is done in a moment. */
export const BATCHES_UNDER_WAY = 4;
/** After which a batch is waited for no more, in milliseconds. */
const LONGEST_MS = 250;

/**
 * The pace at which batches of work go to app servers: as fast as they deal with them, so that they serve others in
 * between. One that takes long is not waited for while there are others: it must not hold up their clients.
 */
export class Pace {
	readonly #clock: Clock;
	readonly #next: () => void;
	/** Sessions that a batch was waited for too long for, and that have dealt with nothing since. */
	readonly #late = new WeakSet<Paced>();
	#underWay = 0;

	/** `next` is called when another batch may go. */
	constructor(clock: Clock, next: () => void) {
		this.#clock = clock;
		this.#next = next;
	}

	/** Whether a batch has to wait. */
	get isFull(): boolean {
		return this.#underWay >= BATCHES_UNDER_WAY;
	}

	/** A batch was written for these sessions. */
	sent(sessions: ReadonlySet<Paced>): void {
		const prompt = [...sessions].filter((session) => !this.#late.has(session));
		const awaited = new Set(prompt.length > 0 ? prompt : sessions);
		if (awaited.size === 0) return;
		this.#underWay++;
		const over = (): void => {
			timer.cancel();
			this.#underWay--;
			this.#next();
		};
		const timer = this.#clock.schedule(LONGEST_MS, () => {
			for (const session of awaited) this.#late.add(session);
			awaited.clear();
			over();
		});
		for (const session of sessions)
			session.stream.whenHandled(() => {
				this.#late.delete(session);
				if (awaited.delete(session) && awaited.size === 0) over();
			});
	}
}
