import { type RunningHub, startReferenceHub } from "./hub/reference-hub.js";
import { type Behind, links, OTHER, startOtherHub, startProxy } from "./hub/reference-proxy.js";
import { COMBINATIONS, type Combination, type Subject } from "./subject.js";

/** Our hub behind proxies that forward its clients over native links, all in this process. */
export class ForwardedSubject implements Subject {
	readonly name: string;
	readonly combinations: readonly Combination[] = COMBINATIONS;
	readonly #start: () => Promise<RunningHub[]>;
	/** App servers first; the last one is the clients' door. */
	#running: readonly RunningHub[] = [];

	constructor(name: string, start: () => Promise<RunningHub[]>) {
		this.name = name;
		this.#start = start;
	}

	get url(): string {
		return this.#running.at(-1)?.url ?? "";
	}

	async open(): Promise<void> {
		this.#running = await this.#start();
	}

	async close(): Promise<void> {
		for (const hub of [...this.#running].reverse()) await hub.close();
	}

	another(): Subject {
		return new ForwardedSubject(this.name, this.#start);
	}

	deviates(): boolean {
		return true;
	}
}

const isOther = ({ target }: { readonly target: string }): boolean => target.toLowerCase().startsWith(OTHER);

async function behindTwo(order: (hub: RunningHub, other: RunningHub) => Behind[]): Promise<RunningHub[]> {
	const [hub, other] = [await startReferenceHub(links), await startOtherHub()];
	return [hub, other, await startProxy(order(hub, other))];
}

export const behindProxy = new ForwardedSubject("Trunkline behind a proxy", async () => {
	const hub = await startReferenceHub(links);
	return [hub, await startProxy([hub])];
});

export const behindChain = new ForwardedSubject("Trunkline behind a chain of two proxies", async () => {
	const hub = await startReferenceHub(links);
	const inner = await startProxy([hub], links);
	return [hub, inner, await startProxy([inner])];
});

/** The filter takes what is for the other app server. */
export const besideFiltered = new ForwardedSubject("Trunkline beside an upstream with a filter", () =>
	behindTwo((hub, other) => [{ url: other.url, options: { filter: isOther } }, hub]),
);

/** The filter takes what is for this one. */
export const behindFilter = new ForwardedSubject("Trunkline behind a filter, beside another upstream", () =>
	behindTwo((hub, other) => [
		{ url: hub.url, options: { filter: (call) => !isOther(call), open: "eager" } },
		other,
	]),
);
