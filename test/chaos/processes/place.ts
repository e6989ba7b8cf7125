import { Child } from "./child.js";
import { JournalReader } from "./journal.js";
import type { Facts, Happening, Question } from "./settings.js";

/** Incarnations of one place have numbers that follow one another; those of the next place begin here. */
const INCARNATIONS = 64;

/** What a place needs: which program, with which settings beside those that the place knows. */
export interface PlaceOptions {
	readonly program: "app-server" | "proxy";
	readonly index: number;
	/** Where its journal is. */
	readonly folder: string;
	readonly settings: object;
}

/** Where a process runs, dies, and is started again, on the same port. */
export class Place {
	/** `app-server1`, `proxy2`. */
	readonly name: string;
	/** What every process of this place has written down. */
	readonly journal: JournalReader;
	/** Incarnations that were killed. */
	readonly killed = new Set<number>();
	/** When a process was asked to end in order, and when it was gone, in milliseconds of `performance.now()`. */
	readonly stops: { readonly from: number; readonly to: number }[] = [];
	readonly #options: PlaceOptions;
	readonly #file: string;
	#incarnation: number;
	#port = 0;
	#child: Child | undefined;

	constructor(options: PlaceOptions) {
		this.#options = options;
		this.name = `${options.program}${options.index + 1}`;
		this.#file = `${options.folder}/${this.name}`;
		this.journal = new JournalReader(this.#file);
		this.#incarnation = options.index * INCARNATIONS;
	}

	/** Number of the process that runs, or ran last; no other place's process has it. */
	get incarnation(): number {
		return this.#incarnation;
	}

	/** The process as books name it. */
	get label(): string {
		return `${this.name}.${this.#incarnation}`;
	}

	get port(): number {
		return this.#port;
	}

	get url(): string {
		return `http://127.0.0.1:${this.#port}`;
	}

	/** @throws Error where it was never started */
	get child(): Child {
		if (!this.#child) throw new Error(`${this.name} was never started`);
		return this.#child;
	}

	get isAlive(): boolean {
		return this.#child?.isAlive === true;
	}

	/** Starts a process, again on the port of the one before; resolves when it listens. */
	async start(): Promise<void> {
		const { program, settings } = this.#options;
		const incarnation = ++this.#incarnation;
		const own = { port: this.#port, journal: this.#file, incarnation };
		this.#child = await Child.start(program, { ...settings, ...own });
		this.#port = await this.#child.port;
	}

	/** Ends the process without a word; resolves when it is gone. */
	async kill(): Promise<void> {
		this.killed.add(this.#incarnation);
		await this.#child?.kill();
	}

	/** Asks the process to end in order; resolves with its exit code. */
	async stop(): Promise<number | NodeJS.Signals> {
		const stop = { from: performance.now(), to: Number.POSITIVE_INFINITY };
		this.stops.push(stop);
		const how = await this.child.stop();
		// Clients may hear of it a little later.
		stop.to = performance.now() + 1_000;
		return how;
	}

	ask(question: Question): Promise<Facts> {
		return this.child.ask(question);
	}

	/** Everything of one sort that was written down, as `pick` finds it. */
	told<T>(pick: (happening: Happening) => T | undefined): T[] {
		return this.journal.happenings().flatMap((happening) => pick(happening) ?? []);
	}

	/** Ends whatever is left. */
	async close(): Promise<void> {
		await this.#child?.kill();
		this.journal.close();
	}
}
