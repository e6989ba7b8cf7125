import assert from "node:assert/strict";
import fc from "fast-check";
import {
	MAX_SEGMENT_BYTES,
	PING_SEGMENT,
	type Segment,
	SegmentReader,
	writeAckSegment,
	writeByeSegment,
	writeDataSegment,
	writeHelloSegment,
} from "../../../lib/forwarding/wire/index.js";
import { cut, throwsCode } from "../../protocols/messages.js";
import { acks, hello, number } from "./arbitraries.js";

const breaksProtocol = throwsCode("ERR_LINK_PROTOCOL");
const NO_ACKS = { links: [], delivered: 0, window: 0 };

function readAll(reader: SegmentReader, chunks: readonly Buffer[]): Segment[] {
	const segments: Segment[] = [];
	for (const chunk of chunks) {
		reader.push(chunk);
		for (let segment = reader.next(); segment; segment = reader.next()) segments.push(segment);
	}
	return segments;
}

function read(hex: string): Segment[] {
	return readAll(new SegmentReader(), [Buffer.from(hex, "hex")]);
}

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));

const segment: fc.Arbitrary<Segment> = fc.oneof(
	fc.constant<Segment>({ kind: "ping" }),
	hello.map((fields): Segment => ({ kind: "hello", hello: fields })),
	fc
		.record(
			{ seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), acks, frames: bytes },
			{ noNullPrototype: true },
		)
		.map((data): Segment => ({ kind: "data", data })),
	acks.map((fields): Segment => ({ kind: "ack", acks: fields })),
	fc.record(
		{ kind: fc.constant("bye" as const), code: fc.nat(255), text: fc.string({ unit: "grapheme" }) },
		{ noNullPrototype: true },
	),
);

function write(segment: Segment): Buffer {
	switch (segment.kind) {
		case "ping":
			return PING_SEGMENT;
		case "hello":
			return writeHelloSegment(segment.hello);
		case "data":
			return writeDataSegment(segment.data);
		case "ack":
			return writeAckSegment(segment.acks);
		case "bye":
			return writeByeSegment(segment.code, segment.text);
	}
}

describe("forwarding/wire/segment", () => {
	it("gives back every segment, wherever the bytes are cut", () => {
		fc.assert(
			fc.property(fc.array(segment), fc.array(fc.nat()), (segments, places) => {
				const chunks = cut(Buffer.concat(segments.map(write)), places);
				assert.deepEqual(readAll(new SegmentReader(), chunks), segments);
			}),
		);
	});

	it("passes over kinds that it does not know", () => {
		assert.deepEqual(read("02ff00" + "0100" + "0105" + "0100"), [{ kind: "ping" }, { kind: "ping" }]);
	});

	for (const [name, hex] of Object.entries({
		"a segment without a kind": "00",
		"a length that is longer than it need be": "810000",
		"a length of five bytes and more": "8080808080",
		"a length above 1 MiB": "818040",
		"a PING with a body": "020000",
		"a HELLO that is no MessagePack": "0201c1",
		"a HELLO that is no map": "020190",
		"a HELLO without fields": "020180",
		"a DATA of number 0": "050200000000",
		"a DATA that ends in its acks": "03020101",
		"acks of more links than a session has": "0503810800" + "00",
		"acks of incarnation 0": "0703010000000000",
		"an ACK with more behind it": "050300000000",
		"a BYE without a text": "020400",
		"a BYE that is not UTF-8": "04040001ff",
	})) {
		it(`refuses ${name}`, () => assert.throws(() => read(hex), breaksProtocol));
	}

	it("takes a DATA of 1 MiB, and refuses one byte more before its end has come", () => {
		const frames = Buffer.alloc(MAX_SEGMENT_BYTES - 5);
		const written = writeDataSegment({ seq: 1, acks: NO_ACKS, frames });
		assert.equal(readAll(new SegmentReader(), [written])[0]?.kind, "data");
		const larger = Buffer.alloc(MAX_SEGMENT_BYTES - 4);
		assert.throws(
			() => writeDataSegment({ seq: 1, acks: NO_ACKS, frames: larger }),
			throwsCode("ERR_FORWARD_TOO_LARGE"),
		);
	});

	it("reads nothing more once it has refused something", () => {
		const reader = new SegmentReader();
		reader.push(Buffer.from("00" + "0100", "hex"));
		assert.throws(() => reader.next(), breaksProtocol);
		assert.throws(() => reader.next(), breaksProtocol);
	});

	it("gives frames as a view of the bytes that came", () => {
		const written = writeDataSegment({ seq: 9, acks: NO_ACKS, frames: Buffer.from("290107", "hex") });
		const [segment] = readAll(new SegmentReader(), [written]);
		assert.ok(segment?.kind === "data");
		assert.equal(segment.data.frames.buffer, written.buffer);
	});

	it("throws nothing but ERR_LINK_PROTOCOL, whatever comes", () => {
		fc.assert(
			fc.property(fc.array(bytes), (chunks) => harmless(chunks)),
			{ numRuns: 500 },
		);
	});

	it("throws nothing but ERR_LINK_PROTOCOL for valid segments of which bytes were changed", () => {
		const change = fc.record({ at: number, to: fc.nat(255) });
		fc.assert(
			fc.property(fc.array(segment, { minLength: 1 }), fc.array(change, { minLength: 1 }), (all, changes) => {
				const whole = Buffer.concat(all.map(write));
				for (const { at, to } of changes) whole[at % whole.length] = to;
				harmless([whole]);
			}),
			{ numRuns: 500 },
		);
	});
});

function harmless(chunks: readonly Buffer[]): void {
	try {
		readAll(new SegmentReader(), chunks);
	} catch (thrown) {
		breaksProtocol(thrown);
	}
}
