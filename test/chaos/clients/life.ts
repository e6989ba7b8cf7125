import type { Random } from "../../fuzz/frames/random.js";
import { codeOf, isNamed, LifeBook } from "../books/life-book.js";
import { ConnectionOver, HubClient, type ProtocolName } from "./hub-client.js";

/** Rounds between two pieces of other work. */
const ROUNDS_PER_WORK = 16;
const MOST_NOTES = 8;
const ITEMS = 10;
const NUMBERS: readonly number[] = Array.from({ length: ITEMS }, (_, at) => at);

/** How a connection is used. */
export interface LifeOptions {
	readonly url: string;
	readonly protocol: ProtocolName;
	readonly random: Random;
	/** Longest pause between two rounds, in milliseconds. */
	readonly pauseMs: number;
}

/** One connection of a client: sends numbered messages, checks what comes, and keeps the book of both. */
export class Life {
	readonly book: LifeBook;
	readonly #options: LifeOptions;
	readonly #outstanding = new Set<Promise<void>>();
	#client: HubClient | undefined;
	#rounds = 0;

	constructor(life: number, proxy: string, options: LifeOptions) {
		this.book = new LifeBook(life, proxy);
		this.#options = options;
	}

	/** The connection, where there is one. */
	get client(): HubClient | undefined {
		return this.#client;
	}

	/** Connects and says who it is. False where that did not work. */
	async begin(): Promise<boolean> {
		const { url, protocol } = this.#options;
		const { book } = this;
		try {
			const client = await HubClient.open(url, (target, args) => this.#told(target, args), protocol);
			this.#client = client;
			void client.ended.then((end) => {
				book.end = end;
				book.endedAt = performance.now();
			});
			book.connectionId = String(await client.invoke("hello", book.life));
			return true;
		} catch (error) {
			this.#failed(error);
			this.#client?.cut();
			return false;
		}
	}

	/** Sends until `isOver` says so, or the connection has ended; resolves when every answer has come. */
	async run(isOver: () => boolean): Promise<void> {
		while (!isOver() && !this.book.end) await this.#round();
		await Promise.all(this.#outstanding);
	}

	/** Calls that wait for their answers, awaited or not. */
	get outstanding(): number {
		return this.#outstanding.size;
	}

	/** Sends a numbered call without an answer. */
	note(): boolean {
		const { book } = this;
		if (!this.#client?.send("note", book.life, book.sent + 1)) return false;
		book.sent++;
		return true;
	}

	/** Sends a numbered call, and resolves when it is answered, in whatever way. */
	async echo(): Promise<void> {
		const { book } = this;
		const client = this.#client;
		if (!client || book.end) return;
		const number = ++book.sent;
		book.pending.add(number);
		try {
			const answer = await client.invoke("echo", book.life, number);
			book.answered++;
			if (answer !== number) book.wrong.push(`echo ${number} was answered with ${JSON.stringify(answer)}`);
		} catch (error) {
			if (error instanceof ConnectionOver) book.over.add(number);
			else book.rejected.set(number, codeOf((error as Error).message));
		}
		book.pending.delete(number);
	}

	async #round(): Promise<void> {
		const { random, pauseMs } = this.#options;
		this.#rounds++;
		for (let notes = random.below(MOST_NOTES); notes > 0; notes--) this.note();
		const echo = this.#kept(this.echo());
		if (this.#rounds % ROUNDS_PER_WORK === 0) void this.#kept(this.#work());
		if (!random.once(4)) await echo;
		await new Promise((resolve) => setTimeout(resolve, random.below(pauseMs)));
	}

	#kept(work: Promise<void>): Promise<void> {
		this.#outstanding.add(work);
		void work.then(() => this.#outstanding.delete(work));
		return work;
	}

	/** A stream of each kind, or a question of the server's. */
	async #work(): Promise<void> {
		const client = this.#client as HubClient;
		const total = NUMBERS.reduce((sum, number) => sum + number, 0);
		const doubled = NUMBERS.map((number) => number * 2);
		const works: [() => Promise<unknown>, unknown][] = [
			[() => client.stream("count", ITEMS), NUMBERS],
			[() => client.upload("sum", NUMBERS), total],
			[() => client.upload("double", NUMBERS, { isStream: true }), doubled],
			[() => client.invoke("ask", this.#rounds), this.#rounds],
		];
		const [work, wanted] = works[this.#options.random.below(works.length)] as (typeof works)[number];
		try {
			const found = JSON.stringify(await work());
			if (found === JSON.stringify(wanted)) this.book.works.done++;
			else this.book.works.wrong.push(`${found} came for ${JSON.stringify(wanted)}`);
		} catch (error) {
			this.#failed(error);
		}
	}

	#failed(error: unknown): void {
		const { works } = this.book;
		if (error instanceof ConnectionOver) {
			works.over++;
			return;
		}
		const code = codeOf((error as Error).message);
		if (isNamed(code)) works.refused.set(code, (works.refused.get(code) ?? 0) + 1);
		else works.wrong.push(code);
	}

	#told(target: string, args: readonly unknown[]): unknown {
		if (target === "asked") return args[0];
		const [incarnation = 0, number = 0] = args as readonly number[];
		if (target === "down") this.book.down(incarnation, number);
		else if (target === "tick") this.book.tick(incarnation, number);
		return undefined;
	}
}
