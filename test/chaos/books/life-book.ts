import type { End } from "../clients/hub-client.js";
import { Sequence } from "./sequence.js";

/** What became of work that is not numbered: streams, uploads, questions to the client. */
export interface Works {
	done: number;
	/** Failed with a named error, by its code. */
	readonly refused: Map<string, number>;
	/** The connection ended first. */
	over: number;
	/** Ended otherwise: a wrong answer, or an error without a name. */
	readonly wrong: string[];
}

/** What one connection of a client sent and received. */
export class LifeBook {
	readonly life: number;
	/** The proxy process that it was made to, as `place.incarnation`. */
	readonly proxy: string;
	connectionId = "";
	/** Numbered messages sent: calls without an answer (notes), and calls with one (echoes). */
	sent = 0;
	answered = 0;
	/** Calls that were answered with an error, by their number: its code, or its text where it has none. */
	readonly rejected = new Map<number, string>();
	/** Calls that were not answered when the connection ended. */
	readonly over = new Set<number>();
	/** Calls that are not answered yet. */
	readonly pending = new Set<number>();
	/** Answers that were not what was asked for. */
	readonly wrong: string[] = [];
	/** What the app server sent, by its incarnation. */
	readonly downs = new Map<number, Sequence>();
	/** What it sent to everyone, by its incarnation. */
	readonly ticks = new Map<number, Sequence>();
	readonly works: Works = { done: 0, refused: new Map(), over: 0, wrong: [] };
	end: End | undefined;
	/** When it ended, in milliseconds of `performance.now()`. */
	endedAt = 0;

	constructor(life: number, proxy: string) {
		this.life = life;
		this.proxy = proxy;
	}

	/** Whether a number is that of a call with an answer, which has not come. */
	isUnanswered(number: number): boolean {
		return this.pending.has(number) || this.over.has(number) || this.rejected.has(number);
	}

	/** Whether it lasted until the client left. */
	get isWhole(): boolean {
		return this.end === undefined || this.end.how === "left";
	}

	down(incarnation: number, number: number): void {
		sequenceOf(this.downs, incarnation, 1).take(number);
	}

	/** Those before the first one were not for it. */
	tick(incarnation: number, number: number): void {
		sequenceOf(this.ticks, incarnation, number).take(number);
	}
}

function sequenceOf(sequences: Map<number, Sequence>, key: number, first: number): Sequence {
	let sequence = sequences.get(key);
	if (!sequence) {
		sequence = new Sequence(first);
		sequences.set(key, sequence);
	}
	return sequence;
}

/** The code in an error's text, or the text. */
export function codeOf(text: string): string {
	return /\bERR_[A-Z_]+/.exec(text)?.[0] ?? text;
}

/** Whether what {@link codeOf} found is a code. */
export function isNamed(code: string): boolean {
	return code.startsWith("ERR_");
}
