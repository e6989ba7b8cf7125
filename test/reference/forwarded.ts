import { acceptLinks } from "../../lib/forwarding/index.js";
import { type RunningHub, startReferenceHub } from "./hub/reference-hub.js";
import { type Behind, SECRET, startProxy } from "./hub/reference-proxy.js";
import { COMBINATIONS, type Combination, type Subject } from "./subject.js";

/** Processes of a subject, in the order in which they start: app servers first, the clients' door last. */
type Start = (started: RunningHub[]) => Promise<void>;

/** Our hub, behind proxies that forward its clients over native links; all in this process. */
export class ForwardedSubject implements Subject {
	readonly name: string;
	readonly combinations: readonly Combination[] = COMBINATIONS;
	readonly #start: Start;
	readonly #running: RunningHub[] = [];

	constructor(name: string, start: Start) {
		this.name = name;
		this.#start = start;
	}

	get url(): string {
		return this.#running.at(-1)?.url ?? "";
	}

	async open(): Promise<void> {
		await this.#start(this.#running);
	}

	/** Proxies first: they have nobody to say good-bye to otherwise. */
	async close(): Promise<void> {
		for (const hub of this.#running.splice(0).reverse()) await hub.close();
	}

	another(): Subject {
		return new ForwardedSubject(this.name, this.#start);
	}

	deviates(): boolean {
		return true;
	}
}

const links = () => acceptLinks({ secrets: [SECRET] });

/** A proxy before the last one that was started, or before those that are named. */
async function proxy(started: RunningHub[], behind?: readonly Behind[], isBetween = false): Promise<void> {
	const last = started.at(-1)?.url ?? "";
	started.push(await startProxy(behind ?? [{ url: last }], isBetween ? links : undefined));
}

/** Calls of the other app server, which the contract never makes. */
const isOther = ({ target }: { readonly target: string }): boolean => target.startsWith("Other");

/** The set-ups that the contract runs in. */
export const FORWARDED: readonly ForwardedSubject[] = [
	new ForwardedSubject("Trunkline behind a proxy", async (started) => {
		started.push(await startReferenceHub(links));
		await proxy(started);
	}),
	new ForwardedSubject("Trunkline behind a chain of two proxies", async (started) => {
		started.push(await startReferenceHub(links));
		await proxy(started, undefined, true);
		await proxy(started);
	}),
	new ForwardedSubject("Trunkline and another behind a proxy", async (started) => {
		const [other, hub] = [await startReferenceHub(links), await startReferenceHub(links)];
		started.push(other, hub);
		await proxy(started, [{ url: other.url, options: { filter: isOther } }, { url: hub.url }]);
	}),
	new ForwardedSubject("another and Trunkline behind a proxy", async (started) => {
		const [other, hub] = [await startReferenceHub(links), await startReferenceHub(links)];
		started.push(other, hub);
		const options = { filter: (call: { readonly target: string }) => !isOther(call), open: "eager" } as const;
		await proxy(started, [{ url: hub.url, options }, { url: other.url }]);
	}),
];
