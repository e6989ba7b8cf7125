import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import type { Happening } from "./settings.js";

/** What an entry of an app server's journal is about. */
export const ENTRY = {
	/** A call without an answer came. */
	note: 1,
	/** A call with an answer came. */
	echo: 2,
	/** A message to one client is about to be sent. */
	down: 3,
	/** A message to everyone is about to be sent. */
	tick: 4,
} as const;

/** One thing that an app server did. */
export interface Entry {
	readonly kind: number;
	readonly incarnation: number;
	/** Whose it is: the number of a client's connection. */
	readonly life: number;
	/** Number of the message. */
	readonly seq: number;
}

const ENTRY_BYTES = 10;
const READ_BYTES = ENTRY_BYTES * 65_536;

/**
 * Writes down what a process sees: messages as entries of a few bytes, everything else as lines of JSON. Each is with
 * the operating system before anything else happens, so that it outlives a process that is killed.
 */
export class JournalWriter {
	readonly #entries: number;
	readonly #happenings: number;
	readonly #incarnation: number;
	readonly #entry = Buffer.alloc(ENTRY_BYTES);

	constructor(file: string, incarnation: number) {
		this.#entries = openSync(`${file}.entries`, "a");
		this.#happenings = openSync(`${file}.happenings`, "a");
		this.#incarnation = incarnation;
	}

	enter(kind: number, life: number, seq: number): void {
		this.#entry[0] = kind;
		this.#entry[1] = this.#incarnation;
		this.#entry.writeUInt32LE(life, 2);
		this.#entry.writeUInt32LE(seq, 6);
		writeSync(this.#entries, this.#entry);
	}

	tell(happening: Happening): void {
		writeSync(this.#happenings, `${JSON.stringify(happening)}\n`);
	}
}

/** Reads what a process has written down so far, and later what came since. */
export class JournalReader {
	readonly #file: string;
	#entries: number | undefined;
	readonly #bytes = Buffer.alloc(READ_BYTES);
	#rest = 0;

	constructor(file: string) {
		this.#file = file;
	}

	/** Hands over the entries that came since it was called last. */
	read(take: (entry: Entry) => void): void {
		this.#entries ??= openSync(`${this.#file}.entries`, "a+");
		for (;;) {
			const room = READ_BYTES - this.#rest;
			const length = this.#rest + readSync(this.#entries, this.#bytes, this.#rest, room, null);
			const whole = length - (length % ENTRY_BYTES);
			for (let at = 0; at < whole; at += ENTRY_BYTES) take(this.#entryAt(at));
			this.#bytes.copy(this.#bytes, 0, whole, length);
			this.#rest = length - whole;
			if (whole === 0) return;
		}
	}

	/** Everything that is no message, from the beginning. */
	happenings(): Happening[] {
		const lines = readFileSync(`${this.#file}.happenings`, { encoding: "utf8", flag: "a+" }).split("\n");
		return lines.slice(0, -1).map((line) => JSON.parse(line) as Happening);
	}

	close(): void {
		if (this.#entries !== undefined) closeSync(this.#entries);
	}

	#entryAt(at: number): Entry {
		const bytes = this.#bytes;
		return {
			kind: bytes[at] ?? 0,
			incarnation: bytes[at + 1] ?? 0,
			life: bytes.readUInt32LE(at + 2),
			seq: bytes.readUInt32LE(at + 6),
		};
	}
}
