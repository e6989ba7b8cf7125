import { type Deferred, deferred, Fifo } from "../../base/index.js";

/** One frame as it crosses, in several pieces where it is large; the pieces follow one another. */
export type WrittenFrame = readonly Buffer[];

/** How far a session has come, by the numbers of its segments. */
export interface SegmentCounts {
	/** The one that takes what is written next. */
	readonly next: number;
	/** The last one that the peer has handed on. */
	readonly confirmed: number;
}

/**
 * What one client has of a session's window while that is scarce, and what of it waits for its turn. Made when it is
 * needed first: most clients never are here.
 */
export class ClientShare {
	#waiting: Fifo<WrittenFrame> | undefined;
	/** Resolved when nothing waits any more. */
	#room: Deferred<void> | undefined;
	/** Bytes that its next turn may have beside what each turn may. */
	#credit = 0;
	/** Bytes written since the segment {@link #mark}, until that is handed on. */
	#spent = 0;
	#mark = 0;

	/** Whether something of it waits. */
	get isWaiting(): boolean {
		return this.#waiting !== undefined;
	}

	/** Resolves when nothing of it waits any more; undefined where nothing does. */
	get room(): Promise<void> | undefined {
		if (!this.#waiting) return undefined;
		this.#room ??= deferred();
		return this.#room.promise;
	}

	/** Whether less than `most` bytes of it are on their way, as far as was counted. */
	isBelow(most: number, { confirmed }: SegmentCounts): boolean {
		return this.#spent < most || confirmed >= this.#mark;
	}

	/** So many bytes of it are written. They count until those are handed on that were the first to be counted. */
	wrote(bytes: number, { next, confirmed }: SegmentCounts): void {
		if (confirmed >= this.#mark) {
			this.#spent = 0;
			this.#mark = next;
		}
		this.#spent += bytes;
	}

	/** A frame has to wait, behind those that do. */
	push(frame: WrittenFrame): void {
		this.#waiting ??= new Fifo();
		this.#waiting.push(frame);
	}

	/** Takes out what its turn allows: `quantum` bytes, with what it did not use before. Clients that want all give none. */
	take(quantum: number = Number.POSITIVE_INFINITY): WrittenFrame[] {
		const taken: WrittenFrame[] = [];
		this.#credit += quantum;
		for (let first = this.#waiting?.first; first; first = this.#waiting?.first) {
			const bytes = sizeOf(first);
			if (bytes > this.#credit) return taken;
			this.#credit -= bytes;
			this.#waiting?.shift();
			taken.push(first);
		}
		this.#rest();
		return taken;
	}

	/** Nothing of it waits: what it did not use is gone, or an idle client could save up for a flood. */
	#rest(): void {
		this.#credit = 0;
		this.#waiting = undefined;
		this.#room?.resolve();
		this.#room = undefined;
	}
}

/** Bytes of a frame. */
export function sizeOf(frame: WrittenFrame): number {
	let bytes = 0;
	for (const piece of frame) bytes += piece.length;
	return bytes;
}
