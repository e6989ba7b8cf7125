import { Fifo } from "../../base/index.js";
import { type ClientShare, type SegmentCounts, sizeOf, type WrittenFrame } from "./client-share.js";

/** Up to here the window is anybody's; what is above it is for those who have little on their way. */
const COMMON_PART: number = 1 / 2;
/** How much of the window may be used when those who wait are served again: a piece of it at a time, not each ack's. */
const SERVED_AT: number = 3 / 8;

/** A session as its clients share it. */
export interface SharedWindow extends SegmentCounts {
	/** Bytes of the peer's window. */
	readonly size: number;
	/** How much of it is used by what was written: 1 and more where it is full. */
	readonly load: number;
	/** Writes a frame, or a piece of one. */
	append(piece: Buffer): void;
}

/**
 * Shares the window of a session among the clients that write into it (ARCHITECTURE.md, "Shares of the window"). Open
 * (nobody waits, less than half is used: it is not asked) → scarce (who has little on its way writes, the others wait) →
 * shut (the window is full, or many have passed those who wait: all wait) → served, in turns of so many bytes → … Frames
 * of one client never overtake each other, and none is lost or doubled here.
 */
export class WindowShares {
	readonly #window: SharedWindow;
	readonly #shareBytes: number;
	/** Those of whom something waits, in the order of their turns. */
	readonly #ring = new Fifo<ClientShare>();
	#frames = 0;
	#bytes = 0;
	/** Whether who comes waits behind the others, until these were served. */
	#isShut = false;
	/** Bytes of clients with little on their way that were written while others waited. */
	#passed = 0;

	/** `shareBytes`: what one client may have on its way while the window is scarce, and what it may write in its turn. */
	constructor(window: SharedWindow, shareBytes: number) {
		this.#window = window;
		this.#shareBytes = shareBytes;
	}

	/** Whether frames need not come here. */
	get isOpen(): boolean {
		return this.#ring.length === 0 && this.#window.load < COMMON_PART;
	}

	/** Frames that wait. */
	get waiting(): number {
		return this.#frames;
	}

	/** Bytes that wait. */
	get waitingBytes(): number {
		return this.#bytes;
	}

	/** Writes a client's frame, now or in its turn. */
	write(share: ClientShare, frame: WrittenFrame): void {
		if (!this.#admits(share)) this.#wait(share, frame);
		else {
			if (this.#ring.length > 0) this.#pass(sizeOf(frame));
			this.#append(share, frame);
		}
	}

	/** The window may have room again: those who wait have their turns. */
	serve(): void {
		if (this.#ring.length === 0 || this.#window.load > SERVED_AT) return;
		this.#isShut = false;
		this.#passed = 0;
		while (this.#window.load < COMMON_PART) {
			const share = this.#ring.shift();
			if (!share) return;
			this.#write(share, share.take(this.#shareBytes));
			if (share.isWaiting) this.#ring.push(share);
		}
	}

	/** Writes all that waits: there is no later. */
	flush(): void {
		for (const share of this.#clear()) this.#write(share, share.take());
	}

	/** Takes out all that waits, in order: the session is over. */
	take(): Buffer[] {
		const frames = this.#clear().flatMap((share) => this.#taken(share.take()));
		return frames.flat();
	}

	/** A client is gone, with what waits of it. */
	drop(share: ClientShare): void {
		if (!share.isWaiting) return;
		this.#ring.extract((other) => other === share);
		this.#taken(share.take());
	}

	#admits(share: ClientShare): boolean {
		if (this.#isShut || share.isWaiting || this.#window.load >= 1) return false;
		return share.isBelow(this.#shareBytes, this.#window);
	}

	/** Clients with little to send could keep the others waiting for ever, if there are many. */
	#pass(bytes: number): void {
		this.#passed += bytes;
		if (this.#passed >= this.#window.size * (1 - COMMON_PART)) this.#isShut = true;
	}

	#wait(share: ClientShare, frame: WrittenFrame): void {
		if (this.#window.load >= 1) this.#isShut = true;
		if (!share.isWaiting) this.#ring.push(share);
		share.push(frame);
		this.#frames++;
		this.#bytes += sizeOf(frame);
	}

	/** These do not wait any more. */
	#taken(frames: readonly WrittenFrame[]): readonly WrittenFrame[] {
		this.#frames -= frames.length;
		for (const frame of frames) this.#bytes -= sizeOf(frame);
		return frames;
	}

	#write(share: ClientShare, frames: readonly WrittenFrame[]): void {
		for (const frame of this.#taken(frames)) this.#append(share, frame);
	}

	#append(share: ClientShare, frame: WrittenFrame): void {
		share.wrote(sizeOf(frame), this.#window);
		for (const piece of frame) this.#window.append(piece);
	}

	#clear(): ClientShare[] {
		const shares = [...this.#ring];
		this.#ring.clear();
		this.#isShut = false;
		this.#passed = 0;
		return shares;
	}
}
