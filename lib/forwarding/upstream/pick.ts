import { createHash } from "node:crypto";

/** An app-server instance that a client may be given to. */
export interface Candidate {
	/** The instance's name, the same at every proxy. */
	readonly name: string;
	/** The address by which it was reached first. */
	readonly url: string;
	/**
	 * Clients that it has: as it tells itself, so that several proxies agree, with those that this proxy has opened and
	 * closed there since. Those of this proxy before it has told.
	 */
	readonly clients: number;
	/** How late its event loop runs what is due, in milliseconds, smoothed: as it tells itself. 0 before it has. */
	readonly delayMs: number;
	readonly weight: number;
}

/** Chooses one of several candidates (one at least) for a key: a client's connection id, or the root of a shared view model. */
export type PickFunction = (key: string, candidates: readonly Candidate[]) => Candidate | undefined;

/** Strategies that have a name. */
export const PICK_NAMES = ["rendezvous", "round-robin", "random", "least-connections", "weighted"] as const;

/** How a client gets its app server. */
export type PickStrategy =
	| "rendezvous"
	| "round-robin"
	| "random"
	| "least-connections"
	| "weighted"
	| PickFunction;

/** A strategy, and whom it leaves out. */
export interface Picking {
	readonly strategy: PickStrategy;
	/** Delay of an event loop above which an instance gets no new client while another one is well, in milliseconds. */
	readonly maxDelayMs: number;
}

/** How clients of one address get theirs: it may lead to several instances, too. */
export const ALONE: Picking = { strategy: "rendezvous", maxDelayMs: Number.POSITIVE_INFINITY };

/** Strategies that give a client to whom they like: none is bound to an instance by its id. */
const SPARING: readonly PickStrategy[] = ["round-robin", "random", "least-connections"];

/** The function that chooses so; each has a count of its own. */
export function pickFunction({ strategy, maxDelayMs }: Picking): PickFunction {
	const pick = functionOf(strategy);
	if (!SPARING.includes(strategy)) return pick;
	return (key, candidates) => {
		const well = candidates.filter(({ delayMs }) => delayMs <= maxDelayMs);
		return pick(key, well.length > 0 ? well : candidates);
	};
}

function functionOf(strategy: PickStrategy): PickFunction {
	switch (strategy) {
		case "rendezvous":
			return (key, candidates) => best(candidates, (candidate) => hash(candidate.name, key));
		case "weighted":
			return (key, candidates) =>
				best(candidates, (candidate) => -candidate.weight / Math.log(hash(candidate.name, key)));
		case "least-connections":
			return (_key, candidates) => best(candidates, ({ clients }) => -clients);
		case "random":
			return (_key, candidates) => candidates[Math.floor(Math.random() * candidates.length)];
		case "round-robin":
			return roundRobin();
		default:
			return strategy;
	}
}

/**
 * Rendezvous hashing (Thaler and Ravishankar, 1996): each key has an order of all instances, the same at every proxy, and
 * gets the first that is there. One that comes or goes moves no more than its own keys.
 */
export const rendezvous: PickFunction = functionOf("rendezvous");

function roundRobin(): PickFunction {
	let next = 0;
	return (_key, candidates) => candidates[next++ % candidates.length];
}

/** A number above 0 and below 1. */
function hash(name: string, key: string): number {
	const digest = createHash("sha1").update(name).update("\n").update(key).digest();
	return (digest.readUIntBE(0, 6) + 1) / (2 ** 48 + 2);
}

function best(
	candidates: readonly Candidate[],
	weigh: (candidate: Candidate) => number,
): Candidate | undefined {
	let found: Candidate | undefined;
	let highest = Number.NEGATIVE_INFINITY;
	for (const candidate of candidates) {
		const weight = weigh(candidate);
		if (weight <= highest) continue;
		found = candidate;
		highest = weight;
	}
	return found;
}
