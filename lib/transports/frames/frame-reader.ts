import { isUtf8 } from "node:buffer";
import {
	BINARY,
	CLOSE,
	CONTINUATION,
	FINAL,
	FrameViolation,
	INVALID_PAYLOAD,
	MAX_CONTROL_BYTES,
	PING,
	POLICY_VIOLATION,
	PONG,
	PROTOCOL_ERROR,
	TEXT,
	TOO_BIG,
} from "./frame.js";
import { Gathered, type Unfinished, type UnfinishedFrame } from "./unfinished.js";
import { KEY_BYTES, unmask } from "./unmask.js";

/** What a client's messages may be. */
export interface FrameLimits {
	/** Largest message, in bytes; may be `Infinity`. */
	readonly maxFrameBytes: number;
	/** Frames of one message. */
	readonly maxFragments: number;
	/** Pieces that one frame may come in. */
	readonly maxPieces: number;
}

/** Who hears what a client's frames say. It holds the state of the reading, so that one reader serves all. */
export interface FrameListener {
	/** False: what comes from here on is to be ignored. */
	readonly isReading: boolean;
	/** The reader's own. */
	unfinished: Unfinished | undefined;
	/** The payload of one message, or those of several that came at once. It is the listener's from now on. */
	payload(bytes: Buffer): void;
	ping(payload: Buffer): void;
	/** The client begins or answers the closing handshake; `payload` is a status code and a reason, or empty. */
	closing(payload: Buffer): void;
}

const RESERVED_BITS = 0x70;
const OPCODE = 0x0f;
const MASKED = 0x80;
const LENGTH = 0x7f;
const LENGTH_16 = 126;
/** Larger payloads are not moved to join those before them. */
const MOVED_BYTES = 1024;
const NOT_ASCII = 0x80;
const MAX_INT32 = 0x7fff_ffff;
const NO_BYTES: Buffer = Buffer.alloc(0);

/** Reads clients' frames as RFC 6455 §5 wants them read by a server that agreed to no extension. One serves all. */
export class FrameReader {
	readonly #limits: FrameLimits;

	constructor(limits: FrameLimits) {
		this.#limits = limits;
	}

	/**
	 * Takes what the socket gave, and makes the listener's calls for all that is whole now. `chunk` is written to.
	 * Returns how many frames that were.
	 * @throws FrameViolation once the listener was called for what came before it
	 */
	read(listener: FrameListener, chunk: Buffer): number {
		if (!listener.isReading) return 0;
		const pass = new Pass(listener, this.#limits);
		const at = listener.unfinished?.frame ? pass.finish(listener.unfinished.frame, chunk) : 0;
		const end = pass.over(chunk, at);
		if (end < chunk.length && listener.isReading) pass.keep(chunk.subarray(end));
		const { unfinished } = listener;
		if (unfinished && !unfinished.frame && !unfinished.message) listener.unfinished = undefined;
		return pass.frames;
	}
}

/** The reading of one chunk. */
class Pass {
	readonly #listener: FrameListener;
	readonly #limits: FrameLimits;
	#bytes = NO_BYTES;
	/** Where the frame begins that is looked at, and what its header says. */
	#at = 0;
	#head = 0;
	#payloadAt = 0;
	#length = 0;
	/** Bytes that the frame must have before more can be said of it. */
	#needed = 0;
	/** Payloads that were not handed on yet: they stand in `#bytes` one right after another. */
	#first = 0;
	#last = 0;
	frames = 0;

	constructor(listener: FrameListener, limits: FrameLimits) {
		this.#listener = listener;
		this.#limits = limits;
	}

