import type { Session } from "../../../../lib/forwarding/session/session.js";
import type { Greeting, LinkPort } from "../../../../lib/forwarding/session/terms.js";
import type { Acks } from "../../../../lib/forwarding/wire/acks.js";
import type { Random } from "../../../fuzz/frames/random.js";
import type { SimulatedClock } from "./simulated-clock.js";
import { Wire } from "./wire.js";

const RETRY_MS = 50;
const MAX_NOTICE_MS = 50;
/** Who is not told that a connection is gone gives it up after so long. */
const SILENCE_MS = 15_000;
/** Acks that are kept to be told again, much too late. */
const STALE_ACKS = 20;

/** Which end of a link: `a` connects, as a proxy does. */
export type Side = "a" | "b";

/** What stands at an end. */
export interface Ended {
	readonly session: Session;
	/** What should not have happened. */
	readonly faults: string[];
}

/** What joins two peers. */
export interface PoolSettings {
	readonly clock: SimulatedClock;
	readonly random: Random;
	readonly links: number;
	/** One way, in milliseconds: from, to. */
	readonly delayMs: readonly [number, number];
}

interface StaleAcks {
	readonly from: Side;
	readonly port: LinkPort;
	readonly acks: Acks;
}

/** The links between two peers: each place is connected anew when it was cut, as often as that happens. */
export class Pool {
	readonly settings: PoolSettings;
	readonly places: readonly Place[];
	readonly stale: StaleAcks[] = [];
	#peers: Readonly<Record<Side, Ended>> | undefined;
	/** No connection can be made. */
	isDown = false;

	constructor(settings: PoolSettings) {
		this.settings = settings;
		this.places = Array.from({ length: settings.links }, (_, place) => new Place(this, place));
	}

	get peers(): Readonly<Record<Side, Ended>> {
		if (!this.#peers) throw new Error("The pool was not started.");
		return this.#peers;
	}

	start(peers: Readonly<Record<Side, Ended>>): void {
		this.#peers = peers;
		for (const place of this.places) place.connect();
	}

	/** Cuts every link; no other is made until `isDown` is false. */
	goDown(): void {
		this.isDown = true;
		for (const place of this.places) place.cut();
	}

	/** Tells an old ack again. */
	repeatAcks(): void {
		const { random } = this.settings;
		const old = this.stale[random.below(this.stale.length)];
		if (!old) return;
		const { link, incarnation } = old.port;
		this.peers[old.from === "a" ? "b" : "a"].session.receiveAcks(link, incarnation, old.acks);
	}

	remember(acks: StaleAcks): void {
		if (!this.settings.random.once(10)) return;
		if (this.stale.length < STALE_ACKS) this.stale.push(acks);
		else this.stale[this.settings.random.below(STALE_ACKS)] = acks;
	}
}

/** One place of the pool. */
export class Place {
	readonly #pool: Pool;
	readonly #place: number;
	#incarnation = 0;
	#wires: Readonly<Record<Side, Wire>> | undefined;

	constructor(pool: Pool, place: number) {
		this.#pool = pool;
		this.#place = place;
	}

	/** The directions of the connection, named by who sends; undefined while there is none. */
	get wires(): Readonly<Record<Side, Wire>> | undefined {
		return this.#wires;
	}

	/** Connects, now or as soon as it can be done: HELLO there, HELLO back. */
	connect(): void {
		const { clock, random, delayMs } = this.#pool.settings;
		const { a, b } = this.#pool.peers;
		if (a.session.isOver || b.session.isOver) return;
		if (this.#pool.isDown) {
			clock.post(RETRY_MS, () => this.connect());
			return;
		}
		const [from, to] = delayMs;
		const delay = (): number => from + ((to - from) * random.below(1_000)) / 1_000;
		const wires = { a: new Wire(clock, delay), b: new Wire(clock, delay) };
		this.#wires = wires;
		const incarnation = ++this.#incarnation;
		const greeting = a.session.greeting();
		wires.a.send(() => {
			const answer = b.session.greeting();
			wires.b.send(() => this.#add("a", incarnation, { wire: wires.a, greeting: answer }));
			this.#add("b", incarnation, { wire: wires.b, greeting });
		});
	}

	/** Ends the connection; each end hears of it a little later, `b` perhaps only from the next HELLO, or from silence. */
	cut(incarnation = this.#incarnation): void {
		const wires = this.#wires;
		if (!wires || incarnation !== this.#incarnation) return;
		this.#wires = undefined;
		wires.a.close();
		wires.b.close();
		const { clock, random } = this.#pool.settings;
		const { a, b } = this.#pool.peers;
		clock.post(random.below(MAX_NOTICE_MS), () => {
			a.session.removeLink(this.#place, incarnation);
			clock.post(random.below(2 * MAX_NOTICE_MS), () => this.connect());
		});
		const noticeMs = random.once(4) ? SILENCE_MS : random.below(4 * MAX_NOTICE_MS);
		clock.post(noticeMs, () => b.session.removeLink(this.#place, incarnation));
	}

	#add(side: Side, incarnation: number, { wire, greeting }: { wire: Wire; greeting: Greeting }): void {
		const { a, b } = this.#pool.peers;
		const [near, far] = side === "a" ? [a, b] : [b, a];
		const link = this.#place;
		const port: LinkPort = {
			link,
			incarnation,
			send: (segment) => wire.send(() => far.session.receiveData(link, incarnation, segment)),
			sendAck: (acks) => {
				this.#pool.remember({ from: side, port, acks });
				wire.send(() => far.session.receiveAcks(link, incarnation, acks));
			},
		};
		const refusal = near.session.addLink(port, greeting);
		if (refusal && !near.session.isOver) near.faults.push(`${side} refused a link: ${refusal.message}`);
		if (refusal) this.cut(incarnation);
	}
}
