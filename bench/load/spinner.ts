/** Turns of the event loop shorter than this had nothing to do. */
const EMPTY_TURN_MS = 0.005;

/**
 * Keeps the event loop from sleeping, so that a server on another core is not charged for waking us, and tells how long
 * the loop had something to do.
 */
export class Spinner {
	/** Time of all turns that had something to do, in milliseconds. */
	busyMs = 0;
	#isOn = false;
	#last = 0;

	start(): void {
		if (this.#isOn) return;
		this.#isOn = true;
		this.#last = performance.now();
		setImmediate(() => this.#turn());
	}

	stop(): void {
		this.#isOn = false;
	}

	#turn(): void {
		const now = performance.now();
		const spent = now - this.#last;
		this.#last = now;
		if (spent > EMPTY_TURN_MS) this.busyMs += spent;
		if (this.#isOn) setImmediate(() => this.#turn());
	}
}
