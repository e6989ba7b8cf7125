import { type Clock, Fifo, type Timer } from "../../base/index.js";
import { type ErrorCode, TrunklineError } from "../../errors/index.js";
import type { Acks, DataSegment } from "../wire/acks.js";
import { Acknowledging } from "./acknowledging.js";
import { Copying } from "./copying.js";
import { Links } from "./links.js";
import type { ResolvedSessionOptions } from "./options.js";
import { CopyPacing, RoundTrip } from "./pacing.js";
import { Receiving } from "./receiving.js";
import { Sending } from "./sending.js";
import { SessionLink } from "./session-link.js";
import type {
	Greeting,
	LinkPort,
	SendOutcome,
	SessionCounters,
	SessionEndReason,
	SessionHandlers,
	SessionSetup,
} from "./terms.js";

/** So many links that broke the protocol within {@link VIOLATION_SPAN_MS} end the session. */
const MAX_VIOLATIONS = 3;
/** Milliseconds. */
const VIOLATION_SPAN_MS = 60_000;

/**
 * One end of what the links between a proxy and an app server carry together: segments of frames, each handed on at the
 * other end exactly once and in the order in which they were sent, whatever happens to any link, as long as one comes
 * up within `sessionTimeoutMs` (PROTOCOL.md, "Session"). It has no sockets and reads no bytes; its owner calls
 * {@link Session.addLink} when HELLO was exchanged on a link, passes on what comes, and writes what the session gives
 * to the link's port. After `ended` was called, nothing is handed on any more and no timer is left.
 */
export class Session {
	readonly #clock: Clock;
	readonly #options: ResolvedSessionOptions;
	readonly #handlers: SessionHandlers;
	readonly #links = new Links();
	readonly #roundTrip: RoundTrip;
	readonly #receiving: Receiving;
	readonly #acknowledging: Acknowledging;
	readonly #sending: Sending;
	readonly #copying: Copying;
	readonly #violations: number[] = [];
	#violationCount = 0;
	#received = 0;
	#linksLost = 0;
	#away: Timer | undefined;
	#isOver = false;
	#whenIdle: (() => void)[] = [];
	/** What is to be done once the peer has handed on a segment, in the order of these. */
	#whenConfirmed = new Fifo<{ readonly seq: number; readonly task: () => void }>();

