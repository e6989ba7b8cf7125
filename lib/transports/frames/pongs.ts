import type { Duplex } from "node:stream";
import { PONG } from "./frame.js";
import { controlFrame } from "./frame-writer.js";

/** Pings that may come while the client does not take the pong to an earlier one. */
export const MAX_UNANSWERED_PINGS = 1_000;

/**
 * Answers a client's pings: each where it can. While a pong waits for a client that does not read, only the last ping
 * is remembered, as RFC 6455 §5.5.3 allows: what waits stays of one size.
 */
export class Pongs {
	readonly #socket: Duplex;
	/** Pongs of the chunk that is being read. */
	#gathered: Buffer[] = [];
	#isWaiting = false;
	#isStopped = false;
	#last: Buffer | undefined;
	#unanswered = 0;

	constructor(socket: Duplex) {
		this.#socket = socket;
	}

	/** The client sends pings and does not read: no more is to be taken of it. */
	get isFlooded(): boolean {
		return this.#unanswered > MAX_UNANSWERED_PINGS;
	}

	/** A ping came; its pong leaves with the next {@link flush}. */
	add(payload: Buffer): void {
		const pong = controlFrame(PONG, payload);
		if (!this.#isWaiting) {
			this.#gathered.push(pong);
			return;
		}
		this.#unanswered++;
		this.#last = pong;
	}

	/** Writes the pongs of a chunk at once. */
	flush(): void {
		if (this.#gathered.length === 0) return;
		const pongs = Buffer.concat(this.#gathered);
		this.#gathered = [];
		this.#isWaiting = true;
		this.#socket.write(pongs, () => this.#taken());
	}

	/** Writes what it has, and no more from here on: after Close nothing is sent. */
	stop(): void {
		this.flush();
		this.#isStopped = true;
	}

	#taken(): void {
		this.#isWaiting = false;
		this.#unanswered = 0;
		if (!this.#last || this.#isStopped) return;
		this.#gathered.push(this.#last);
		this.#last = undefined;
		this.flush();
	}
}
