import type { Clock } from "../../base/index.js";
import type { Acks, LinkAck } from "../wire/acks.js";
import type { Acknowledging } from "./acknowledging.js";
import type { Links } from "./links.js";
import type { ResolvedSessionOptions } from "./options.js";
import type { CopyPacing, RoundTrip } from "./pacing.js";
import { SegmentRing } from "./segment-ring.js";
import type { SessionLink } from "./session-link.js";
import { costOf, type Greeting, type SendOutcome } from "./terms.js";

/** Of the peer's window, free again before writers are told to go on. */
const ROOM_TO_GO_ON = 1 / 8;

/** A segment of ours, kept until the peer has handed it on. */
export interface Outgoing {
	readonly seq: number;
	readonly frames: Buffer;
	/** Bytes of all segments up to this one, itself included. */
	readonly end: number;
	/** It came, though perhaps not yet in its turn: it is not sent again. */
	isAcked: boolean;
	/** The link that it was sent on last; none before it was sent, or when that link is gone. */
	carrier: SessionLink | undefined;
	/** All links that it was sent on, from its first copy on. */
	carriers: SessionLink[] | undefined;
	sentAt: number;
}

/** What {@link Sending} works with. */
export interface SendingSetup {
	readonly clock: Clock;
	readonly links: Links;
	readonly pacing: CopyPacing;
	readonly roundTrip: RoundTrip;
	readonly acknowledging: Acknowledging;
	readonly options: ResolvedSessionOptions;
	/** A segment is under way. */
	readonly sent: () => void;
	/** A suspect link has acknowledged something. */
	readonly recovered: (link: SessionLink) => void;
}

/** Numbers segments, keeps them until they were handed on at the other end, and sends them within its window. */
export class Sending {
	readonly #setup: SendingSetup;
	readonly #kept = new SegmentRing<Outgoing>();
	/** Numbers of segments that have to be sent again, as their link is gone; the lowest last. */
	#lost: number[] = [];
	#last = 0;
	#next = 1;
	#confirmed = 0;
	#end = 0;
	#confirmedEnd = 0;
	/** Where the peer's window ends, on the scale of {@link Outgoing.end}. It never moves back. */
	#edge = 0;
	#order = 0;
	#ackedOrder = 0;
	#countedAt = 0;
	/** The time, once for all links that one message speaks of. */
	#now: number | undefined;
	#isFull = false;
	#isFlushing = false;
	/** Segments that were sent again because their link was gone. */
	resent = 0;

	constructor(setup: SendingSetup) {
		this.#setup = setup;
	}

	/** Number of the last segment that the peer has handed on. */
	get confirmed(): number {
		return this.#confirmed;
	}

	/** Number of the last segment that was taken, sent or not. */
	get last(): number {
		return this.#last;
	}

	/** Segments that were sent, copies apart. */
	get sent(): number {
		return this.#next - 1;
	}

	/** Whether everything was handed on over there. */
	get isIdle(): boolean {
		return this.#confirmed === this.#last;
	}

	/** Whether a segment could be sent at once. */
	get hasRoom(): boolean {
		return this.#end < this.#edge;
	}

