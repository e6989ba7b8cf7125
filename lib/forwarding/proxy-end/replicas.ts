import { countOption, durationOption, refuseUnknown } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import { PICK_NAMES, type PickStrategy } from "../upstream/pick.js";

/** How often a list that is a function is asked again, in milliseconds. */
export const DEFAULT_REPLICAS_REFRESH_MS = 5_000;

/** Delay of an app server's event loop above which it is spared, in milliseconds. */
export const DEFAULT_MAX_DELAY_MS = 70;

/** One of several equal app servers. */
export interface Replica {
	readonly url: string;
	/** Its share among the others, for the pick `weighted`. @defaultValue 1 */
	readonly weight?: number | undefined;
}

/** What {@link replicas} takes. */
export type ReplicaList = readonly (string | Replica)[];

/** Settings of {@link replicas}. */
export interface ReplicasOptions {
	/**
	 * How a new client gets its app server; it keeps that one for as long as both are there. Clients of a view model that
	 * is shared always meet at one, by rendezvous hashing of its id. @defaultValue "rendezvous"
	 */
	readonly pick?: PickStrategy | undefined;
	/**
	 * How late an app server's event loop may be, for longer than a moment, before `round-robin`, `random` and
	 * `least-connections` give it no new clients; they do where all are as late. Those that go by a client's id, and
	 * functions, are left alone. Much lower, and garbage collections decide. @defaultValue 70 ms
	 */
	readonly maxDelayMs?: number | undefined;
	/** How often a list that is a function is asked again. @defaultValue 5_000 ms */
	readonly refreshMs?: number | undefined;
}

const OPTIONS = ["pick", "maxDelayMs", "refreshMs"];

/** Several equal app servers, of which each client has one; see {@link replicas}. */
export class Replicas {
	readonly pick: PickStrategy;
	readonly maxDelayMs: number;
	/** Undefined where the list does not change. */
	readonly refreshMs: number | undefined;
	readonly #list: () => ReplicaList;

	/** Made by {@link replicas}. @internal */
	constructor(list: ReplicaList | (() => ReplicaList), options: ReplicasOptions) {
		this.#list = typeof list === "function" ? list : () => list;
		refuseUnknown(options, OPTIONS, { owner: "replicas", help: `it takes ${OPTIONS.join(", ")}.` });
		this.pick = pickOption(options.pick);
		this.maxDelayMs = durationOption("maxDelayMs", options.maxDelayMs, DEFAULT_MAX_DELAY_MS);
		const refreshMs = durationOption("refreshMs", options.refreshMs, DEFAULT_REPLICAS_REFRESH_MS);
		this.refreshMs = typeof list === "function" ? refreshMs : undefined;
		if (this.urls().length === 0 && typeof list !== "function")
			throw new TrunklineError("ERR_OPTION", "replicas needs one url at least; found none.");
	}

	/** The list as it is now, each url once. @throws TrunklineError ERR_OPTION */
	urls(): readonly { readonly url: string; readonly weight: number }[] {
		const seen = new Map<string, { readonly url: string; readonly weight: number }>();
		for (const entry of this.#list()) {
			const { url, weight } = typeof entry === "string" ? { url: entry, weight: 1 } : entry;
			seen.set(url, { url, weight: countOption("weight", weight, 1) });
		}
		return [...seen.values()];
	}
}

/**
 * Several equal app servers that share the clients: `useForwarding(replicas(["http://app1:5001", "http://app2:5001"]))`.
 * (A plain list of urls copies each message to all of them, as dotNetify does.) The list may be a function, which is
 * asked again every few seconds. One that is gone, or stops, hands its clients to the others.
 * @throws TrunklineError ERR_OPTION for an empty list, a bad weight or option.
 */
export function replicas(list: ReplicaList | (() => ReplicaList), options: ReplicasOptions = {}): Replicas {
	return new Replicas(list, options);
}

function pickOption(pick: PickStrategy = "rendezvous"): PickStrategy {
	if (typeof pick === "function" || PICK_NAMES.includes(pick)) return pick;
	const found = JSON.stringify(pick);
	const expected = `one of ${PICK_NAMES.join(", ")}, or a function`;
	throw new TrunklineError("ERR_OPTION", `Option "pick" must be ${expected}; found ${found}.`);
}
