import type { ErrorCode, TrunklineError } from "../../errors/index.js";
import type { Hub, LinkFacts, LinkLoad, LinkSessionCounters } from "../../hub/index.js";
import type { SessionCounters, SessionEnd } from "../session/index.js";

/** What is wrong with a link that has to be closed. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
	"ERR_LINK_PROTOCOL",
	"ERR_LINK_STALLED",
	"ERR_LINK_REFUSED",
	"ERR_LINK_VERSION",
]);

/** A link from its beginning to its end, as it is counted and told. */
export class LinkLife {
	readonly #hub: Hub;
	readonly #facts: LinkFacts;
	readonly #since: number;
	#reason: "closed" | "lost" | "refused" = "lost";
	#code: ErrorCode | undefined;
	#isOver = false;

	/** The link is there. */
	constructor(hub: Hub, facts: LinkFacts) {
		this.#hub = hub;
		this.#facts = facts;
		this.#since = hub.clock.elapsed();
		hub.counters.add("links");
		hub.observation?.tell("linkUp", facts);
	}

	/** It ends in order, by either end. */
	closing(): void {
		if (this.#reason === "lost") this.#reason = "closed";
	}

	/** It is ended for this; what is no fault of a link's is an end in order. */
	failed(error: TrunklineError): void {
		if (this.#code !== undefined) return;
		if (!REFUSALS.has(error.code)) this.closing();
		else {
			this.#reason = "refused";
			this.#code = error.code;
		}
	}

	/** It is gone. */
	down(): void {
		if (this.#isOver) return;
		this.#isOver = true;
		this.#hub.counters.add("linksLost");
		const durationMs = this.#hub.clock.elapsed() - this.#since;
		const facts = { ...this.#facts, durationMs, reason: this.#reason, code: this.#code };
		this.#hub.observation?.tell("linkDown", facts);
	}
}

/** What a session has come to. */
export interface SessionStand {
	readonly clients: number;
	readonly counters: SessionCounters;
}

/** Counts of all sessions that are over. */
const SUMMED = [
	"sent",
	"resent",
	"copies",
	"received",
	"doubles",
	"early",
	"suspicions",
	"violations",
] as const;

/** A session from its beginning to its end, and the clients in it that are held. */
export class SessionLife {
	readonly facts: LinkFacts;
	readonly #hub: Hub;
	readonly #since: number;
	#held = 0;

	/** The session is opened. */
	constructor(hub: Hub, facts: LinkFacts) {
		this.#hub = hub;
		this.facts = facts;
		this.#since = hub.clock.elapsed();
		hub.counters.add("linkSessions");
		hub.observation?.tell("linkSessionOpened", facts);
	}

	/** Clients whose reading is held. */
	get held(): number {
		return this.#held;
	}

	/** A client is read no more. */
	hold(): void {
		this.#held++;
		this.#hub.counters.add("clientsHeld");
		this.#hub.observation?.tell("clientHeld", this.facts);
	}

	/** It is read again, or gone. */
	release(): void {
		this.#held--;
		this.#hub.observation?.tell("clientReleased", this.facts);
	}

	/** An app server tells how busy it is. */
	loaded(load: LinkLoad): void {
		this.#hub.observation?.tell("linkLoad", { ...this.facts, ...load });
	}

	/** An app server has handed a client over. */
	migrated(): void {
		this.#hub.counters.add("clientsMigrated");
		this.#hub.observation?.tell("clientMigrated", this.facts);
	}

	/** The session is over, with the clients that were in it; `error` where the peer broke what stands in order. */
	ended({ reason }: SessionEnd, error: TrunklineError | undefined, stand: SessionStand): void {
		const { counters } = this.#hub;
		const { clients } = stand;
		counters.add("linkSessionsLost");
		const told = countersOf(stand.counters);
		if (error?.code === "ERR_LINK_PROTOCOL") {
			counters.add("linkProtocolErrors");
			this.#hub.report({ code: error.code, reason: error.message });
		}
		for (const name of SUMMED) if (told[name] > 0) counters.add(`linkSegments.${name}`, told[name]);
		const durationMs = this.#hub.clock.elapsed() - this.#since;
		this.#hub.observation?.tell("linkSessionEnded", {
			...{ ...this.facts, durationMs, reason, clients },
			counters: told,
		});
	}
}

/** What is told of a session's counters. */
export function countersOf(all: SessionCounters): LinkSessionCounters {
	const { sent, resent, copies, received, doubles, early, suspicions, linksLost, violations } = all;
	const { keptBytes, waitingBytes, earlyBytes, roundTripMs } = all;
	return {
		...{ sent, resent, copies, received, doubles, early, suspicions, linksLost, violations },
		...{ keptBytes, waitingBytes, earlyBytes, roundTripMs },
	};
}

/** Opening the clients of a session anew that is over: told when all are open, or gone. */
export class Recovery {
	readonly #hub: Hub;
	readonly #facts: LinkFacts;
	readonly #since: number;
	#left: number;
	#gone = 0;
	readonly #clients: number;

	constructor(hub: Hub, facts: LinkFacts, clients: number) {
		this.#hub = hub;
		this.#facts = facts;
		this.#since = hub.clock.elapsed();
		this.#clients = clients;
		this.#left = clients;
	}

	/** One of them is open again. */
	opened(): void {
		this.#hub.counters.add("clientsReopened");
		this.#settled();
	}

	/** One of them has left. */
	left(): void {
		this.#gone++;
		this.#settled();
	}

	#settled(): void {
		this.#left--;
		if (this.#left > 0) return;
		const { counters, observation, clock } = this.#hub;
		counters.add("recoveries");
		const gone = this.#gone;
		const durationMs = clock.elapsed() - this.#since;
		observation?.tell("clientsRecovered", {
			...this.#facts,
			clients: this.#clients - gone,
			gone,
			durationMs,
		});
	}
}
