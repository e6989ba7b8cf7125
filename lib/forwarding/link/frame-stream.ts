import type { Clock } from "../../base/index.js";
import { messageOf, TrunklineError } from "../../errors/index.js";
import { type ResolvedSessionOptions, Session, type SessionEnd } from "../session/index.js";
import type { SharedWindow } from "../sharing/window-shares.js";
import {
	type Frame,
	FrameReader,
	FrameWriter,
	isPart,
	type LinkRole,
	MAX_BATCH_BYTES,
} from "../wire/index.js";

/** Who hears of a {@link FrameStream}. */
export interface FrameStreamListener {
	/** The next frame of the peer's; must not throw but for one that breaks the protocol. */
	frame(frame: Frame): void;
	/** There is room again: {@link FrameStream.isFull} was true. */
	writable?(): void;
	/** The peer may have handed on more, or granted more: called often. */
	advanced?(): void;
	/** A link has to be closed; the session has dropped it. */
	closeLink(link: number, incarnation: number, error: TrunklineError): void;
	/** It is over; called once. */
	ended(end: SessionEnd, error: TrunklineError | undefined): void;
}

/** What a {@link FrameStream} is made of. */
export interface FrameStreamSetup {
	readonly clock: Clock;
	readonly options: ResolvedSessionOptions;
	/** Which end the peer is. */
	readonly peer: LinkRole;
	readonly listener: FrameStreamListener;
}

/** A frame that took several segments. */
interface CutFrame {
	readonly parts: Buffer[];
	/** The segment that begins with its last part, once that was sent. */
	last: Buffer | undefined;
}

/**
 * The frames of one session, both ways. All that one turn of the event loop writes leaves as one segment: there is a
 * cost to each segment, and hardly one to another frame in it.
 */
export class FrameStream implements SharedWindow {
	readonly session: Session;
	readonly #writer = new FrameWriter();
	readonly #reader: FrameReader;
	readonly #listener: FrameStreamListener;
	#flush: NodeJS.Immediate | undefined;
	#isOver = false;
	readonly #settled: (() => void)[] = [];
	/** Cut frames that the peer has not had to their end: should the session end amid one, all of it is needed to read it. */
	readonly #cut: CutFrame[] = [];
	/** Segments that the session has not taken any more. */
	#refused: Buffer[] = [];
	#error: TrunklineError | undefined;

	constructor({ clock, options, peer, listener }: FrameStreamSetup) {
		this.#reader = new FrameReader(peer);
		this.#listener = listener;
		this.session = new Session({
			clock,
			options,
			handlers: {
				deliver: (frames) => this.#deliver(frames),
				writable: () => listener.writable?.(),
				advanced: () => listener.advanced?.(),
				suspected: () => {},
				closeLink: (link, incarnation, error) => listener.closeLink(link, incarnation, error),
				ended: (end) => this.#ended(end),
			},
		});
	}

	/** Whether nothing is carried any more. */
	get isOver(): boolean {
		return this.#isOver;
	}

	/** Whether those who can wait should, for `writable`. */
	get isFull(): boolean {
		return !this.session.hasRoom;
	}

	/** Bytes of the window that the peer grants. */
	get size(): number {
		return this.session.windowBytes;
	}

	/** How much of the peer's window is used by what was written: 1 and more where it is full. */
	get load(): number {
		const { windowBytes, keptBytes } = this.session;
		return windowBytes > 0 ? (keptBytes + this.#writer.bytes) / windowBytes : Number.POSITIVE_INFINITY;
	}

	/** Number of the segment that takes what is written next. */
	get next(): number {
		return this.session.last + 1;
	}

	/** Number of the last segment that the peer has handed on. */
	get confirmed(): number {
		return this.session.confirmed;
	}

	/**
	 * Adds a frame. Where it throws, nothing was added.
	 * @throws TrunklineError ERR_FORWARD_TOO_LARGE, ERR_SERIALIZATION
	 */
	write(frame: Frame): void {
		if (this.#isOver) return;
		this.#writer.write(frame);
		this.#plan();
	}

	/** Adds what another {@link FrameWriter} has written: a frame, or the next piece of one. */
	append(piece: Buffer): void {
		if (this.#isOver) return;
		this.#writer.append(piece);
		this.#plan();
	}

	/** Calls `task` when the peer has handled all that was written until now; never, where the session ends before. */
	whenHandled(task: () => void): void {
		this.flush();
		this.session.whenConfirmed(task);
	}

	/** Hands on what was written since the last turn. */
	flush(): void {
		if (this.#flush) clearImmediate(this.#flush);
		this.#flush = undefined;
		const segments = this.#writer.take();
		for (const [at, frames] of segments.entries()) {
			if (this.session.send(frames) === "full") {
				this.#refused = segments.slice(at);
				this.#break(overfull());
				return;
			}
			this.#keepCut(frames);
		}
	}

	/** Resolves when the peer has handed on all that was written, or is not going to: the session is over. */
	settled(): Promise<void> {
		this.flush();
		if (this.#isOver) return Promise.resolve();
		return new Promise((resolve) => {
			this.#settled.push(resolve);
			this.session.whenIdle(resolve);
		});
	}

	/** Ends it, as its owner wants. */
	end(reason: SessionEnd["reason"]): void {
		this.flush();
		this.session.end(reason);
	}

	#plan(): void {
		if (this.#writer.bytes >= MAX_BATCH_BYTES) this.flush();
		else this.#flush ??= setImmediate(() => this.flush());
	}

	#keepCut(frames: Buffer): void {
		const former = this.#cut.at(-1);
		const unfinished = former?.last ? undefined : former;
		if (isPart(frames)) {
			if (unfinished) unfinished.parts.push(frames);
			else this.#cut.push({ parts: [frames], last: undefined });
		} else if (unfinished) {
			unfinished.last = frames;
			this.session.whenConfirmed(() => this.#cut.shift());
		}
	}

	/** The parts that the peer has had of a frame of which it has not had the last one: what is left begins amid it. */
	#begun({ unconfirmed, unsent }: SessionEnd): Buffer[] {
		if (this.#cut.length === 0) return [];
		const left = new Set([...unconfirmed, ...unsent]);
		const cut = this.#cut.splice(0).filter(({ last }) => last === undefined || left.has(last));
		return cut.flatMap(({ parts }) => parts.filter((part) => !left.has(part)));
	}

	#deliver(bytes: Buffer): void {
		try {
			for (const frame of this.#reader.read(bytes)) if (!this.#isOver) this.#listener.frame(frame);
		} catch (thrown) {
			const cause = thrown instanceof TrunklineError ? thrown : undefined;
			this.#break(cause ?? new TrunklineError("ERR_LINK_PROTOCOL", messageOf(thrown), { cause: thrown }));
		}
	}

	/** In one order there is no going on behind a segment that cannot be read. */
	#break(error: TrunklineError): void {
		this.#error ??= error;
		this.session.end("broken");
	}

	#ended(end: SessionEnd): void {
		this.#isOver = true;
		for (const resolve of this.#settled.splice(0)) resolve();
		if (this.#flush) clearImmediate(this.#flush);
		this.#flush = undefined;
		const unconfirmed = [...this.#begun(end), ...end.unconfirmed];
		const unsent = [...end.unsent, ...this.#refused, ...this.#writer.take()];
		this.#listener.ended({ ...end, unconfirmed, unsent }, this.#error);
	}
}

function overfull(): TrunklineError {
	return new TrunklineError(
		"ERR_LIMIT",
		"More waits for a peer than the session may hold (maxWaitingBytes).",
	);
}
