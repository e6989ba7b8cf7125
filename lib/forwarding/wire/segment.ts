import { LengthSplitter } from "../../protocols/index.js";
import { type Acks, type DataSegment, readAcks, writeAcks } from "./acks.js";
import { ByteReader } from "./byte-reader.js";
import { ByteWriter, varintSize } from "./byte-writer.js";
import { type Hello, readHello, writeHello } from "./hello.js";
import { MAX_SEGMENT_BYTES, tooLarge, violation } from "./limits.js";

/** Kinds of segments on the wire. */
export const SegmentKind = { Ping: 0, Hello: 1, Data: 2, Ack: 3, Bye: 4 } as const;
export type SegmentKind = (typeof SegmentKind)[keyof typeof SegmentKind];

/** Why a link is over (BYE). A code that is not known is as good as `Done`. */
export const ByeCode = {
	/** The end that sends it stops, or wants this link no longer. */
	Done: 0,
	/** The peer broke the protocol. */
	Violation: 1,
	/** There is no version that both ends speak. */
	Version: 2,
	/** The session of this link is over. */
	SessionOver: 3,
} as const;

/** What one link carries, one after the other. */
export type Segment =
	| { readonly kind: "ping" }
	| { readonly kind: "hello"; readonly hello: Hello }
	| { readonly kind: "data"; readonly data: DataSegment }
	| { readonly kind: "ack"; readonly acks: Acks }
	| { readonly kind: "bye"; readonly code: number; readonly text: string };

const PING: Segment = { kind: "ping" };
const PREFIX_BYTES: number = varintSize(MAX_SEGMENT_BYTES);

/**
 * Cuts what comes over a link into segments: bytes go in at any boundary, whole segments come out. Bodies are views of
 * the bytes that were pushed. After an error the link cannot be read any further: the same error comes again.
 */
export class SegmentReader {
	readonly #splitter = new LengthSplitter(MAX_SEGMENT_BYTES + PREFIX_BYTES, { shortestPrefix: true });
	readonly #reader = new ByteReader();
	#failure: Error | undefined;

	/** Adds bytes; they must not be changed afterwards. */
	push(chunk: Buffer): void {
		this.#splitter.push(chunk);
	}

	/**
	 * The next segment; undefined where more bytes are needed. Segments of a kind that is not known are passed over.
	 * @throws TrunklineError ERR_LINK_PROTOCOL
	 */
	next(): Segment | undefined {
		if (this.#failure) throw this.#failure;
		try {
			return this.#next();
		} catch (thrown) {
			this.#failure = thrown as Error;
			throw thrown;
		}
	}

	#next(): Segment | undefined {
		for (let bytes = this.#record(); bytes; bytes = this.#record()) {
			this.#reader.reset(bytes);
			const segment = readSegment(this.#reader);
			if (segment) return segment;
		}
		return undefined;
	}

	#record(): Buffer | undefined {
		try {
			return this.#splitter.next();
		} catch (cause) {
			throw violation(`the length of a segment cannot be read, or is above ${MAX_SEGMENT_BYTES}`, { cause });
		}
	}
}

function readSegment(reader: ByteReader): Segment | undefined {
	const kind = reader.byte();
	switch (kind) {
		case SegmentKind.Ping:
			return finished(reader, PING);
		case SegmentKind.Hello:
			return { kind: "hello", hello: readHello(reader.rest()) };
		case SegmentKind.Data:
			return { kind: "data", data: readData(reader) };
		case SegmentKind.Ack:
			return finished(reader, { kind: "ack", acks: readAcks(reader) });
		case SegmentKind.Bye:
			return finished(reader, { kind: "bye", code: reader.byte(), text: reader.text() });
		default:
			return undefined;
	}
}

function finished(reader: ByteReader, segment: Segment): Segment {
	reader.finish();
	return segment;
}

function readData(reader: ByteReader): DataSegment {
	const seq = reader.numberWithin(1, Number.MAX_SAFE_INTEGER, "the number of a segment");
	return { seq, acks: readAcks(reader), frames: reader.rest() };
}

const EMPTY: Buffer = Buffer.alloc(0);
const head: ByteWriter = new ByteWriter(256);

/** A PING; the same bytes each time. */
export const PING_SEGMENT: Buffer = Buffer.of(1, SegmentKind.Ping);

/** A HELLO with its length. */
export function writeHelloSegment(hello: Hello): Buffer {
	begin(SegmentKind.Hello);
	return joined(writeHello(hello));
}

/** A DATA segment with its length. @throws TrunklineError ERR_FORWARD_TOO_LARGE above 1 MiB. */
export function writeDataSegment(data: DataSegment): Buffer {
	begin(SegmentKind.Data);
	head.varint(data.seq);
	writeAcks(head, data.acks);
	return joined(data.frames);
}

/** An ACK with its length. */
export function writeAckSegment(acks: Acks): Buffer {
	begin(SegmentKind.Ack);
	writeAcks(head, acks);
	return joined(EMPTY);
}

/** A BYE with its length; `code` is one of {@link ByeCode}. */
export function writeByeSegment(code: number, text: string): Buffer {
	begin(SegmentKind.Bye);
	head.byte(code);
	head.text(text);
	return joined(EMPTY);
}

function begin(kind: SegmentKind): void {
	head.truncate(0);
	head.byte(kind);
}

/** One allocation for a whole segment. */
function joined(body: Buffer): Buffer {
	const length = head.length + body.length;
	if (length > MAX_SEGMENT_BYTES) throw tooLarge("A segment", MAX_SEGMENT_BYTES);
	const prefix = varintSize(length);
	const segment = Buffer.allocUnsafe(prefix + length);
	putPrefix(segment, length);
	head.copyTo(segment, prefix);
	body.copy(segment, prefix + head.length);
	return segment;
}

function putPrefix(segment: Buffer, length: number): void {
	let left = length;
	let at = 0;
	for (; left > 0x7f; left >>>= 7) segment[at++] = (left & 0x7f) | 0x80;
	segment[at] = left;
}
