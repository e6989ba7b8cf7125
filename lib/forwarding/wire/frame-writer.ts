import { isCall, MessageType } from "../../protocols/index.js";
import { ByteWriter, varintSize } from "./byte-writer.js";
import {
	type AbortFrame,
	CLOSE_REASONS,
	FRAME_TYPES,
	type Frame,
	MORE_FOLLOWS,
	type OpenFrame,
	RECORD_HAS_ID,
	RECORD_IS_STATE,
	type RecordFrame,
	type SendFrame,
	STATE_KINDS,
	type StateMark,
} from "./frame.js";
import { MAX_BATCH_BYTES, MAX_CONTEXT_BYTES, MAX_FRAME_BYTES, tooLarge } from "./limits.js";
import { writeEncoding, writeRawMessage } from "./message-body.js";
import { writeSelection } from "./selection.js";

/** The largest body that is written in one piece: with type and length it fills a segment. */
const PART_BYTES: number = MAX_BATCH_BYTES - 1 - varintSize(MAX_BATCH_BYTES);
/** What the buffer keeps after a turn with large frames. */
const KEPT_BYTES: number = 2 * MAX_BATCH_BYTES;
/** Records for one client up to this size, all together, share a frame: their proxy passes them on as one. */
const JOINED_BYTES: number = 16 * 1_024 - 64;

/**
 * Gathers the frames of one turn of the event loop as the bytes of DATA segments, of at most 64 KiB each. A frame that is
 * larger is cut into parts. It takes whatever it is given: who writes watches {@link FrameWriter.bytes}.
 */
export class FrameWriter {
	readonly #bytes = new ByteWriter(4_096);
	#segments: Buffer[] = [];
	#segmentBytes = 0;
	/** Where the last whole frame ends; what stands behind it is a frame that could not be written. */
	#whole = 0;
	/** The last frame, where another record for its client may join it; its body begins at `#joinAt`. */
	#join: RecordFrame | undefined;
	#joinAt = 0;

	/** Bytes that wait to be taken. */
	get bytes(): number {
		return this.#segmentBytes + this.#whole;
	}

