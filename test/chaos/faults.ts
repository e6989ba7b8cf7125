import type { Random } from "../fuzz/frames/random.js";
import type { Relay } from "./relay.js";
import type { Direction, RelayedConnection } from "./relayed-connection.js";

/** What can be done to links. */
export const FAULTS = [
	"one link is reset",
	"all links are reset",
	"a link is half-open",
	"a link stalls",
	"all links stall",
	"nobody is there",
] as const;

export type Fault = (typeof FAULTS)[number];

/** How often each comes: most faults hit one link. */
const BAG: readonly [Fault, ...Fault[]] = [
	"one link is reset",
	"one link is reset",
	"one link is reset",
	"one link is reset",
	"a link is half-open",
	"a link is half-open",
	"a link stalls",
	"a link stalls",
	"all links are reset",
	"all links stall",
	"nobody is there",
];

/** Longest stall, in milliseconds. */
const MOST_STALL_MS = 500;
/** Longest time for which nobody can connect; a session lives longer without links. */
const MOST_AWAY_MS = 2_000;
/** How long a link is half-open before it is reset, where its ends have not given it up. */
const MOST_HALF_OPEN_MS = 3_000;
/** Some links stay half-open until the ends find out by themselves. */
const LEFT_ALONE_MS = 20_000;
const HALVES: readonly [readonly Direction[], ...(readonly Direction[])[]] = [
	["up", "down"],
	["up"],
	["down"],
];

/** Does things to the links behind some relays, which follow from the seed of its random numbers. */
export class Faults {
	/** How often each fault was. */
	readonly counts = new Map<Fault, number>();
	readonly #relays: readonly [Relay, ...Relay[]];
	readonly #random: Random;
	readonly #pending = new Map<NodeJS.Timeout, () => void>();

	constructor(relays: readonly [Relay, ...Relay[]], random: Random) {
		this.#relays = relays;
		this.#random = random;
	}

	/** Faults so far. */
	get total(): number {
		return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
	}

	/** One more fault; what takes time goes on by itself. */
	strike(): Fault {
		const fault = this.#random.pick(BAG);
		this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
		this.#do(fault, this.#random.pick(this.#relays));
		return fault;
	}

	/** Ends all that lasts. */
	heal(): void {
		for (const [timer, end] of this.#pending) {
			clearTimeout(timer);
			end();
		}
		this.#pending.clear();
	}

	#do(fault: Fault, relay: Relay): void {
		const pick = this.#random.below(1_000) / 1_000;
		const one = relay.one(pick);
		switch (fault) {
			case "one link is reset":
				one?.cut();
				return;
			case "all links are reset":
				relay.cut();
				return;
			case "a link is half-open":
				this.#halfOpen(one);
				return;
			case "a link stalls":
				one?.stall(this.#random.below(MOST_STALL_MS));
				return;
			case "all links stall":
				relay.stall(this.#random.below(MOST_STALL_MS));
				return;
			case "nobody is there":
				this.#away(relay);
		}
	}

	#halfOpen(connection: RelayedConnection | undefined): void {
		connection?.halfOpen(...this.#random.pick(HALVES));
		const ms = this.#random.once(6) ? LEFT_ALONE_MS : this.#random.below(MOST_HALF_OPEN_MS);
		this.#later(ms, () => connection?.cut());
	}

	#away(relay: Relay): void {
		relay.off();
		relay.cut();
		this.#later(this.#random.below(MOST_AWAY_MS), () => relay.on());
	}

	#later(ms: number, end: () => void): void {
		const timer = setTimeout(() => {
			this.#pending.delete(timer);
			end();
		}, ms);
		this.#pending.set(timer, end);
	}
}
