import { TrunklineError } from "../../errors/index.js";
import type { RecordSplitter } from "../hub-protocol.js";
import { ByteQueue } from "./byte-queue.js";

/** Ends every record of a text protocol and the handshake's two messages (HubProtocol.md, "JSON encoding"). */
export const RECORD_SEPARATOR = 0x1e;

/** Cuts a stream at each 0x1E byte. */
export class TextSplitter implements RecordSplitter {
	readonly #queue = new ByteQueue();
	readonly #maxMessageBytes: number;
	#failure: TrunklineError | undefined;

	/**
	 * @param maxMessageBytes - the largest record with its separator: 32768 lets 32767 bytes and a separator pass, as
	 * measured on ASP.NET Core 10. May be `Infinity`.
	 */
	constructor(maxMessageBytes: number) {
		this.#maxMessageBytes = maxMessageBytes;
	}

	get pendingBytes(): number {
		return this.#queue.size;
	}

	push(chunk: Buffer): void {
		this.#queue.push(chunk);
	}

	next(): Buffer | undefined {
		if (this.#failure) throw this.#failure;
		const queue = this.#queue;
		for (let head = queue.head; head; head = queue.head) {
			const end = head.indexOf(RECORD_SEPARATOR, queue.at);
			const found = (end < 0 ? head.length : end) - queue.at;
			// The separator counts also while it is still to come.
			if (queue.gatheredBytes + found + 1 > this.#maxMessageBytes) throw this.#fail();
			if (end >= 0) {
				const record = queue.take(found);
				queue.skip(1);
				return record;
			}
			queue.gather(found);
		}
		return undefined;
	}

	rest(): Buffer {
		return this.#queue.rest();
	}

	#fail(): TrunklineError {
		this.#failure = new TrunklineError(
			"ERR_MESSAGE_TOO_LARGE",
			`A record is larger than the limit of ${this.#maxMessageBytes} bytes (separator included); raise the limit or send less at once.`,
		);
		return this.#failure;
	}
}
