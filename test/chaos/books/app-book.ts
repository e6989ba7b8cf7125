import { ENTRY, type Entry } from "../processes/journal.js";
import { Sequence } from "./sequence.js";

/** What an app server received and sent, in all its incarnations. */
export class AppBook {
	/** What came of each life, calls with and without answers. */
	readonly ups = new Map<number, Sequence>();
	/** How many messages were sent to each life, by incarnation. */
	readonly downs = new Map<number, Map<number, number>>();
	/** Messages to everyone. */
	ticks = 0;
	/** Messages to single clients. */
	sent = 0;

	take({ kind, incarnation, life, seq }: Entry): void {
		if (kind === ENTRY.note || kind === ENTRY.echo) this.up(life).take(seq);
		else if (kind === ENTRY.down) this.#down(life, incarnation, seq);
		else this.ticks++;
	}

	up(life: number): Sequence {
		let sequence = this.ups.get(life);
		if (!sequence) {
			sequence = new Sequence();
			this.ups.set(life, sequence);
		}
		return sequence;
	}

	#down(life: number, incarnation: number, seq: number): void {
		this.sent++;
		let counts = this.downs.get(life);
		if (!counts) {
			counts = new Map();
			this.downs.set(life, counts);
		}
		counts.set(incarnation, seq);
	}
}