	/** Reads the frames of `bytes` from `at` on. Returns where the first begins that is not whole. */
	over(bytes: Buffer, at: number): number {
		this.#bytes = bytes;
		this.#at = at;
		this.#first = this.#last = at;
		try {
			while (this.#listener.isReading && this.#readHeader()) this.#readFrame();
		} finally {
			this.#handOn();
		}
		return this.#at;
	}

	/** Completes the frame that earlier chunks began, as far as `chunk` reaches. Returns what that took of it. */
	finish(frame: UnfinishedFrame, chunk: Buffer): number {
		const { gathered } = frame;
		let at = 0;
		while (at < chunk.length) {
			const piece = chunk.subarray(at, at + frame.needed - gathered.length);
			gathered.add(piece, frame.needed);
			at += piece.length;
			if (gathered.length < frame.needed) break;
			if (this.over(gathered.bytes, 0) > 0) {
				if (this.#listener.unfinished) this.#listener.unfinished.frame = undefined;
				return at;
			}
			frame.needed = this.#needed;
		}
		if (++frame.pieces > this.#limits.maxPieces) {
			throw new FrameViolation(POLICY_VIOLATION, "a frame comes in too many pieces");
		}
		return at;
	}

	/** Keeps the beginning of a frame for the chunks to come: a copy, lest a few bytes hold a chunk of 64 KB. */
	keep(beginning: Buffer): void {
		const gathered = new Gathered();
		gathered.add(beginning, this.#needed);
		this.#unfinished.frame = { gathered, needed: this.#needed, pieces: 1 };
	}

	get #unfinished(): Unfinished {
		this.#listener.unfinished ??= { frame: undefined, message: undefined };
		return this.#listener.unfinished;
	}

	/** Whether the frame is whole. */
	#readHeader(): boolean {
		const bytes = this.#bytes;
		const at = this.#at;
		const left = bytes.length - at;
		this.#needed = 2;
		if (left < 2) return false;
		this.#head = bytes[at] ?? 0;
		const second = bytes[at + 1] ?? 0;
		this.#checkHead(this.#head, second);
		const short = second & LENGTH;
		const size = short < LENGTH_16 ? 2 : short === LENGTH_16 ? 4 : 10;
		this.#needed = size;
		if (left < size) return false;
		this.#length = size === 2 ? short : size === 4 ? bytes.readUInt16BE(at + 2) : longLength(bytes, at + 2);
		if (this.#length > this.#limits.maxFrameBytes - this.#gatheredBytes) {
			throw new FrameViolation(TOO_BIG, "a message is larger than maxFrameBytes");
		}
		this.#payloadAt = at + size + KEY_BYTES;
		this.#needed = size + KEY_BYTES + this.#length;
		return left >= this.#needed;
	}

	/** Of the message that the frame goes on with. */
	get #gatheredBytes(): number {
		if ((this.#head & OPCODE) !== CONTINUATION) return 0;
		return this.#listener.unfinished?.message?.gathered.length ?? 0;
	}

	#checkHead(head: number, second: number): void {
		if ((head & RESERVED_BITS) !== 0) throw malformed("a reserved bit is set");
		if ((second & MASKED) === 0) throw malformed("a frame is not masked");
		const opcode = head & OPCODE;
		if (opcode > PONG || (opcode > BINARY && opcode < CLOSE)) throw malformed(`opcode ${opcode} is reserved`);
		if (opcode >= CLOSE) {
			if ((head & FINAL) === 0) throw malformed("a control frame is fragmented");
			if ((second & LENGTH) > MAX_CONTROL_BYTES) throw malformed("a control frame is too long");
		} else if ((opcode === CONTINUATION) === (this.#listener.unfinished?.message === undefined)) {
			throw malformed(
				opcode === CONTINUATION ? "a fragment continues nothing" : "a message begins within another",
			);
		}
	}

	#readFrame(): void {
		this.frames++;
		this.#at = this.#payloadAt + this.#length;
		const opcode = this.#head & OPCODE;
		if (opcode >= CLOSE) this.#readControl(opcode);
		else if (opcode !== CONTINUATION && (this.#head & FINAL) !== 0) this.#readMessage(opcode);
		else this.#readFragment(opcode);
	}

	/** A message in one frame: it joins those before it where that is cheap. */
	#readMessage(opcode: number): void {
		if (this.#length > MOVED_BYTES || this.#first === this.#last) {
			this.#handOn();
			this.#first = this.#last = this.#payloadAt;
		}
		const from = this.#last;
		const bits = this.#unmask(from);
		const end = from + this.#length;
		if (opcode === TEXT && bits >= NOT_ASCII) checkText(this.#bytes.subarray(from, end));
		this.#last = end;
	}

	#readFragment(opcode: number): void {
		const unfinished = this.#unfinished;
		unfinished.message ??= { opcode, gathered: new Gathered(), fragments: 0, bits: 0 };
		const { message } = unfinished;
		const { gathered } = message;
		if (++message.fragments > this.#limits.maxFragments) {
			throw new FrameViolation(POLICY_VIOLATION, "a message comes in too many fragments");
		}
		const isLast = (this.#head & FINAL) !== 0;
		message.bits |= this.#unmask(this.#payloadAt);
		const length = gathered.length + this.#length;
		gathered.add(this.#payload, isLast ? length : Number.POSITIVE_INFINITY);
		if (!isLast) return;
		unfinished.message = undefined;
		if (message.opcode === TEXT && message.bits >= NOT_ASCII) checkText(gathered.bytes);
		this.#handOn();
		if (length > 0) this.#listener.payload(gathered.bytes);
	}

	#readControl(opcode: number): void {
		if (opcode === PONG) return;
		this.#handOn();
		if (!this.#listener.isReading) return;
		this.#unmask(this.#payloadAt);
		const payload = this.#payload;
		if (opcode === PING) {
			this.#listener.ping(payload);
			return;
		}
		checkClosing(payload);
		this.#listener.closing(payload);
	}

	get #payload(): Buffer {
		return this.#bytes.subarray(this.#payloadAt, this.#payloadAt + this.#length);
	}

	#unmask(to: number): number {
		return unmask(this.#bytes, { from: this.#payloadAt, length: this.#length }, to);
	}

	#handOn(): void {
		const first = this.#first;
		const last = this.#last;
		this.#first = last;
		if (last > first) this.#listener.payload(this.#bytes.subarray(first, last));
	}
}

function malformed(what: string): FrameViolation {
	return new FrameViolation(PROTOCOL_ERROR, what);
}

function longLength(bytes: Buffer, at: number): number {
	const high = bytes.readUInt32BE(at);
	if (high > MAX_INT32) throw malformed("the first bit of a 64-bit length is set");
	return high * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

function checkText(bytes: Buffer): void {
	if (!isUtf8(bytes)) throw new FrameViolation(INVALID_PAYLOAD, "text is not UTF-8");
}

/** RFC 6455 §5.5.1 and §7.4. */
function checkClosing(payload: Buffer): void {
	if (payload.length === 0) return;
	if (payload.length === 1) throw malformed("half a status code closes it");
	const status = payload.readUInt16BE(0);
	if (!isStatus(status)) throw malformed(`status code ${status} closes it`);
	checkText(payload.subarray(2));
}

/** Whether a closing handshake may say so: codes that are registered, and those of libraries and applications. */
function isStatus(code: number): boolean {
	if (code >= 3000) return code <= 4999;
	return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}
