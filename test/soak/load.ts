// Clients: a process of its own, told by its parent how many and how long.
import { setMaxListeners } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { Random } from "../fuzz/frames/random.js";
import { negotiate } from "./carrier.js";
import { type Diary, KINDS, SoakClient } from "./client.js";
import { HUB_PATH, type Lives, type Request } from "./report.js";

const KEPT_FAULTS = 20;
/** They come one after another, 250 a second, and not all at once. */
const START_BATCH = 25;
const BATCH_MS = 100;

/** What all clients of this process went through. */
class SharedDiary implements Diary {
	readonly #connections: Record<string, number> = {};
	readonly #ends: Record<string, number> = {};
	readonly #work: Record<string, number> = {};
	readonly #faults = new Map<string, number>();

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
		if (this.#faults.size < KEPT_FAULTS || this.#faults.has(text))
			this.#faults.set(text, (this.#faults.get(text) ?? 0) + 1);
	}

	get lives(): Lives {
		const faults = [...this.#faults].map(([text, count]) => `${count} × ${text}`);
		return { connections: this.#connections, ends: this.#ends, work: this.#work, faults };
	}
}

async function live({ port, clients, seconds }: Request & { readonly kind: "live" }): Promise<Lives> {
	const address = { port, path: HUB_PATH };
	const { transports } = await negotiate(address);
	const names = Object.keys(KINDS) as (keyof typeof KINDS)[];
	const kinds = names.filter((name) => transports.includes(KINDS[name].transport));
	const diary = new SharedDiary();
	const stop = new AbortController();
	setMaxListeners(0, stop.signal);
	// The last ones take a while to come.
	const lives: Promise<void>[] = [];
	const end = performance.now() + seconds * 1_000;
	for (let index = 0; index < clients && performance.now() < end; index++) {
		const kind = kinds[index % kinds.length];
		if (kind === undefined) throw new Error("negotiate names no transport");
		const random = new Random(process.pid, index);
		lives.push(new SoakClient(kind, { address, random, diary, stopping: stop.signal }).live());
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
