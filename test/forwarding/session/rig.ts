import { ManualClock } from "../../../lib/base/index.js";
import type { TrunklineError } from "../../../lib/errors/index.js";
import { resolveSessionOptions, type SessionOptions } from "../../../lib/forwarding/session/options.js";
import { Session } from "../../../lib/forwarding/session/session.js";
import type { Greeting, LinkPort, SessionEnd } from "../../../lib/forwarding/session/terms.js";
import type { Acks, DataSegment, LinkAck } from "../../../lib/forwarding/wire/acks.js";

/** What HELLO of a peer says that has had nothing yet. */
export const FRESH: Greeting = { delivered: 0, window: 1_000_000 };

/** A link whose other end is the test. */
export class TestLink implements LinkPort {
	readonly link: number;
	readonly incarnation: number;
	/** DATA that was written on it. */
	readonly segments: DataSegment[] = [];
	/** ACK that was written on it. */
	readonly acks: Acks[] = [];
	/** What happens while a segment is written. */
	onSend: () => void = () => {};

	constructor(link: number, incarnation = 1) {
		this.link = link;
		this.incarnation = incarnation;
	}

	/** What the segments say that were written on it. */
	get texts(): string[] {
		return this.segments.map(({ frames }) => frames.toString());
	}

	send(segment: DataSegment): void {
		this.segments.push(segment);
		this.onSend();
	}

	sendAck(acks: Acks): void {
		this.acks.push(acks);
	}
}

/** One session, and the peer's part played by a test. */
export class Rig {
	readonly clock = new ManualClock();
	readonly session: Session;
	/** What was handed on. */
	readonly heard: string[] = [];
	/** What else the owner was told. */
	readonly events: string[] = [];
	readonly errors: TrunklineError[] = [];
	end: SessionEnd | undefined;
	onClose: () => void = () => {};
	onHeard: (text: string) => void = () => {};

	constructor(options: SessionOptions = {}) {
		this.session = new Session({
			clock: this.clock,
			options: resolveSessionOptions(options),
			handlers: {
				deliver: (frames) => {
					this.heard.push(frames.toString());
					this.onHeard(frames.toString());
				},
				writable: () => this.events.push("writable"),
				suspected: (link, incarnation, isSuspect) =>
					this.events.push(`${link}.${incarnation} ${isSuspect ? "suspect" : "well"}`),
				closeLink: (link, incarnation, error) => {
					this.events.push(`close ${link}.${incarnation} ${error.code}`);
					this.errors.push(error);
					this.onClose();
				},
				ended: (end) => {
					this.end = end;
					this.events.push(`ended ${end.reason}`);
				},
			},
		});
		this.session.greeting();
	}

	/** Adds links at the places from 0, or those given. */
	join(links: number | readonly TestLink[], greeting: Greeting = FRESH): TestLink[] {
		const all =
			typeof links === "number" ? Array.from({ length: links }, (_, at) => new TestLink(at)) : links;
		for (const link of all) this.session.addLink(link, greeting);
		return [...all];
	}

	/** Says each text in a segment. */
	say(...texts: readonly string[]): string[] {
		return texts.map((text) => this.session.send(Buffer.from(text)));
	}

	/** A DATA segment comes on a link. */
	hear(link: TestLink, seq: number, text = String(seq)): void {
		const segment = { seq, acks: acksOf([]), frames: Buffer.from(text) };
		this.session.receiveData(link.link, link.incarnation, segment);
	}

	/** The peer says how many segments came on each of some links, and the last that it has handed on. */
	acknowledge(counts: readonly (readonly [TestLink, number])[], delivered = 0, window = FRESH.window): void {
		const acks = acksOf(
			counts.map(([{ link, incarnation }, received]) => ({ link, incarnation, received })),
			delivered,
			window,
		);
		const [via] = counts[0] ?? [new TestLink(0)];
		this.session.receiveAcks(via.link, via.incarnation, acks);
	}

	/** Ends the session, and says how many timers are left. */
	timersLeft(): number {
		this.session.end("closed");
		return this.clock.pending;
	}
}

/** Acks as a peer would send them. */
export function acksOf(links: readonly LinkAck[], delivered = 0, window: number = FRESH.window): Acks {
	return { links, delivered, window };
}
