import { createHash } from "node:crypto";

/** An app-server instance that a client may be given to. */
export interface Candidate {
	/** The instance's name, the same at every proxy. */
	readonly name: string;
	/** The address by which it was reached first. */
	readonly url: string;
	/** Clients of this proxy that it has. */
	readonly clients: number;
	readonly weight: number;
}

/** Chooses one of several candidates (one at least) for a key: a client's connection id, or the root of a shared view model. */
export type PickFunction = (key: string, candidates: readonly Candidate[]) => Candidate | undefined;

/** How a client gets its app server. */
export type PickStrategy =
	| "rendezvous"
	| "round-robin"
	| "random"
	| "least-connections"
	| "weighted"
	| PickFunction;

/** The function behind a strategy's name; each call has a count of its own. */
export function pickFunction(strategy: PickStrategy): PickFunction {
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
export const rendezvous: PickFunction = pickFunction("rendezvous");

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
