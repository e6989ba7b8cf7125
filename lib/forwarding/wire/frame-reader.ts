import { ByteReader } from "./byte-reader.js";
import {
	type AbortFrame,
	CLOSE_REASONS,
	type CloseFrame,
	type EncodedRecord,
	type Frame,
	frameName,
	type ItemFrame,
	MORE_FOLLOWS,
	type OpenFrame,
	RECORD_HAS_ID,
	RECORD_IS_STATE,
	type RecordFrame,
	type RetainFrame,
	type SendFrame,
	STATE_KINDS,
	type StateMark,
	senderOf,
} from "./frame.js";
import { FrameParts } from "./frame-parts.js";
import type { LinkRole } from "./hello.js";
import { MAX_CONTEXT_BYTES, violation } from "./limits.js";
import { readEncoding, readRawMessage } from "./message-body.js";
import { readSelection } from "./selection.js";

/** The highest number of SignalR's that a client is sent. */
const LAST_MESSAGE_TYPE = 7;

/** Reads the frames of a session's DATA segments, in the session's order; parts of a large frame may span segments. */
export class FrameReader {
	readonly #peer: LinkRole;
	readonly #parts = new FrameParts();
	readonly #reader = new ByteReader();
	readonly #partReader = new ByteReader();

	/** @param peer - the end that sends: what only the other end may say is refused. */
	constructor(peer: LinkRole) {
		this.#peer = peer;
	}

	/** Whether the last part of a frame is still to come. */
	get isUnfinished(): boolean {
		return this.#parts.isUnfinished;
	}

	/**
	 * The frames of the next segment; those of types that are not known are passed over. Where it throws, it stands as if
	 * the segment had not come.
	 * @throws TrunklineError ERR_LINK_PROTOCOL
	 */
	read(frames: Buffer): Frame[] {
		const mark = this.#parts.isUnfinished ? this.#parts.mark() : undefined;
		try {
			return this.#readAll(frames);
		} catch (thrown) {
			this.#parts.restore(mark ?? NOTHING_YET);
			throw thrown;
		}
	}

	#readAll(bytes: Buffer): Frame[] {
		const reader = this.#reader;
		const frames: Frame[] = [];
		reader.reset(bytes);
		while (!reader.isAtEnd) {
			const type = reader.byte();
			const outer = reader.enter(reader.varint());
			const frame = this.#read(type, reader);
			if (frame) frames.push(frame);
			reader.leave(outer);
		}
		return frames;
	}

	#read(type: number, reader: ByteReader): Frame | undefined {
		const number = type & ~MORE_FOLLOWS;
		const name = frameName(number);
		if (name && senderOf(number) !== this.#peer)
			throw violation(`a frame of type ${name} came from the ${this.#peer} end`);
		if (number !== type) {
			this.#parts.add(number, reader.rest(), name !== undefined);
			return undefined;
		}
		if (this.#parts.isUnfinished) return this.#readParts(number, reader.rest());
		if (name) return readBody(name, reader);
		reader.rest();
		return undefined;
	}

	#readParts(number: number, last: Buffer): Frame | undefined {
		const name = frameName(number);
		const body = this.#parts.finish(number, last, name !== undefined);
		if (!name) return undefined;
		this.#partReader.reset(body);
		const frame = readBody(name, this.#partReader);
		this.#partReader.finish();
		return frame;
	}
}

const NOTHING_YET = new FrameParts().mark();

function readBody(type: Frame["type"], reader: ByteReader): Frame {
	switch (type) {
		case "message":
			return { type, client: reader.varint(), message: readRawMessage(reader) };
		case "record":
			return readRecord(reader);
		case "send":
			return readSend(reader);
		case "drain":
			return { type, timeoutMs: reader.varint() };
		case "drained":
			return { type };
		case "load":
			return { type, clients: reader.varint(), delayMs: reader.varint() };
		default:
			return readClientBody(type, reader.varint(), reader);
	}
}

