import { moment } from "../subject/moment.js";
import type { CurrentViews } from "./job.js";

/** A whole state, and which view model's it is, as the hub writes them: JSON text within JSON. */
const STATE = /^\{"type":1,"target":"Response_VM","arguments":\[\["\w+\$(\d+)","(.*)"\]\]\}$/s;
const LIFE = /\\"Life\\":(\d+)/;

/** What all clients show: which process has made each view model, and since when that is so. */
export class ShownViews {
	readonly #viewsEach: number;
	/** By client and view model: the number of the process. 0 where nothing is shown yet. */
	readonly #lives: Uint32Array;
	/** Since when, in {@link moment}s. */
	readonly #since: Float64Array;
	#states = 0;
	#ended = 0;

	constructor(clients: number, viewsEach: number) {
		this.#viewsEach = viewsEach;
		this.#lives = new Uint32Array(clients * viewsEach);
		this.#since = new Float64Array(clients * viewsEach);
	}

	/** A record came for a client; what is no whole state is passed over. */
	take(client: number, record: string): void {
		const [, view, text = ""] = STATE.exec(record) ?? [];
		const [, life] = LIFE.exec(text) ?? [];
		if (view === undefined || life === undefined) return;
		const at = client * this.#viewsEach + Number(view);
		this.#states++;
		if (this.#lives[at] === Number(life)) return;
		this.#lives[at] = Number(life);
		this.#since[at] = moment();
	}

	/** A client's connection has ended. */
	end(): void {
		this.#ended++;
	}

	/** Clients whose connection has ended. */
	get ended(): number {
		return this.#ended;
	}

	/** Views that show anything. */
	get shown(): number {
		return this.#lives.reduce((count, life) => count + (life === 0 ? 0 : 1), 0);
	}

	/** Views that show what this process has made. */
	currentOf(life: number): number {
		return this.#lives.reduce((count, each) => count + (each === life ? 1 : 0), 0);
	}

	get size(): number {
		return this.#lives.length;
	}

	/** Counts states from here on. */
	clear(): void {
		this.#states = 0;
	}

	get current(): CurrentViews {
		const { firstAt, lastAt } = this.#since.reduce(
			(span, at) => ({ firstAt: Math.min(span.firstAt, at), lastAt: Math.max(span.lastAt, at) }),
			{ firstAt: Number.POSITIVE_INFINITY, lastAt: 0 },
		);
		return { firstAt, lastAt, states: this.#states, ended: this.#ended };
	}
}