	constructor({ clock, options, handlers }: SessionSetup) {
		this.#clock = clock;
		this.#options = options;
		this.#handlers = handlers;
		const links = this.#links;
		const pacing = new CopyPacing();
		const roundTrip = new RoundTrip(options);
		this.#roundTrip = roundTrip;
		this.#receiving = new Receiving(options.windowBytes, (frames) => handlers.deliver(frames));
		this.#acknowledging = new Acknowledging({ clock, options, links, receiving: this.#receiving });
		this.#sending = new Sending({
			...{ clock, options, links, pacing, roundTrip, acknowledging: this.#acknowledging },
			sent: () => this.#copying.watch(),
			recovered: (link) => this.#suspect(link, false),
		});
		this.#copying = new Copying({
			...{ clock, options, links, pacing, roundTrip, sending: this.#sending },
			suspected: (link) => this.#suspect(link, true),
			stalled: (link) => this.#stalled(link),
			uncounted: (link) => this.#reject(link, "It does not count what it hands on."),
		});
		this.#waitForLink();
	}

	/** Whether `ended` was called. */
	get isOver(): boolean {
		return this.#isOver;
	}

	/** Links that are up. */
	get links(): number {
		return this.#links.up.length;
	}

	/** Whether a segment would be sent at once. Writers that can wait do so until `writable`, when it is false. */
	get hasRoom(): boolean {
		return !this.#isOver && this.#sending.hasRoom;
	}

	/** Bytes of the window that the peer grants. */
	get windowBytes(): number {
		return this.#sending.windowBytes;
	}

	/** Bytes that were taken, and that the peer has not handed on: sent, or waiting for room in its window. */
	get keptBytes(): number {
		return this.#sending.keptBytes;
	}

	/** Number of the segment that was taken last. */
	get last(): number {
		return this.#sending.last;
	}

	/** Number of the last segment that the peer has handed on. */
	get confirmed(): number {
		return this.#sending.confirmed;
	}

	/** Whether the peer has handed on all that was sent. */
	get isIdle(): boolean {
		return this.#sending.isIdle;
	}

	/** What the session has done so far, and what it holds now. */
	get counters(): SessionCounters {
		const { sent, resent, confirmed, keptBytes, waitingBytes } = this.#sending;
		const { delivered, doubles, early, earlyBytes } = this.#receiving;
		const { copies, suspicions } = this.#copying;
		return {
			...{ sent, resent, copies, received: this.#received, doubles, early, delivered, confirmed },
			...{ keptBytes, waitingBytes, earlyBytes, suspicions, roundTripMs: this.#roundTrip.smoothedMs },
			...{ links: this.links, linksLost: this.#linksLost, lonelyAcks: this.#acknowledging.lonely },
			violations: this.#violationCount,
		};
	}

	/** What HELLO has to say; to be asked for each HELLO, when it is written. */
	greeting(): Greeting {
		return this.#receiving.greeting();
	}

	/**
	 * Adds a link on which HELLO has come, and what that said. The own HELLO has to be written before, as DATA may be
	 * during this call. A new incarnation replaces the old one of its place. What was on links that are gone is sent at
	 * once. Answers an error when the link is not taken, for its owner to close it: `ERR_LINK_PROTOCOL` (it counts as a
	 * violation), or `ERR_LINK_REFUSED` where the session is over or the incarnation is an old one.
	 */
	addLink(port: LinkPort, greeting: Greeting): TrunklineError | undefined {
		const { link: place, incarnation } = port;
		if (this.#isOver) return linkError("ERR_LINK_REFUSED", "The session is over.");
		if (!(place >= 0 && place < this.#options.maxLinks))
			return this.#violated(`Link ${place} was offered; places are below ${this.#options.maxLinks}.`);
		if (incarnation <= this.#links.lastIncarnation(place))
			return linkError("ERR_LINK_REFUSED", `A later incarnation of link ${place} has come already.`);
		const fault = this.#sending.greeted(greeting);
		if (fault) return this.#violated(fault);
		const replaced = this.#links.at(place);
		this.#links.add(new SessionLink(port, this.#clock.elapsed()));
		if (replaced) this.#drop(replaced);
		this.#away?.cancel();
		this.#away = undefined;
		this.#acknowledging.news(0);
		this.#advance();
		return undefined;
	}

	/** A link is gone, for whatever reason; unknown ones are passed over. What was on it is sent again on others. */
	removeLink(place: number, incarnation: number): void {
		const link = this.#up(place, incarnation);
		if (link) this.#drop(link);
	}

	/**
	 * Takes frames as one segment: 64 KiB at most, or one frame, and never more than 1 MiB. The buffer belongs to the
	 * session from here on. Waits, in order, where the peer's window is full; refused above `maxWaitingBytes`.
	 */
	send(frames: Buffer): SendOutcome {
		return this.#isOver ? "over" : this.#sending.take(frames);
	}

	/** A DATA segment has come on a link; passed over when that is no link of the session (any more). */
	receiveData(place: number, incarnation: number, segment: DataSegment): void {
		const link = this.#up(place, incarnation);
		if (!link) return;
		link.received++;
		this.#received++;
		this.#acknowledging.news(segment.frames.length);
		const fault = this.#sending.acknowledge(segment.acks) ?? this.#receiving.receive(segment);
		if (fault) this.#reject(link, fault);
		if (this.#isOver) return;
		this.#acknowledging.settle();
		this.#advance();
	}

	/** An ACK segment has come on a link. A link that was replaced meanwhile speaks for others, too. */
	receiveAcks(place: number, incarnation: number, acks: Acks): void {
		if (this.#isOver) return;
		const fault = this.#sending.acknowledge(acks);
		const link = fault && this.#up(place, incarnation);
		if (link) this.#reject(link, fault);
		else if (!fault) this.#advance();
	}

	/** Its owner has found that a link breaks the protocol: it is closed; the third within a minute ends the session. */
	rejectLink(place: number, incarnation: number, text: string): void {
		const link = this.#up(place, incarnation);
		if (link) this.#reject(link, text);
	}

	/**
	 * Bytes that the peer may send beyond what was handed on, from now on (what was granted stays granted): less, down to
	 * 0, when the owner is slow to do what was handed on to it.
	 */
	setWindow(bytes: number): void {
		if (this.#receiving.setWindow(Math.min(bytes, this.#options.windowBytes)) && !this.#isOver)
			this.#acknowledging.news(0);
	}

	/** Calls `task` once when the peer has handed on all that was sent; never, if the session ends before. */
	whenIdle(task: () => void): void {
		if (this.isIdle) task();
		else this.#whenIdle.push(task);
	}

	/** Calls `task` once when the peer has handed on all that was taken until now; never, if the session ends before. */
	whenConfirmed(task: () => void): void {
		if (this.isIdle) task();
		else this.#whenConfirmed.push({ seq: this.#sending.last, task });
	}

	/** Ends the session: `ended` hears what was not handed on. The owner closes the links. A second call does nothing. */
	end(reason: SessionEndReason): void {
		if (this.#isOver) return;
		this.#isOver = true;
		this.#away?.cancel();
		this.#copying.stop();
		this.#acknowledging.stop();
		this.#receiving.stop();
		for (const link of this.#links.up) this.#links.remove(link);
		this.#links.clear();
		this.#whenIdle = [];
		this.#whenConfirmed = new Fifo();
		this.#handlers.ended({ reason, ...this.#sending.clear() });
	}

	#up(place: number, incarnation: number): SessionLink | undefined {
		const link = this.#links.at(place);
		return link?.port.incarnation === incarnation ? link : undefined;
	}

	/** The peer may have said that there is room, or that it has handed on something. */
	#advance(): void {
		this.#sending.flush();
		if (this.#sending.takeRoom()) this.#handlers.writable();
		this.#handlers.advanced?.();
		while ((this.#whenConfirmed.first?.seq ?? Number.POSITIVE_INFINITY) <= this.#sending.confirmed)
			this.#whenConfirmed.shift()?.task();
		if (this.#whenIdle.length === 0 || !this.isIdle) return;
		const tasks = this.#whenIdle;
		this.#whenIdle = [];
		for (const task of tasks) task();
	}

	#drop(link: SessionLink): void {
		this.#linksLost++;
		this.#links.remove(link);
		this.#sending.lose(link);
		if (this.links === 0) this.#waitForLink();
		// Acks may have been lost with it.
		else this.#acknowledging.news(0);
		this.#sending.flush();
	}

	#waitForLink(): void {
		if (this.#isOver || this.#away) return;
		this.#away = this.#clock.schedule(this.#options.sessionTimeoutMs, () => this.end("lost"));
	}

	#suspect(link: SessionLink, isSuspect: boolean): void {
		if (!isSuspect) link.suspectSince = undefined;
		this.#handlers.suspected(link.port.link, link.port.incarnation, isSuspect);
	}

	#stalled(link: SessionLink): void {
		const { suspectTimeoutMs } = this.#options;
		const text = `Link ${link.port.link} has acknowledged nothing for ${suspectTimeoutMs} ms, others have.`;
		this.#close(link, linkError("ERR_LINK_STALLED", text));
	}

	#reject(link: SessionLink, text: string): void {
		this.#close(link, this.#count(text));
		this.#endIfBroken();
	}

	#close(link: SessionLink, error: TrunklineError): void {
		if (link.isUp) this.#drop(link);
		this.#handlers.closeLink(link.port.link, link.port.incarnation, error);
	}

	#violated(text: string): TrunklineError {
		const error = this.#count(text);
		this.#endIfBroken();
		return error;
	}

	#count(text: string): TrunklineError {
		this.#violationCount++;
		this.#violations.push(this.#clock.elapsed());
		if (this.#violations.length > MAX_VIOLATIONS) this.#violations.shift();
		return linkError("ERR_LINK_PROTOCOL", text);
	}

	#endIfBroken(): void {
		const [first = 0] = this.#violations;
		const isFull = this.#violations.length === MAX_VIOLATIONS;
		if (isFull && this.#clock.elapsed() - first < VIOLATION_SPAN_MS) this.end("broken");
	}
}

function linkError(code: ErrorCode, text: string): TrunklineError {
	return new TrunklineError(code, text);
}
