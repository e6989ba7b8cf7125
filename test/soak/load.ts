// Clients: a process of its own, told by its parent how many and how long.
import { setMaxListeners } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { Random } from "../fuzz/frames/random.js";
import { negotiate } from "./clients/carrier.js";
import { type Diary, KINDS, SoakClient } from "./clients/client.js";
import { StatefulClient } from "./clients/stateful-client.js";
import { HUB_PATH, type Lives, type Request } from "./report.js";

const KEPT_FAULTS = 20;
/** They come one after another, 250 a second, and not all at once. */
const START_BATCH = 25;
const BATCH_MS = 100;

function note(texts: Map<string, number>, text: string): void {
	if (texts.size < KEPT_FAULTS || texts.has(text)) texts.set(text, (texts.get(text) ?? 0) + 1);
}

/** What all clients of this process went through. */
class SharedDiary implements Diary {
	readonly #connections: Record<string, number> = {};
	readonly #ends: Record<string, number> = {};
	readonly #work: Record<string, number> = {};
	readonly #faults = new Map<string, number>();
	readonly #notLetIn = new Map<string, number>();

	connected(kind: string): void {
		this.#connections[kind] = (this.#connections[kind] ?? 0) + 1;
	}

	ended(how: string): void {
		this.#ends[how] = (this.#ends[how] ?? 0) + 1;
	}

	worked(what: string): void {
		this.#work[what] = (this.#work[what] ?? 0) + 1;
	}

	fault(text: string): void {
		note(this.#faults, text);
	}

	notLetIn(text: string): void {
		note(this.#notLetIn, text);
	}

	get lives(): Lives {
		return {
			...{ connections: this.#connections, ends: this.#ends, work: this.#work },
			...{ faults: Object.fromEntries(this.#faults), notLetIn: Object.fromEntries(this.#notLetIn) },
		};
	}
}

async function live({ port, clients, seconds }: Request & { readonly kind: "live" }): Promise<Lives> {
	const address = { port, path: HUB_PATH };
	const { transports, isStateful } = await negotiate(address);
	const names = Object.keys(KINDS) as (keyof typeof KINDS)[];
	const kinds = [
		...names.filter((name) => transports.includes(KINDS[name].transport)),
		...(isStateful ? (["stateful"] as const) : []),
	];
	const diary = new SharedDiary();
	const stop = new AbortController();
	setMaxListeners(0, stop.signal);
	// The last ones take a while to come.
	const lives: Promise<void>[] = [];
	const end = performance.now() + seconds * 1_000;
	for (let index = 0; index < clients && performance.now() < end; index++) {
		const kind = kinds[index % kinds.length];
		if (kind === undefined) throw new Error("negotiate names no transport");
		const options = { address, diary, random: new Random(process.pid, index), stopping: stop.signal };
		const client = kind === "stateful" ? new StatefulClient(options) : new SoakClient(kind, options);
		lives.push(client.live());
		if (index % START_BATCH === START_BATCH - 1) await wait(BATCH_MS);
	}
	await wait(Math.max(0, end - performance.now()));
	stop.abort();
	await Promise.all(lives);
	return diary.lives;
}

process.on("disconnect", () => process.exit());
process.on("message", (request: Request) => {
	if (request.kind !== "live") return;
	live(request).then(
		(result) => process.send?.({ result }),
		(error: Error) => process.send?.({ error: error.stack ?? error.message }),
	);
});
process.send?.({ result: null });
