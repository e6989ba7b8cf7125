import { DEVIATIONS, type DeviationName } from "./deviations.js";
import { type RunningHub, startReferenceHub } from "./hub/reference-hub.js";
import { COMBINATIONS, type Combination, type Subject } from "./subject.js";

/** Our hub, in this process. */
export class TrunklineSubject implements Subject {
	readonly name = "Trunkline";
	readonly combinations: readonly Combination[] = COMBINATIONS;
	#running: RunningHub | undefined;

	get url(): string {
		return this.#running?.url ?? "";
	}

	async open(): Promise<void> {
		this.#running = await startReferenceHub();
	}

	async close(): Promise<void> {
		await this.#running?.close();
	}

	another(): Subject {
		return new TrunklineSubject();
	}

	deviates(name: DeviationName): boolean {
		return name in DEVIATIONS;
	}
}
