import type { DataSegment } from "../wire/acks.js";
import { SegmentRing } from "./segment-ring.js";
import { costOf, type Greeting, SEGMENT_OVERHEAD_BYTES } from "./terms.js";

/** A view that keeps more than this many times its size alive is copied when it has to wait. */
const WASTE = 2;
const SMALL_BYTES = 1_024;

/** Restores the order of the peer's segments, drops doubles, and grants the window. */
export class Receiving {
	readonly #deliver: (frames: Buffer) => void;
	readonly #early = new SegmentRing<Buffer>();
	#delivered = 0;
	#deliveredEnd = 0;
	#earlyCount = 0;
	#earlyBytes = 0;
	#highest = 0;
	#highestCost = 0;
	#window: number;
	/** Where the window ends that was granted, as bytes of all segments. It never moves back. */
	#edge = 0;
	#isDelivering = false;
	#isStopped = false;
	/** Segments that had come before. */
	doubles = 0;
	/** Segments that came before their turn. */
	early = 0;

	constructor(window: number, deliver: (frames: Buffer) => void) {
		this.#window = window;
		this.#deliver = deliver;
	}

	/** Number of the last segment that was handed on. */
	get delivered(): number {
		return this.#delivered;
	}

	/** Bytes of segments that wait for their turn. */
	get earlyBytes(): number {
		return this.#earlyBytes;
	}

	/** What the peer may send; it may from now on. */
	greeting(): Greeting {
		this.#edge = Math.max(this.#edge, this.#deliveredEnd + this.#window);
		return { delivered: this.#delivered, window: this.#edge - this.#deliveredEnd };
	}

	/** Bytes that may come beyond what was handed on. Says whether more may than before. */
	setWindow(bytes: number): boolean {
		this.#window = bytes;
		return this.#deliveredEnd + bytes > this.#edge;
	}

	/** Hands a segment on, or keeps it for its turn, or drops it. Answers what is wrong with it. */
	receive({ seq, frames }: DataSegment): string | undefined {
		if (seq <= this.#delivered || this.#holds(seq)) {
			this.doubles++;
			return undefined;
		}
		if (this.#exceeds(seq, costOf(frames))) return `Segment ${seq} is beyond the window that was granted.`;
		if (seq === this.#delivered + 1 && !this.#isDelivering) this.#handOn(frames);
		else this.#keep(seq, frames);
		return undefined;
	}

	/** Nothing more is handed on; what waits for its turn is dropped. */
	stop(): void {
		this.#isStopped = true;
		for (let seq = this.#delivered + 1; this.#earlyCount > 0; seq++) this.#take(seq);
		this.#early.rest();
	}

	#holds(seq: number): boolean {
		return this.#earlyCount > 0 && seq <= this.#highest && this.#early.get(seq) !== undefined;
	}

	/**
	 * A sender starts no segment beyond the window, so all but the one with the highest number end within it; each that
	 * is missing below is counted as the least that it can be.
	 */
	#exceeds(seq: number, cost: number): boolean {
		const highest = this.#earlyCount > 0 ? this.#highest : 0;
		const above = seq > highest ? cost : this.#highestCost;
		const missing = Math.max(seq, highest) - this.#delivered - this.#earlyCount - 1;
		const least = this.#deliveredEnd + this.#earlyBytes + cost - above + missing * SEGMENT_OVERHEAD_BYTES;
		return least >= this.#edge;
	}

	#keep(seq: number, frames: Buffer): void {
		const isWasteful = frames.buffer.byteLength > WASTE * frames.length + SMALL_BYTES;
		const cost = costOf(frames);
		if (this.#earlyCount === 0 || seq > this.#highest) {
			this.#highest = seq;
			this.#highestCost = cost;
		}
		this.early++;
		this.#earlyCount++;
		this.#earlyBytes += cost;
		this.#early.set(seq, isWasteful ? Buffer.from(frames) : frames, this.#delivered + 1);
	}

	#take(seq: number): Buffer | undefined {
		const frames = this.#early.take(seq);
		if (!frames) return undefined;
		this.#earlyCount--;
		this.#earlyBytes -= costOf(frames);
		return frames;
	}

	/** Hands on the next segment, and those that waited for it. */
	#handOn(first: Buffer): void {
		this.#isDelivering = true;
		try {
			let frames: Buffer | undefined = first;
			while (frames && !this.#isStopped) {
				this.#delivered++;
				this.#deliveredEnd += costOf(frames);
				if (frames.length > 0) this.#deliver(frames);
				frames = this.#earlyCount > 0 ? this.#take(this.#delivered + 1) : undefined;
			}
		} finally {
			this.#isDelivering = false;
		}
		if (this.#earlyCount === 0) this.#early.rest();
	}
}
