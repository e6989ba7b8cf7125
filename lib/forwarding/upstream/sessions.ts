import { createHash } from "node:crypto";
import type { AppSession } from "./app-session.js";

/** Chooses one of several equal app servers for a key; called with one at least. */
export type Pick = (key: string, sessions: readonly AppSession[]) => AppSession | undefined;

/**
 * Rendezvous hashing: each key has an order of all instances, the same at every proxy, and gets the first that is there.
 * One that comes or goes moves no more than its own keys.
 */
export function rendezvous(key: string, sessions: readonly AppSession[]): AppSession | undefined {
	let best: AppSession | undefined;
	let highest = "";
	for (const session of sessions) {
		const weight = createHash("sha1").update(session.name).update("\n").update(key).digest("hex");
		if (best && weight <= highest) continue;
		best = session;
		highest = weight;
	}
	return best;
}

/** The sessions of an upstream, and which of them takes what. */
export class Sessions {
	readonly #pick: Pick;
	readonly #sessions = new Map<string, AppSession>();
	/** The owners of shared view models, by their roots: all clients of one meet at one instance. */
	readonly #owners = new Map<string, AppSession>();

	constructor(pick: Pick) {
		this.#pick = pick;
	}

	get size(): number {
		return this.#sessions.size;
	}

	[Symbol.iterator](): Iterator<AppSession> {
		return this.#sessions.values();
	}

	get(name: string): AppSession | undefined {
		return this.#sessions.get(name);
	}

	add(session: AppSession): void {
		this.#sessions.set(session.name, session);
	}

	remove(session: AppSession): void {
		if (this.#sessions.get(session.name) === session) this.#sessions.delete(session.name);
		this.forsake(session);
	}

	/** A session owns no shared view model any more. */
	forsake(session: AppSession): void {
		for (const [root, owner] of this.#owners) if (owner === session) this.#owners.delete(root);
	}

	/** The instance for a client. */
	homeFor(connectionId: string): AppSession | undefined {
		return this.#choose(connectionId);
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
		const owner = this.#choose(root);
		if (owner) this.#owners.set(root, owner);
		return owner;
	}

	/** Those that drain are chosen only where there is no other. */
	#choose(key: string): AppSession | undefined {
		if (this.#sessions.size <= 1) return this.#sessions.values().next().value;
		const all = [...this.#sessions.values()];
		const staying = all.filter(({ isDraining }) => !isDraining);
		return this.#pick(key, staying.length > 0 ? staying : all);
	}
}
