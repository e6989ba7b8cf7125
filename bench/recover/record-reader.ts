import { type PieceCounter, RECORD_SEPARATOR } from "../load/frames.js";

/** Hands over each record of the JSON hub protocol, which must be ASCII. */
export class RecordReader implements PieceCounter {
	readonly #take: (record: string) => void;
	#rest = "";

	constructor(take: (record: string) => void) {
		this.#take = take;
	}

	count(bytes: Buffer, from: number, to: number): number {
		let records = 0;
		let at = from;
		for (;;) {
			const end = bytes.indexOf(RECORD_SEPARATOR, at);
			if (end < 0 || end >= to) break;
			const record = this.#rest + bytes.toString("latin1", at, end);
			this.#rest = "";
			this.#take(record);
			records++;
			at = end + 1;
		}
		this.#rest += bytes.toString("latin1", at, to);
		return records;
	}
}
