import type { Log } from "../../base/index.js";
import { HubException, TrunklineError } from "../../errors/index.js";
import type { CallFailure, HubObserver } from "./observer.js";

/** What happened: a member of {@link HubObserver}. */
export type Observed = keyof HubObserver;

/** What an observer hears of it. */
export type FactsOf<Name extends Observed> = Parameters<NonNullable<HubObserver[Name]>>[0];

type Told<Name extends Observed> = { readonly [Key in Name]?: (facts: FactsOf<Name>) => unknown };

/** Something that is observed, or is not: then nothing has to be measured either. */
export interface Watched {
	readonly observation?: Observation | undefined;
}

/** The observers of a hub; made with the first one, and gone with the last. */
export class Observation {
	readonly #log: Log;
	readonly #complained = new WeakSet<HubObserver>();
	#observers: readonly HubObserver[] = [];

	constructor(log: Log) {
		this.#log = log;
	}

	get size(): number {
		return this.#observers.length;
	}

	add(observer: HubObserver): void {
		this.#observers = [...this.#observers, observer];
	}

	/** Takes an observer off; one that was given twice once. */
	remove(observer: HubObserver): void {
		const at = this.#observers.lastIndexOf(observer);
		if (at >= 0) this.#observers = this.#observers.toSpliced(at, 1);
	}

	/** Tells everybody. Never throws. */
	tell<Name extends Observed>(name: Name, facts: FactsOf<Name>): void {
		for (const observer of this.#observers) {
			try {
				const told = (observer as Told<Name>)[name]?.(facts);
				if (told instanceof Promise) told.catch((cause) => this.#failed(observer, name, cause));
			} catch (cause) {
				this.#failed(observer, name, cause);
			}
		}
	}

	#failed(observer: HubObserver, name: Observed, cause: unknown): void {
		if (this.#complained.has(observer)) return;
		this.#complained.add(observer);
		this.#log.error({ err: cause, member: name }, "An observer failed; more failures of it are not logged.");
	}
}

/** What an observer is told of something that was thrown. */
export function failureOf(thrown: unknown): CallFailure {
	if (thrown instanceof TrunklineError) return thrown.code;
	return thrown instanceof HubException ? "HubException" : "Error";
}
