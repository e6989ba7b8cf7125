import assert from "node:assert/strict";
import fc from "fast-check";
import {
	BINARY,
	CLOSE,
	CONTINUATION,
	FrameViolation,
	PING,
	PONG,
	TEXT,
} from "../../../lib/transports/frames/frame.js";
import {
	type FrameLimits,
	type FrameListener,
	FrameReader,
} from "../../../lib/transports/frames/frame-reader.js";
import type { Unfinished } from "../../../lib/transports/frames/unfinished.js";
import { type ClientFrame, cutAt, frameOf } from "./client-frames.js";

const NO_LIMITS: FrameLimits = {
	maxFrameBytes: Number.POSITIVE_INFINITY,
	maxFragments: Number.POSITIVE_INFINITY,
	maxPieces: Number.POSITIVE_INFINITY,
};

/** Remembers what it was told. */
class Recorder implements FrameListener {
	isReading = true;
	unfinished: Unfinished | undefined;
	readonly payloads: Buffer[] = [];
	readonly pings: string[] = [];
	/** Bytes that had come before each ping. */
	readonly before: number[] = [];
	closedWith: string | undefined;
	status: number | undefined;
	frames = 0;

	get bytes(): Buffer {
		return Buffer.concat(this.payloads);
	}

	payload(bytes: Buffer): void {
		assert(bytes.length > 0);
		this.payloads.push(bytes);
	}

	ping(payload: Buffer): void {
		this.before.push(this.bytes.length);
		this.pings.push(payload.toString("hex"));
	}

	closing(payload: Buffer): void {
		this.closedWith = payload.toString("hex");
		this.isReading = false;
	}

	/** All that can be compared. */
	get heard(): unknown {
		const { bytes, pings, before, closedWith, status } = this;
		return { bytes: bytes.toString("hex"), pings, before, closedWith, status };
	}
}

function listen(pieces: readonly Buffer[], limits: Partial<FrameLimits> = {}): Recorder {
	const reader = new FrameReader({ ...NO_LIMITS, ...limits });
	const recorder = new Recorder();
	try {
		for (const piece of pieces) recorder.frames += reader.read(recorder, piece);
	} catch (error) {
		assert(error instanceof FrameViolation, String(error));
		recorder.status = error.status;
		recorder.isReading = false;
	}
	return recorder;
}

const key = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes));
const sizes = [0, 1, 124, 125, 126, 127, 128, 1_023, 1_024, 1_025, 65_535, 65_536];
const bytes = fc.oneof(
	{ arbitrary: fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)), weight: 6 },
	{ arbitrary: fc.constantFrom(...sizes).map((size) => Buffer.alloc(size, "0123456789")), weight: 2 },
);
const text = fc.string({ unit: "grapheme", maxLength: 60 }).map((string) => Buffer.from(string));
const control = fc.record({
	opcode: fc.constantFrom(PING, PONG),
	payload: fc.uint8Array({ maxLength: 125 }).map((array) => Buffer.from(array)),
	key,
});

/** A message in any number of fragments, with control frames between them. */
const message = fc
	.record({
		opcode: fc.constantFrom(TEXT, BINARY),
		text,
		bytes,
		cuts: fc.array(fc.nat(70_000), { maxLength: 4 }),
		controls: fc.array(control, { maxLength: 2 }),
		key,
	})
	.map(({ opcode, text: words, bytes: any, cuts, controls, key: mask }): ClientFrame[] => {
		const parts = cutAt(opcode === TEXT ? words : any, cuts);
		if (parts.length === 0) parts.push(Buffer.alloc(0));
		return parts.flatMap((payload, at) => [
			...(at === 0 ? [] : controls),
			{ opcode: at === 0 ? opcode : CONTINUATION, payload, isFinal: at === parts.length - 1, key: mask },
		]);
	});
const conversation = fc
	.array(
		fc.oneof(
			message,
			control.map((frame): ClientFrame[] => [frame]),
		),
		{ maxLength: 8 },
	)
	.map((frames) => frames.flat());
const cuts = fc.oneof(
	fc.array(fc.nat(1_000), { maxLength: 12 }),
	fc.array(fc.nat(200_000), { maxLength: 12 }),
);

function isData({ opcode }: ClientFrame): boolean {
	return opcode < CLOSE;
}

