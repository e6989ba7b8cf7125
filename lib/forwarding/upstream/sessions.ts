import type { AppSession } from "./app-session.js";
import { type Candidate, type PickFunction, rendezvous } from "./pick.js";

/** The sessions of an upstream, and which of them takes what. */
export class Sessions {
	readonly #pick: PickFunction;
	readonly #sessions = new Map<string, AppSession>();
	/** The owners of shared view models, by their roots: all clients of one meet at one instance. */
	readonly #owners = new Map<string, AppSession>();

	#generation = 0;

	constructor(pick: PickFunction) {
		this.#pick = pick;
	}

	get size(): number {
		return this.#sessions.size;
	}

	/** Counts how often sessions came and went. */
	get generation(): number {
		return this.#generation;
	}

	[Symbol.iterator](): Iterator<AppSession> {
		return this.#sessions.values();
	}

	get(name: string): AppSession | undefined {
		return this.#sessions.get(name);
	}

	add(session: AppSession): void {
		this.#sessions.set(session.name, session);
		this.changed();
	}

	remove(session: AppSession): void {
		if (this.#sessions.get(session.name) === session) this.#sessions.delete(session.name);
		this.changed();
	}

	/** Who is there has changed: owners are found anew. */
	changed(): void {
		this.#generation++;
		this.#owners.clear();
	}

	/** The instance for a client. */
	homeFor(connectionId: string): AppSession | undefined {
		return this.#choose(connectionId, this.#pick);
	}

	/** Whether view models of this type are shared by clients. */
	isShared(type: string): boolean {
		for (const session of this.#sessions.values()) if (session.sharedTypes.has(type)) return true;
		return false;
	}

	/** The instance that owns a shared view model. */
	ownerOf(root: string): AppSession | undefined {
		const known = this.#owners.get(root);
		if (known && !known.isOver && !known.isDraining) return known;
		// All proxies must agree, whatever each of them knows of the others.
		const owner = this.#choose(root, rendezvous);
		if (owner) this.#owners.set(root, owner);
		return owner;
	}

	/** Those that drain are chosen only where there is no other. */
	#choose(key: string, pick: PickFunction): AppSession | undefined {
		if (this.#sessions.size <= 1) return this.#sessions.values().next().value;
		const all = [...this.#sessions.values()];
		const staying = all.filter(({ isDraining }) => !isDraining);
		const candidates = (staying.length > 0 ? staying : all).map(candidateOf);
		return this.#sessions.get(pick(key, candidates)?.name ?? "") ?? staying[0];
	}
}

function candidateOf({ name, url, population, load, weight }: AppSession): Candidate {
	return { name, url, clients: population, delayMs: load?.delayMs ?? 0, weight };
}
