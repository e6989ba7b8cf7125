import { type ErrorCode, TrunklineError } from "../../errors/index.js";
import type { RecordSplitter } from "../hub-protocol.js";
import { ByteQueue } from "./byte-queue.js";

const MAX_PREFIX_BYTES = 5;
const MAX_LENGTH = 0x7fffffff;
const EMPTY: Buffer = Buffer.alloc(0);

/** The length prefix of a binary record: LEB128, seven bits a byte, lowest first (HubProtocol.md, "MessagePack"). */
export function writeLengthPrefix(length: number): Buffer {
	const bytes: number[] = [];
	let left = length;
	while (left > 0x7f) {
		bytes.push((left & 0x7f) | 0x80);
		left = Math.floor(left / 0x80);
	}
	bytes.push(left);
	return Buffer.from(bytes);
}

/** What a {@link LengthSplitter} asks of the peer beside what SignalR does. */
export interface LengthSplitterOptions {
	/** Refuses a prefix that is longer than its length needs. @defaultValue false */
	readonly shortestPrefix?: boolean;
}

/** Cuts a stream of records that each begin with their length. */
export class LengthSplitter implements RecordSplitter {
	readonly #queue = new ByteQueue();
	readonly #maxMessageBytes: number;
	readonly #shortestPrefix: boolean;
	#failure: TrunklineError | undefined;
	/** Bytes of a prefix that has not ended yet. */
	#prefix: number[] = [];
	/** Length of the record at hand, once its prefix has ended. */
	#length: number | undefined;

	/**
	 * @param maxMessageBytes - the largest record with its length prefix (ASP.NET Core counts the framing of binary
	 * records as it counts the separator of text). May be `Infinity`: then the prefix's own maximum of 2 GiB is left.
	 */
	constructor(maxMessageBytes: number, { shortestPrefix = false }: LengthSplitterOptions = {}) {
		this.#maxMessageBytes = maxMessageBytes;
		this.#shortestPrefix = shortestPrefix;
	}

	get pendingBytes(): number {
		return this.#queue.size + this.#prefix.length;
	}

	push(chunk: Buffer): void {
		this.#queue.push(chunk);
	}

	next(): Buffer | undefined {
		if (this.#failure) throw this.#failure;
		this.#length ??= this.#readPrefix();
		if (this.#length === undefined) return undefined;
		return this.#length === 0 ? this.#end(EMPTY) : this.#readBody(this.#length);
	}

	rest(): Buffer {
		const prefix = Buffer.from(this.#prefix);
		this.#end(EMPTY);
		return Buffer.concat([prefix, this.#queue.rest()]);
	}

	#readBody(length: number): Buffer | undefined {
		const queue = this.#queue;
		for (let head = queue.head; head; head = queue.head) {
			const missing = length - queue.gatheredBytes;
			const present = head.length - queue.at;
			if (present >= missing) return this.#end(queue.take(missing));
			queue.gather(present);
		}
		return undefined;
	}

	#end(record: Buffer): Buffer {
		this.#length = undefined;
		this.#prefix = [];
		return record;
	}

	#readPrefix(): number | undefined {
		const queue = this.#queue;
		for (let head = queue.head; head; head = queue.head) {
			const byte = head[queue.at] ?? 0;
			this.#prefix.push(byte);
			queue.skip(1);
			if (byte < 0x80) return this.#checkLength();
			if (this.#prefix.length === MAX_PREFIX_BYTES) throw this.#refuseLength();
		}
		return undefined;
	}

	#checkLength(): number {
		const length = this.#prefix.reduce((sum, byte, at) => sum + (byte & 0x7f) * 2 ** (7 * at), 0);
		if (length > MAX_LENGTH) throw this.#refuseLength();
		if (this.#shortestPrefix && this.#prefix.length > 1 && this.#prefix.at(-1) === 0)
			throw this.#fail("ERR_PROTOCOL", "The length prefix of a record is longer than it need be.");
		if (length + this.#prefix.length > this.#maxMessageBytes) {
			throw this.#fail(
				"ERR_MESSAGE_TOO_LARGE",
				`A record of ${length} bytes is larger than the limit of ${this.#maxMessageBytes} bytes (length prefix included); raise the limit or send less at once.`,
			);
		}
		return length;
	}

	#refuseLength(): TrunklineError {
		return this.#fail(
			"ERR_PROTOCOL",
			"The length prefix of a record is longer than five bytes or larger than 2147483647; the stream cannot be read any further.",
		);
	}

	#fail(code: ErrorCode, message: string): TrunklineError {
		this.#failure = new TrunklineError(code, message);
		return this.#failure;
	}
}
