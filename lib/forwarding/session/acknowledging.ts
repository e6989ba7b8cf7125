import type { Clock, Timer } from "../../base/index.js";
import type { Acks } from "../wire/acks.js";
import type { Links } from "./links.js";
import type { ResolvedSessionOptions } from "./options.js";
import type { Receiving } from "./receiving.js";

/** A timer that is early by less than this is on time. */
const TOLERANCE_MS = 0.5;

/** What {@link Acknowledging} works with. */
export interface AcknowledgingSetup {
	readonly clock: Clock;
	readonly options: ResolvedSessionOptions;
	readonly links: Links;
	readonly receiving: Receiving;
}

/**
 * Tells the peer what has come: with every segment that is sent, and alone when none is. As a link may be half-open and
 * nobody knows yet, the last news is told once on every link, at growing intervals: a peer whose window is full waits
 * for nothing else.
 */
export class Acknowledging {
	readonly #setup: AcknowledgingSetup;
	#acks: Acks | undefined;
	#timer: Timer | undefined;
	#isStopped = false;
	#dueAt = 0;
	/** Since when there is something that was never told. */
	#newsSince: number | undefined;
	#newBytes = 0;
	#toldAt = 0;
	#repeats = 0;
	#intervalMs = 0;
	/** Acks that travelled alone. */
	lonely = 0;

	constructor(setup: AcknowledgingSetup) {
		this.#setup = setup;
	}

	/** Something came, or the window changed: to be called before anything is handed on, so that answers tell it. */
	news(bytes: number): void {
		this.#acks = undefined;
		this.#newBytes += bytes;
		if (this.#newsSince !== undefined && this.#timer) return;
		this.#newsSince = this.#setup.clock.elapsed();
		this.#plan(this.#setup.options.ackDelayMs, this.#newsSince);
	}

	/** What came is handed on, and answers may have been sent meanwhile. */
	settle(): void {
		if (this.#acks && this.#acks.delivered !== this.#setup.receiving.delivered) this.news(0);
		if (this.#newBytes >= this.#setup.options.ackBytes) this.#tell();
	}

	/** The acks for a segment that is sent now. */
	take(now: number): Acks {
		if (this.#newsSince !== undefined) {
			this.#newsSince = undefined;
			this.#newBytes = 0;
			this.#repeats = this.#setup.links.up.length - 1;
			this.#intervalMs = 2 * this.#setup.options.ackDelayMs;
		} else if (this.#repeats > 0) {
			this.#repeats--;
		}
		this.#toldAt = now;
		if (this.#acks?.delivered !== this.#setup.receiving.delivered) this.#acks = this.#make();
		return this.#acks;
	}

	/** Nothing more is told. */
	stop(): void {
		this.#isStopped = true;
		this.#timer?.cancel();
		this.#timer = undefined;
	}

	#make(): Acks {
		const { links, receiving } = this.#setup;
		const counts = [];
		for (const link of links.up) if (link.received > 0) counts.push(link.ack);
		return { links: counts, ...receiving.greeting() };
	}

	/** Sends acks alone, if there is a link for them. */
	#tell(): boolean {
		const link = this.#setup.links.next();
		if (!link) return false;
		const acks = this.take(this.#setup.clock.elapsed());
		this.lonely++;
		link.port.sendAck(acks);
		return true;
	}

	#plan(delayMs: number, now: number): void {
		if (this.#isStopped) return;
		if (this.#timer) {
			if (this.#dueAt <= now + delayMs) return;
			this.#timer.cancel();
		}
		this.#dueAt = now + delayMs;
		this.#timer = this.#setup.clock.schedule(delayMs, () => this.#onTimer());
	}

	#onTimer(): void {
		this.#timer = undefined;
		const dueIn = this.#dueIn(this.#setup.clock.elapsed());
		// Without a link there is nobody to tell; a link that comes is news.
		if (dueIn === undefined || (dueIn <= TOLERANCE_MS && !this.#tellAgain())) return;
		const now = this.#setup.clock.elapsed();
		const nextIn = this.#dueIn(now);
		if (nextIn !== undefined) this.#plan(nextIn, now);
	}

	#tellAgain(): boolean {
		if (this.#newsSince === undefined) this.#intervalMs *= 2;
		return this.#tell();
	}

	#dueIn(now: number): number | undefined {
		if (this.#newsSince !== undefined) return this.#newsSince + this.#setup.options.ackDelayMs - now;
		return this.#repeats > 0 ? this.#toldAt + this.#intervalMs - now : undefined;
	}
}