	/**
	 * Adds a frame. Where it throws, nothing of the frame was added.
	 * @throws TrunklineError ERR_FORWARD_TOO_LARGE for a frame, context, target, key or name above its limit;
	 * ERR_SERIALIZATION for a text that is not well formed.
	 */
	write(frame: Frame): void {
		if (frame.type === "record" && this.#joins(frame)) return;
		const bytes = this.#bytes;
		const type = FRAME_TYPES[frame.type];
		bytes.truncate(this.#whole);
		bytes.byte(type);
		const prefix = varintSize(sizeHint(frame));
		bytes.skip(prefix);
		const bodyAt = bytes.length;
		writeBody(bytes, frame);
		const length = bytes.length - bodyAt;
		if (length > PART_BYTES) this.#cut(type, bodyAt);
		else {
			const missing = varintSize(length) - prefix;
			if (missing !== 0) bytes.move(bodyAt, bodyAt + missing);
			bytes.varintAt(length, this.#whole + 1);
			if (bytes.length > MAX_BATCH_BYTES) this.#endSegment();
		}
		this.#whole = bytes.length;
		this.#join = frame.type === "record" && isJoinable(frame) ? frame : undefined;
		this.#joinAt = bytes.length - length;
	}

	/** Adds a record to the frame before it, if that is for the same client, and neither has anything else to say. */
	#joins(frame: RecordFrame): boolean {
		if (this.#join?.client !== frame.client || !isJoinable(frame)) return false;
		const bytes = this.#bytes;
		const former = this.#whole - this.#joinAt;
		const length = former + frame.record.length;
		if (length > JOINED_BYTES || this.#whole + frame.record.length >= MAX_BATCH_BYTES) return false;
		bytes.truncate(this.#whole);
		const lengthAt = this.#joinAt - varintSize(former);
		const shift = varintSize(length) - varintSize(former);
		if (shift > 0) bytes.move(this.#joinAt, this.#joinAt + shift);
		this.#joinAt += shift;
		bytes.varintAt(length, lengthAt);
		bytes.bytes(frame.record);
		this.#whole = bytes.length;
		return true;
	}

	/** Adds what {@link take} of another writer gave, of one frame: all of it, or the next piece. */
	append(piece: Buffer): void {
		const bytes = this.#bytes;
		bytes.truncate(this.#whole);
		bytes.bytes(piece);
		if (bytes.length > MAX_BATCH_BYTES) this.#endSegment();
		this.#whole = bytes.length;
		this.#join = undefined;
	}

	/** Takes out what was gathered: the frames of one DATA segment after the other. */
	take(): Buffer[] {
		const segments = this.#segments;
		if (this.#whole > 0) segments.push(this.#bytes.copy(0, this.#whole));
		this.#segments = [];
		this.#segmentBytes = 0;
		this.#whole = 0;
		this.#join = undefined;
		this.#bytes.shrink(KEPT_BYTES);
		return segments;
	}

	/** Ends the segment before the frame at hand, which then stands at the beginning. */
	#endSegment(): void {
		if (this.#whole === 0) return;
		this.#push(this.#bytes.copy(0, this.#whole));
		this.#bytes.move(this.#whole, 0);
		this.#whole = 0;
	}

	/** Cuts the frame at hand: all parts but the last become segments. */
	#cut(type: number, bodyAt: number): void {
		const bytes = this.#bytes;
		if (bytes.length - bodyAt > MAX_FRAME_BYTES) throw tooLarge("A message", MAX_FRAME_BYTES);
		let at = bodyAt - this.#whole;
		this.#endSegment();
		for (; bytes.length - at > PART_BYTES; at += PART_BYTES) {
			const part = new ByteWriter(MAX_BATCH_BYTES);
			part.byte(type | MORE_FOLLOWS);
			part.blob(bytes.view(at, at + PART_BYTES));
			this.#push(part.view(0, part.length));
		}
		const last = bytes.length - at;
		bytes.move(at, 1 + varintSize(last));
		bytes.byteAt(type, 0);
		bytes.varintAt(last, 1);
	}

	#push(segment: Buffer): void {
		this.#segments.push(segment);
		this.#segmentBytes += segment.length;
	}
}

/** A call of its client that nobody waits for, and that is no state: whoever passes it on has nothing to know of it. */
function isJoinable({ messageType, invocationId, state }: RecordFrame): boolean {
	return messageType === MessageType.Invocation && invocationId === undefined && !state;
}

/** About the size of a body: a right guess of its length's size saves moving it. */
function sizeHint(frame: Frame): number {
	if (frame.type === "record") return frame.record.length + 6;
	if (frame.type !== "message") return 0;
	const { message } = frame;
	return isCall(message) ? message.arguments.length + 6 : 0;
}

function writeBody(writer: ByteWriter, frame: Frame): void {
	switch (frame.type) {
		case "message":
			writer.varint(frame.client);
			writeRawMessage(writer, frame.message);
			break;
		case "record":
			writeRecord(writer, frame);
			break;
		case "send":
			writeSend(writer, frame);
			break;
		case "drain":
			writer.varint(frame.timeoutMs);
			break;
		case "drained":
			break;
		case "load":
			writer.varint(frame.clients);
			writer.varint(frame.delayMs);
			break;
		default:
			writer.varint(frame.client);
			writeClientBody(writer, frame);
	}
}

type OtherFrame = Exclude<
	Frame,
	{ readonly type: "message" | "record" | "send" | "drain" | "drained" | "load" }
>;

/** What follows the client's number. */
function writeClientBody(writer: ByteWriter, frame: OtherFrame): void {
	switch (frame.type) {
		case "open":
			writeOpen(writer, frame);
			break;
		case "close":
			writer.byte(CLOSE_REASONS.indexOf(frame.reason));
			writer.text(frame.text);
			break;
		case "resync":
			writer.name(frame.key, "The key of a state");
			break;
		case "join":
		case "leave":
			writer.name(frame.group, "The name of a group");
			break;
		case "abort":
			writeAbort(writer, frame);
			break;
		case "retain":
			writer.name(frame.key, "The key of a call that is retained");
			writer.name(frame.target, "The target of a call that is retained");
			writeEncoding(writer, frame.encoding);
			writer.blob(frame.arguments);
			break;
		case "forget":
			writer.name(frame.key, "The key of a call that is retained");
			break;
		case "itemUp":
		case "itemDown":
			writer.name(frame.name, "The name of an item");
			if (frame.value) writer.bytes(frame.value);
			break;
		case "pause":
		case "resume":
		case "hold":
		case "go":
		case "closed":
		case "admitted":
			break;
	}
}

function writeRecord(
	writer: ByteWriter,
	{ client, messageType, invocationId, state, record }: RecordFrame,
): void {
	writer.varint(client);
	const flags = (invocationId === undefined ? 0 : RECORD_HAS_ID) | (state ? RECORD_IS_STATE : 0);
	writer.byte(messageType | flags);
	if (invocationId !== undefined) writer.text(invocationId);
	if (state) writeState(writer, state);
	writer.bytes(record);
}

function writeState(writer: ByteWriter, { kind, key }: StateMark): void {
	writer.byte(STATE_KINDS.indexOf(kind));
	writer.name(key, "The key of a state");
}

function writeSend(writer: ByteWriter, { selection, records, state }: SendFrame): void {
	writeSelection(writer, selection);
	writer.varint(records.length);
	for (const { encoding, record } of records) {
		writeEncoding(writer, encoding);
		writer.blob(record);
	}
	if (state) writeState(writer, state);
}

function writeOpen(writer: ByteWriter, { recovered, migrated, context }: OpenFrame): void {
	if (context.length > MAX_CONTEXT_BYTES) throw tooLarge("The context of a client", MAX_CONTEXT_BYTES);
	writer.byte((recovered ? 1 : 0) | (migrated ? 2 : 0));
	writer.bytes(context);
}

function writeAbort(writer: ByteWriter, { allowReconnect, text }: AbortFrame): void {
	writer.byte((allowReconnect ? 1 : 0) | (text === undefined ? 0 : 2));
	if (text !== undefined) writer.text(text);
}
