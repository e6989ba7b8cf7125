import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
	type Frame,
	FrameReader,
	FrameWriter,
	type LinkRole,
	PING_SEGMENT,
	type Segment,
	SegmentReader,
	writeAckSegment,
	writeByeSegment,
	writeDataSegment,
	writeHelloSegment,
} from "../../../lib/forwarding/wire/index.js";

/** Bytes of one segment, who sends them, and what they say; buffers in hex. */
interface Vector {
	readonly from: LinkRole;
	readonly hex: string;
	readonly segment: unknown;
	readonly frames?: unknown;
}

const VECTORS = JSON.parse(readFileSync("test/forwarding/wire/vectors.json", "utf8")) as Record<
	string,
	Vector
>;

/** The examples of PROTOCOL.md: a name in bold, and a block of lines that each begin with bytes. */
function documented(): Map<string, string> {
	const [, section = ""] = readFileSync("PROTOCOL.md", "utf8").split("\n### Bytes\n");
	const blocks = section.matchAll(/^\*\*`([\w-]+)`\*\*[^\n]*\n\n```\n([\s\S]*?)```/gm);
	return new Map(Array.from(blocks, ([, name = "", block = ""]) => [name, bytesOf(block)]));
}

function bytesOf(block: string): string {
	const lines = block.split("\n").map((line) => /^((?:[0-9a-f]{2} ?)+)(?: {2,}\S|$)/.exec(line)?.[1] ?? "");
	return lines.join("").replaceAll(" ", "");
}

function read(hex: string): Segment {
	const reader = new SegmentReader();
	reader.push(Buffer.from(hex, "hex"));
	const segment = reader.next();
	assert.ok(segment);
	assert.equal(reader.next(), undefined);
	return segment;
}

function framesOf(segment: Segment, from: LinkRole): Frame[] | undefined {
	return segment.kind === "data" ? new FrameReader(from).read(segment.data.frames) : undefined;
}

function write(segment: Segment, frames: readonly Frame[] | undefined): Buffer {
	switch (segment.kind) {
		case "ping":
			return PING_SEGMENT;
		case "hello":
			return writeHelloSegment(segment.hello);
		case "data": {
			const writer = new FrameWriter();
			for (const frame of frames ?? []) writer.write(frame);
			return writeDataSegment({ ...segment.data, frames: Buffer.concat(writer.take()) });
		}
		case "ack":
			return writeAckSegment(segment.acks);
		case "bye":
			return writeByeSegment(segment.code, segment.text);
	}
}

/** As JSON has it. */
function plain(value: unknown): unknown {
	const text = JSON.stringify(value, (_, field: unknown) => {
		const { type, data } = (field ?? {}) as { readonly type?: unknown; readonly data?: unknown };
		return type === "Buffer" ? Buffer.from(data as number[]).toString("hex") : field;
	});
	return text === undefined ? undefined : JSON.parse(text);
}

describe("forwarding/wire/vectors", () => {
	for (const [name, { from, hex, segment, frames }] of Object.entries(VECTORS)) {
		it(`reads and writes the bytes of ${name}`, () => {
			const found = read(hex);
			const foundFrames = framesOf(found, from);
			assert.deepEqual(plain(found), segment);
			assert.deepEqual(plain(foundFrames), frames);
			assert.equal(write(found, foundFrames).toString("hex"), hex);
		});
	}

	it("are the examples of PROTOCOL.md, byte by byte", () => {
		const examples = documented();
		assert.deepEqual([...examples.keys()], Object.keys(VECTORS));
		for (const [name, hex] of examples) assert.equal(hex, VECTORS[name]?.hex, name);
	});
});