function readClientBody(
	type: Exclude<Frame["type"], "message" | "record" | "send" | "drain" | "drained" | "load">,
	client: number,
	reader: ByteReader,
): Frame {
	switch (type) {
		case "open":
			return readOpen(client, reader);
		case "close":
			return readClose(client, reader);
		case "resync":
			return { type, client, key: reader.name("the key of a state") };
		case "join":
		case "leave":
			return { type, client, group: reader.name("the name of a group") };
		case "abort":
			return readAbort(client, reader);
		case "retain":
			return readRetain(client, reader);
		case "forget":
			return { type, client, key: readKey(reader) };
		case "itemUp":
		case "itemDown":
			return readItem(type, client, reader);
		case "pause":
		case "resume":
		case "hold":
		case "go":
		case "closed":
		case "admitted":
			return { type, client };
	}
}

function readOpen(client: number, reader: ByteReader): OpenFrame {
	const flags = readFlags(reader);
	const context = reader.rest();
	if (context.length > MAX_CONTEXT_BYTES)
		throw violation(`the context of a client has more than ${MAX_CONTEXT_BYTES} bytes`);
	return { type: "open", client, recovered: (flags & 1) !== 0, migrated: (flags & 2) !== 0, context };
}

function readItem(type: ItemFrame["type"], client: number, reader: ByteReader): ItemFrame {
	const name = reader.name("the name of an item");
	return { type, client, name, value: reader.isAtEnd ? undefined : reader.rest() };
}

function readClose(client: number, reader: ByteReader): CloseFrame {
	const number = reader.byte();
	const reason = CLOSE_REASONS[number];
	if (!reason) throw violation(`a reason of number ${number} is not known`);
	return { type: "close", client, reason, text: reader.text() };
}

function readAbort(client: number, reader: ByteReader): AbortFrame {
	const flags = readFlags(reader);
	const text = flags & 2 ? reader.text() : undefined;
	return { type: "abort", client, allowReconnect: (flags & 1) !== 0, text };
}

function readFlags(reader: ByteReader): number {
	const flags = reader.byte();
	if (flags > 3) throw violation("a flag is not known");
	return flags;
}

function readRetain(client: number, reader: ByteReader): RetainFrame {
	return {
		type: "retain",
		client,
		key: readKey(reader),
		target: reader.name("the target of a call that is retained"),
		encoding: readEncoding(reader),
		arguments: reader.blob(),
	};
}

function readKey(reader: ByteReader): string {
	return reader.name("the key of a call that is retained");
}

function readRecord(reader: ByteReader): RecordFrame {
	const client = reader.varint();
	const head = reader.byte();
	const messageType = head & ~(RECORD_HAS_ID | RECORD_IS_STATE);
	if (messageType === 0 || messageType > LAST_MESSAGE_TYPE)
		throw violation(`a record is of the type ${messageType}`);
	const invocationId = head & RECORD_HAS_ID ? reader.text() : undefined;
	const state = head & RECORD_IS_STATE ? readState(reader) : undefined;
	return { type: "record", client, messageType, invocationId, state, record: reader.rest() };
}

function readSend(reader: ByteReader): SendFrame {
	const selection = readSelection(reader);
	const count = reader.count(2);
	const records: EncodedRecord[] = [];
	for (let read = 0; read < count; read++) {
		const encoding = readEncoding(reader);
		if (records.some((record) => record.encoding === encoding))
			throw violation("a message for many clients comes twice in one encoding");
		records.push({ encoding, record: reader.blob() });
	}
	return { type: "send", selection, records, state: reader.isAtEnd ? undefined : readState(reader) };
}

function readState(reader: ByteReader): StateMark {
	const number = reader.byte();
	const kind = STATE_KINDS[number];
	if (!kind) throw violation(`a kind of state of number ${number} is not known`);
	return { kind, key: reader.name("the key of a state") };
}