	/** Bytes of the peer's window. */
	get windowBytes(): number {
		return Math.max(0, this.#edge - this.#confirmedEnd);
	}

	get keptBytes(): number {
		return this.#end - this.#confirmedEnd;
	}

	get waitingBytes(): number {
		return Math.max(0, this.#end - this.#edge);
	}

	/** The highest order of a transmission that the peer has counted. */
	get ackedOrder(): number {
		return this.#ackedOrder;
	}

	/** When the peer last counted anything. */
	get countedAt(): number {
		return this.#countedAt;
	}

	/** The oldest segment that was sent and not handed on. */
	get oldest(): Outgoing | undefined {
		return this.#confirmed + 1 < this.#next ? this.#kept.get(this.#confirmed + 1) : undefined;
	}

	/** The segment with this number, unless the peer has handed it on. */
	kept(seq: number): Outgoing | undefined {
		return seq > this.#confirmed ? this.#kept.get(seq) : undefined;
	}

	/** Takes a segment and sends it, if there is room. */
	take(frames: Buffer): SendOutcome {
		const cost = costOf(frames);
		const waits = this.#end >= this.#edge;
		if (waits && this.waitingBytes + cost > this.#setup.options.maxWaitingBytes) {
			this.#isFull = true;
			return "full";
		}
		this.#end += cost;
		const seq = ++this.#last;
		this.#kept.set(seq, outgoing(seq, frames, this.#end), this.#confirmed + 1);
		if (waits || this.#end >= this.#edge) this.#isFull = true;
		if (!waits) this.flush();
		return waits ? "waiting" : "sent";
	}

	/** What HELLO says: the same as acks without counts. Answers what is wrong with it. */
	greeted(greeting: Greeting): string | undefined {
		return this.#confirm(greeting.delivered, greeting.window);
	}

	/** Takes what the peer says has come, on whichever link it says so. Answers what is wrong with it. */
	acknowledge({ links, delivered, window }: Acks): string | undefined {
		this.#now = undefined;
		for (let at = 0; at < links.length; at++) {
			const fault = this.#count(links[at] as LinkAck);
			if (fault) return fault;
		}
		return this.#confirm(delivered, window);
	}

	/** Sends what has to be sent again, then what is new, as far as links and the window allow. */
	flush(): void {
		if (this.#isFlushing) return;
		this.#isFlushing = true;
		try {
			while (this.#setup.links.up.length > 0) {
				const segment = this.#due();
				if (!segment) break;
				this.transmit(segment, this.#setup.links.next() as SessionLink);
			}
		} finally {
			this.#isFlushing = false;
		}
	}

	/** Sends a segment on a link. */
	transmit(segment: Outgoing, link: SessionLink): void {
		const { clock, acknowledging, sent } = this.#setup;
		const now = clock.elapsed();
		segment.carrier = link;
		segment.sentAt = now;
		segment.carriers?.push(link);
		link.transmissions.push(segment.seq, ++this.#order, now);
		sent();
		link.port.send({ seq: segment.seq, acks: acknowledging.take(now), frames: segment.frames });
	}

	/** A link is gone: what was on it and is not acknowledged has to be sent again. */
	lose(link: SessionLink): void {
		const { transmissions } = link;
		const before = this.#lost.length;
		for (let place = transmissions.counted; place < transmissions.sent; place++) {
			const segment = this.kept(transmissions.seqAt(place));
			if (!segment || segment.isAcked || segment.carrier !== link) continue;
			segment.carrier = undefined;
			this.#lost.push(segment.seq);
		}
		if (this.#lost.length > before) this.#lost.sort((a, b) => b - a);
	}

	/** Says, once, that there is room again after there was none. */
	takeRoom(): boolean {
		if (!this.#isFull) return false;
		const window = this.#edge - this.#confirmedEnd;
		if (window <= 0 || this.#edge - this.#end < window * ROOM_TO_GO_ON) return false;
		this.#isFull = false;
		return true;
	}

	/** Takes out everything: frames that were sent and not handed on, and frames that were not sent. */
	clear(): { unconfirmed: Buffer[]; unsent: Buffer[] } {
		const unconfirmed: Buffer[] = [];
		const unsent: Buffer[] = [];
		for (let seq = this.#confirmed + 1; seq <= this.#last; seq++) {
			const { frames } = this.#kept.take(seq) as Outgoing;
			if (frames.length > 0) (seq < this.#next ? unconfirmed : unsent).push(frames);
		}
		this.#lost = [];
		this.#kept.rest();
		this.#confirmed = this.#last;
		this.#confirmedEnd = this.#end;
		this.#edge = this.#end;
		return { unconfirmed, unsent };
	}

	/** What is to be sent next: it counts as sent from here on. */
	#due(): Outgoing | undefined {
		for (let seq = this.#lost.pop(); seq !== undefined; seq = this.#lost.pop()) {
			const segment = this.kept(seq);
			if (!segment || segment.isAcked || segment.carrier) continue;
			this.resent++;
			return segment;
		}
		if (this.#next > this.#last) return undefined;
		const segment = this.#kept.get(this.#next) as Outgoing;
		const cost = costOf(segment.frames);
		if (segment.end - cost >= this.#edge) return undefined;
		this.#next++;
		this.#setup.pacing.earn(cost);
		return segment;
	}

	#count({ link: place, incarnation, received }: LinkAck): string | undefined {
		// The peer may know a link of which its HELLO is still under way, and one that was forgotten here.
		const link = this.#setup.links.find(place, incarnation);
		if (!link) return undefined;
		const { transmissions } = link;
		const { counted } = transmissions;
		if (received <= counted) return undefined;
		if (received > transmissions.sent)
			return `It acknowledged ${received} segments of link ${place}, on which ${transmissions.sent} were sent.`;
		for (let at = counted; at < received; at++) {
			const segment = this.kept(transmissions.seqAt(at));
			if (segment) segment.isAcked = true;
		}
		const order = transmissions.orderAt(received - 1);
		if (order > this.#ackedOrder) this.#ackedOrder = order;
		this.#measure(link, transmissions.timeAt(received - 1));
		transmissions.countTo(received);
		return undefined;
	}

	#measure(link: SessionLink, sentAt: number): void {
		this.#now ??= this.#setup.clock.elapsed();
		const now = this.#now;
		this.#countedAt = now;
		link.countedAt = now;
		// What a link held up says nothing about how long the peer takes.
		if (link.isSuspect) this.#setup.recovered(link);
		else if (link.isUp) this.#setup.roundTrip.measured(now - sentAt);
	}

	#confirm(delivered: number, window: number): string | undefined {
		// Acks overtake each other on their way over several links.
		if (delivered < this.#confirmed) return undefined;
		if (delivered >= this.#next)
			return `It acknowledged segment ${delivered}, the last one sent was ${this.#next - 1}.`;
		while (this.#confirmed < delivered)
			this.#confirmedEnd = (this.#kept.take(++this.#confirmed) as Outgoing).end;
		if (this.isIdle) this.#kept.rest();
		const most = Math.min(window, this.#setup.options.windowBytes);
		this.#edge = Math.max(this.#edge, this.#confirmedEnd + most);
		return undefined;
	}
}

function outgoing(seq: number, frames: Buffer, end: number): Outgoing {
	return { seq, frames, end, isAcked: false, carrier: undefined, carriers: undefined, sentAt: 0 };
}
