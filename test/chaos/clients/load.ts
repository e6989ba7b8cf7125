import { setTimeout as wait } from "node:timers/promises";
import { Random } from "../../fuzz/frames/random.js";
import type { LifeBook } from "../books/life-book.js";
import { until } from "../until.js";
import type { ProtocolName } from "./hub-client.js";
import { Life } from "./life.js";

/** Lives of one client have numbers that follow one another. */
const LIVES_PER_CLIENT = 10_000;
const RECONNECT_MS = 100;

/** A process that clients connect to. */
export interface Door {
	/** `place.incarnation` */
	readonly name: string;
	readonly url: string;
}

/** What clients do. */
export interface LoadOptions {
	/** The doors that are there; a client takes the next one each time it connects. */
	readonly doors: () => readonly Door[];
	readonly clients: number;
	/** Number of the first client; those of two loads on one stage must differ. @defaultValue 0 */
	readonly first?: number;
	readonly seed: number;
	/** Longest pause between two rounds of a client, in milliseconds. @defaultValue 20 */
	readonly pauseMs?: number;
	/** What clients speak. @defaultValue json and messagepack in turn */
	readonly protocols?: readonly ProtocolName[];
}

/** Clients that send numbered messages, come back when their connection ends, and keep books. */
export class Load {
	/** Every connection that there was. */
	readonly lives: Life[] = [];
	readonly #options: LoadOptions;
	#loops: Promise<void>[] = [];
	#isStopping = false;
	/** Clients that were connected once. */
	readonly #arrived = new Set<number>();

	constructor(options: LoadOptions) {
		this.#options = options;
	}

	/** Starts all clients; resolves when each is connected. */
	async start(): Promise<void> {
		const { clients, first = 0 } = this.#options;
		this.#loops = Array.from({ length: clients }, (_, at) => this.#client(first + at));
		await until(() => this.#arrived.size === clients);
	}

	/** Messages sent and received so far. */
	get messages(): number {
		let total = this.numbered;
		for (const { book } of this.lives) for (const { count } of book.ticks.values()) total += count;
		return total;
	}

	/** The same without those to everyone, which never end. */
	get numbered(): number {
		let total = 0;
		for (const { book } of this.lives) {
			total += book.sent + book.answered;
			for (const { count } of book.downs.values()) total += count;
		}
		return total;
	}

	get books(): readonly LifeBook[] {
		return this.lives.map(({ book }) => book);
	}

	/** Those whose connection is there. */
	get open(): readonly Life[] {
		return this.lives.filter(({ book }) => book.connectionId !== "" && !book.end);
	}

	/** Sends no more; resolves when every call is answered, or after `timeoutMs`. Connections stay. */
	async stop(timeoutMs = 30_000): Promise<void> {
		this.#isStopping = true;
		const late = new AbortController();
		await Promise.race([
			Promise.all(this.#loops),
			wait(timeoutMs, undefined, { signal: late.signal }).catch(() => undefined),
		]);
		late.abort();
	}

	/** Ends all connections. */
	async leave(): Promise<void> {
		this.#isStopping = true;
		await Promise.all(this.lives.map(({ client }) => client?.leave()));
	}

	async #client(index: number): Promise<void> {
		const { seed, protocols = ["json", "messagepack"], pauseMs = 20 } = this.#options;
		const protocol = protocols[index % protocols.length] ?? "json";
		for (let at = 0; !this.#isStopping; at++) {
			const life = this.#life(index, at, { protocol, pauseMs, random: new Random(seed, index, at) });
			if (life && (await life.begin())) {
				this.#arrived.add(index);
				await life.run(() => this.#isStopping);
			}
			if (!this.#isStopping) await wait(RECONNECT_MS);
		}
	}

	#life(
		index: number,
		at: number,
		how: { readonly protocol: ProtocolName; readonly pauseMs: number; readonly random: Random },
	): Life | undefined {
		const doors = this.#options.doors();
		const door = doors[(index + at) % Math.max(1, doors.length)];
		if (!door) return undefined;
		const life = new Life(index * LIVES_PER_CLIENT + at + 1, door.name, { ...how, url: door.url });
		this.lives.push(life);
		return life;
	}
}