describe("transports/frames/frame-reader", () => {
	it("hears what was said, however the stream is split", () => {
		fc.assert(
			fc.property(conversation, cuts, (frames, splits) => {
				const stream = Buffer.concat(frames.map(frameOf));
				const recorder = listen(cutAt(stream, splits));
				const said = Buffer.concat(frames.filter(isData).map(({ payload }) => payload));
				const pings = frames.filter(({ opcode }) => opcode === PING);
				assert.equal(recorder.status, undefined);
				assert(recorder.bytes.equals(said));
				assert.deepEqual(
					recorder.pings,
					pings.map(({ payload }) => payload.toString("hex")),
				);
				assert.equal(recorder.frames, frames.length);
				assert.equal(recorder.unfinished, undefined, "nothing is kept of what is whole");
			}),
			{ numRuns: 300 },
		);
	});

	it("hears the same of a stream that was tampered with, however it is split", () => {
		const edits = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 });
		fc.assert(
			fc.property(conversation, edits, cuts, (frames, changes, splits) => {
				const stream = Buffer.concat(frames.map(frameOf));
				for (const [at, value] of changes) if (at < stream.length) stream[at] = value;
				const limits = { maxFrameBytes: 100_000, maxFragments: 3 };
				const whole = listen([Buffer.from(stream)], limits);
				assert.deepEqual(listen(cutAt(stream, splits), limits).heard, whole.heard);
				const single = [...stream].map((byte) => Buffer.of(byte));
				if (stream.length < 3_000) assert.deepEqual(listen(single, limits).heard, whole.heard);
			}),
			{ numRuns: 300 },
		);
	});

	it("hands messages of one chunk on at once; a large one, and what is behind a ping, begins anew", () => {
		const frames = ["a", "b", "", "c"].map((payload) =>
			frameOf({ opcode: TEXT, payload: Buffer.from(payload) }),
		);
		const ping = frameOf({ opcode: PING, payload: Buffer.from("?") });
		const large = frameOf({ opcode: BINARY, payload: Buffer.alloc(1_025, "L") });
		const { payloads, before } = listen([Buffer.concat([...frames, ping, ...frames, large, ...frames])]);
		assert.deepEqual(
			payloads.map((payload) => payload.toString()),
			["abc", "abc", `${"L".repeat(1_025)}abc`],
		);
		assert.deepEqual(before, [3]);
	});

	it("hands on what came before a violation", () => {
		const good = frameOf({ opcode: TEXT, payload: Buffer.from("good") });
		const bad = frameOf({ opcode: TEXT, payload: Buffer.of(0xff) });
		const recorder = listen([Buffer.concat([good, bad, good])]);
		assert.deepEqual([recorder.bytes.toString(), recorder.status], ["good", 1007]);
	});

	it("holds no chunk for the sake of a frame's beginning, and no more than twice of what came", () => {
		const reader = new FrameReader(NO_LIMITS);
		const recorder = new Recorder();
		const frame = frameOf({ opcode: BINARY, payload: Buffer.alloc(0), length: 2n ** 40n });
		const chunk = Buffer.concat([frame, Buffer.alloc(1_000)]);
		reader.read(recorder, chunk);
		const held = recorder.unfinished?.frame?.gathered;
		assert.equal(held?.length, chunk.length);
		assert.notEqual(held?.bytes.buffer, chunk.buffer);
		assert((held?.bytes.buffer.byteLength ?? 0) <= 2 * chunk.length);
	});

	it("holds of fragments and what stands between them only what the fragments carry", () => {
		const reader = new FrameReader(NO_LIMITS);
		const recorder = new Recorder();
		const fragment = (opcode: number): Buffer =>
			frameOf({ opcode, payload: Buffer.from("x"), isFinal: false });
		const pong = frameOf({ opcode: PONG, payload: Buffer.alloc(125) });
		reader.read(recorder, fragment(TEXT));
		for (let at = 1; at < 100; at++) {
			reader.read(recorder, Buffer.concat([...Array<Buffer>(400).fill(pong), fragment(CONTINUATION)]));
		}
		const { frame, message: held } = recorder.unfinished ?? {};
		assert.equal(frame, undefined);
		assert.equal(held?.gathered.length, 100);
		assert.equal(held?.gathered.bytes.buffer.byteLength, 256);
	});

	it("asks its listener before each frame whether it still reads", () => {
		const recorder = new Recorder();
		recorder.payload = () => {
			recorder.isReading = false;
		};
		const ping = frameOf({ opcode: PING, payload: Buffer.from("x") });
		const message = frameOf({ opcode: BINARY, payload: Buffer.from("x") });
		new FrameReader(NO_LIMITS).read(recorder, Buffer.concat([message, ping, ping, message.subarray(0, 3)]));
		assert.deepEqual([recorder.pings, recorder.unfinished], [[], undefined]);
	});
});
