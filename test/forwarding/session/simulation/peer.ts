import { resolveSessionOptions, type SessionOptions } from "../../../../lib/forwarding/session/options.js";
import { Session } from "../../../../lib/forwarding/session/session.js";
import { SEGMENT_OVERHEAD_BYTES, type SessionEnd } from "../../../../lib/forwarding/session/terms.js";
import type { SimulatedClock } from "./simulated-clock.js";

const HEAD_BYTES = 8;
/** What is sent may go beyond a window by one segment. */
const SLACK_BYTES = 64 * 1024;

/** How a {@link Peer} behaves. */
export interface PeerSettings {
	readonly name: string;
	readonly clock: SimulatedClock;
	readonly options: SessionOptions;
	/** Largest segment, in bytes. */
	readonly maxBytes: number;
	/** Writes until it is refused, instead of only while there is room. */
	readonly isPushy: boolean;
	/** Answers each n-th segment at once; 0 for none. */
	readonly answersEach: number;
	/** When the other one said a segment. */
	saidAt(number: number): number;
	closeLink(link: number, incarnation: number): void;
}

/** One end of a session, which numbers what it says and checks what it hears. */
export class Peer {
	readonly session: Session;
	readonly #settings: PeerSettings;
	readonly #limits: { readonly kept: number; readonly early: number; readonly window: number };
	/** Segments that were given to the session. */
	said = 0;
	/** Segments that were handed on, each the next of the other's. */
	heard = 0;
	/** When each segment was given to the session. */
	readonly saidAt: number[] = [];
	/** Longest time from there to the other's ears, in milliseconds. */
	worstMs = 0;
	/** What should not have happened. */
	readonly faults: string[] = [];
	end: SessionEnd | undefined;
	#wanted = 0;

	constructor(settings: PeerSettings) {
		this.#settings = settings;
		const options = resolveSessionOptions(settings.options);
		const { windowBytes, maxWaitingBytes } = options;
		this.#limits = {
			kept: windowBytes + maxWaitingBytes + SLACK_BYTES,
			early: windowBytes + SLACK_BYTES,
			window: windowBytes,
		};
		this.session = new Session({
			clock: settings.clock,
			options,
			handlers: {
				deliver: (frames) => this.#hear(frames),
				writable: () => this.#write(),
				suspected: () => {},
				closeLink: (link, incarnation, { code, message }) => {
					if (code === "ERR_LINK_PROTOCOL") this.#fault(message);
					settings.closeLink(link, incarnation);
				},
				ended: (end) => {
					if (this.end) this.#fault("It ended twice.");
					this.end = end;
				},
			},
		});
	}

	/** Has said all that it wants to, and all of it was heard. */
	get isIdle(): boolean {
		return this.#wanted === 0 && this.session.isIdle;
	}

	/** Wants to say so many more segments. */
	say(count: number): void {
		this.#wanted += count;
		this.#write();
	}

	/** Wants to say nothing more, answers apart, and hears as much as before it was slow. */
	hush(): void {
		this.#wanted = 0;
		this.slow(1);
	}

	/** Hears only a part of what it usually does. */
	slow(part: number): void {
		this.session.setWindow(Math.floor(part * this.#limits.window));
	}

	/** Looks at what the session holds. */
	check(): void {
		const { keptBytes, earlyBytes } = this.session.counters;
		if (keptBytes > this.#limits.kept) this.#fault(`It keeps ${keptBytes} bytes.`);
		if (earlyBytes > this.#limits.early) this.#fault(`${earlyBytes} bytes came early.`);
	}

	#write(): void {
		while (this.#wanted > 0 && (this.#settings.isPushy || this.session.hasRoom)) {
			const outcome = this.session.send(framesOf(this.said, this.#settings.maxBytes));
			if (outcome === "full" || outcome === "over") return;
			this.said++;
			this.saidAt.push(this.#settings.clock.elapsed());
			this.#wanted--;
		}
	}

	#hear(frames: Buffer): void {
		const expected = framesOf(this.heard, this.#settings.maxBytes);
		if (!frames.equals(expected)) this.#fault(`It heard ${numberOf(frames)}, not ${this.heard}.`);
		if (this.end) this.#fault("It heard something after the end.");
		const { answersEach, clock, saidAt } = this.#settings;
		this.worstMs = Math.max(this.worstMs, clock.elapsed() - saidAt(this.heard));
		this.heard++;
		if (answersEach > 0 && this.heard % answersEach === 0) this.say(1);
	}

	#fault(text: string): void {
		if (this.faults.length < 10) this.faults.push(`${this.#settings.name}: ${text}`);
	}
}

/** What a segment with this number says. */
export function framesOf(number: number, maxBytes: number): Buffer {
	const spread = Math.imul(number + 1, 0x9e3779b1) >>> 0;
	const frames = Buffer.alloc(HEAD_BYTES + (spread % Math.max(1, maxBytes - HEAD_BYTES)), number & 0xff);
	frames.writeUInt32LE(number, 0);
	return frames;
}

/** The number that {@link framesOf} wrote. */
export function numberOf(frames: Buffer): number {
	return frames.readUInt32LE(0);
}

/** What the segments of some frames cost in a window. */
export function costOfAll(all: readonly Buffer[]): number {
	return all.reduce((sum, frames) => sum + frames.length + SEGMENT_OVERHEAD_BYTES, 0);
}
