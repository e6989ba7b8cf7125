import type { SessionLink } from "./session-link.js";

/** Links that are gone of which a late ack may still speak. */
const MAX_RETIRED = 16;

/** The links of a session: those that are up, whose turn it is, and some that are gone. */
export class Links {
	readonly #byPlace: (SessionLink | undefined)[] = [];
	readonly #incarnations: (number | undefined)[] = [];
	readonly #retired: SessionLink[] = [];
	#up: readonly SessionLink[] = [];
	#turn = 0;

	/** Those that are up. */
	get up(): readonly SessionLink[] {
		return this.#up;
	}

	/** The last incarnation of a place, up or not; 0 where there was none. */
	lastIncarnation(place: number): number {
		return this.#incarnations[place] ?? 0;
	}

	add(link: SessionLink): void {
		const { link: place, incarnation } = link.port;
		this.#byPlace[place] = link;
		this.#incarnations[place] = incarnation;
		this.#up = [...this.#up, link];
	}

	/** Takes a link out; acks of it are still understood for a while. */
	remove(link: SessionLink): void {
		link.isUp = false;
		if (this.#byPlace[link.port.link] === link) this.#byPlace[link.port.link] = undefined;
		this.#up = this.#up.filter((other) => other !== link);
		if (link.transmissions.length === 0) return;
		this.#retired.push(link);
		if (this.#retired.length > MAX_RETIRED) this.#retired.shift();
	}

	/** The link that is up at a place. */
	at(place: number): SessionLink | undefined {
		return this.#byPlace[place];
	}

	/** A link that is up, or was. */
	find(place: number, incarnation: number): SessionLink | undefined {
		const link = this.#byPlace[place];
		if (link?.port.incarnation === incarnation) return link;
		return this.#retired.find(({ port }) => port.link === place && port.incarnation === incarnation);
	}

	/** Whose turn it is: the next one, round robin, that is not suspect; when all are, the last that gave a sign. */
	next(): SessionLink | undefined {
		const link = this.#nextHealthy();
		if (link) return link;
		let best: SessionLink | undefined;
		for (const suspect of this.#up) if (!best || suspect.countedAt > best.countedAt) best = suspect;
		return best;
	}

	/** The same for a copy of what went on `taken`; undefined where no other is healthy. */
	nextBeside(taken: readonly SessionLink[]): SessionLink | undefined {
		for (let tries = this.#up.length; tries > 0; tries--) {
			const link = this.#nextHealthy();
			if (!link || !taken.includes(link)) return link;
		}
		return undefined;
	}

	/** Forgets those that are gone. */
	clear(): void {
		this.#retired.length = 0;
	}

	#nextHealthy(): SessionLink | undefined {
		const up = this.#up;
		for (let tries = up.length; tries > 0; tries--) {
			this.#turn = this.#turn + 1 < up.length ? this.#turn + 1 : 0;
			const link = up[this.#turn] as SessionLink;
			if (!link.isSuspect) return link;
		}
		return undefined;
	}
}
