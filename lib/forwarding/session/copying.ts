import type { Clock, Timer } from "../../base/index.js";
import type { Links } from "./links.js";
import type { ResolvedSessionOptions } from "./options.js";
import type { CopyPacing, RoundTrip } from "./pacing.js";
import type { Outgoing, Sending } from "./sending.js";
import type { SessionLink } from "./session-link.js";
import { costOf, SEGMENT_OVERHEAD_BYTES } from "./terms.js";

/** How often segments that are under way are looked at. */
const TICK_MS = 5;
/** Segments that fit the window may be on a link twice at most: once copied, once because another link is gone. */
const TIMES_ON_A_LINK = 2;

/** What a link may carry uncounted in any case: a tiny window is filled again and again while links come and go. */
const LEAST_UNCOUNTED = 1_024;

/** What {@link Copying} works with. */
export interface CopyingSetup {
	readonly clock: Clock;
	readonly options: ResolvedSessionOptions;
	readonly links: Links;
	readonly pacing: CopyPacing;
	readonly roundTrip: RoundTrip;
	readonly sending: Sending;
	/** A link has become suspect. */
	readonly suspected: (link: SessionLink) => void;
	/** A link was suspect for too long. */
	readonly stalled: (link: SessionLink) => void;
	/** What was sent on a link is handed on, and not counted: the peer does not keep the protocol. */
	readonly uncounted: (link: SessionLink) => void;
}

interface Copy {
	readonly segment: Outgoing;
	readonly to: SessionLink;
}

/** Finds links that hold segments up, and sends these again on others (PROTOCOL.md, "Session", rule 2). */
export class Copying {
	readonly #setup: CopyingSetup;
	readonly #maxUncounted: number;
	#timer: Timer | undefined;
	#isStopped = false;
	/**
	 * What had been acknowledged one tick ago. A peer that was busy reads its links one after another: what it has not
	 * come to yet is not held up.
	 */
	#evidence = 0;
	/** Segments that were copied. */
	copies = 0;
	/** Times that a link became suspect. */
	suspicions = 0;

	constructor(setup: CopyingSetup) {
		this.#setup = setup;
		const segments = setup.options.windowBytes / SEGMENT_OVERHEAD_BYTES;
		this.#maxUncounted = Math.max(LEAST_UNCOUNTED, TIMES_ON_A_LINK * (segments + 2));
	}

	/** Something is under way. */
	watch(): void {
		if (this.#timer || this.#isStopped) return;
		this.#timer = this.#setup.clock.schedule(TICK_MS, () => this.#tick());
	}

	/** Nothing is copied any more. */
	stop(): void {
		this.#isStopped = true;
		this.#timer?.cancel();
		this.#timer = undefined;
	}

	#tick(): void {
		this.#timer = undefined;
		const { clock, links, sending, roundTrip } = this.#setup;
		const now = clock.elapsed();
		const evidence = this.#evidence;
		this.#evidence = sending.ackedOrder;
		let isBusy = false;
		for (const link of links.up) {
			if (link.transmissions.length === 0 || !link.isUp) continue;
			isBusy = true;
			this.#judge(link, evidence, now);
		}
		if (!isBusy) return;
		this.watch();
		this.#copyAll(evidence, now - roundTrip.copyAfterMs);
		this.#probe(now);
	}

	#judge(link: SessionLink, evidence: number, now: number): void {
		const { options, roundTrip, suspected, stalled, uncounted } = this.#setup;
		const { transmissions, suspectSince } = link;
		if (transmissions.length > this.#maxUncounted) uncounted(link);
		else if (suspectSince !== undefined) {
			if (now - suspectSince >= options.suspectTimeoutMs) stalled(link);
		} else if (
			transmissions.orderAt(transmissions.counted) < evidence &&
			now - transmissions.timeAt(transmissions.counted) >= roundTrip.copyAfterMs
		) {
			link.suspectSince = now;
			this.suspicions++;
			suspected(link);
		}
	}

	#copyAll(evidence: number, before: number): void {
		const { pacing } = this.#setup;
		let mayTrickle = true;
		for (;;) {
			const found = this.#nextCopy(evidence, before);
			if (!found) return;
			if (!pacing.allows) {
				if (!mayTrickle) return;
				mayTrickle = false;
				pacing.trickle();
				if (!pacing.allows) return;
			}
			this.#copy(found);
		}
	}

	/** The lowest segment that is to be copied and can be: it is the one that others wait for. */
	#nextCopy(evidence: number, before: number): Copy | undefined {
		let lowest: Copy | undefined;
		for (const link of this.#setup.links.up) {
			const copy = this.#overdue(link, evidence, before);
			if (copy && (!lowest || copy.segment.seq < lowest.segment.seq)) lowest = copy;
		}
		return lowest;
	}

	/** The first segment that a link holds up, past which something was acknowledged, and a link that it was not on. */
	#overdue(link: SessionLink, evidence: number, before: number): Copy | undefined {
		const { transmissions } = link;
		link.looked = Math.max(link.looked, transmissions.counted);
		let isAside = false;
		for (let place = link.looked; place < transmissions.sent; place++) {
			if (transmissions.orderAt(place) >= evidence || transmissions.timeAt(place) > before) return undefined;
			const segment = this.#setup.sending.kept(transmissions.seqAt(place));
			if (segment && !segment.isAcked && segment.carrier === link) {
				const to = this.#linkFor(segment);
				if (to) return { segment, to };
				isAside = true;
			} else if (!isAside) {
				link.looked = place + 1;
			}
		}
		return undefined;
	}

	/** Nothing was acknowledged for a while: the oldest segment goes on one more link, to find out whose fault it is. */
	#probe(now: number): void {
		const { sending, roundTrip } = this.#setup;
		const { oldest } = sending;
		if (!oldest || oldest.isAcked || !oldest.carrier) return;
		if (now - Math.max(oldest.sentAt, sending.countedAt) < roundTrip.probeAfterMs) return;
		const to = this.#linkFor(oldest);
		if (to) this.#copy({ segment: oldest, to });
	}

	#linkFor(segment: Outgoing): SessionLink | undefined {
		return this.#setup.links.nextBeside(segment.carriers ?? [segment.carrier as SessionLink]);
	}

	#copy({ segment, to }: Copy): void {
		this.copies++;
		this.#setup.pacing.spend(costOf(segment.frames));
		segment.carriers ??= [segment.carrier as SessionLink];
		this.#setup.sending.transmit(segment, to);
	}
}
