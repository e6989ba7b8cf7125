import assert from "node:assert/strict";
import fc from "fast-check";
import { LinkSegments } from "../../../lib/forwarding/link/link-segments.js";
import {
	ByeCode,
	type Hello,
	LINK_VERSIONS,
	PING_SEGMENT,
	SegmentReader,
	violation,
	writeByeSegment,
	writeDataSegment,
	writeHelloSegment,
} from "../../../lib/forwarding/wire/index.js";

const HELLO: Hello = {
	...{ versions: LINK_VERSIONS, role: "app", instance: Buffer.alloc(16, 1), session: Buffer.alloc(16, 2) },
	...{ link: 0, incarnation: 1, delivered: 0, window: 1_000, features: [] },
};
const ACKS = { links: [], delivered: 0, window: 1_000 };
const DATA = { seq: 1, acks: ACKS, frames: Buffer.from([0x29, 1, 1]) };

function open({ refusing = false } = {}): {
	readonly segments: LinkSegments;
	readonly heard: string[];
	readonly written: Buffer[];
	readonly kinds: () => string[];
} {
	const heard: string[] = [];
	const written: Buffer[] = [];
	const segments = new LinkSegments((bytes) => written.push(bytes), {
		hello: () => {
			heard.push("hello");
			if (refusing) throw violation("not this one");
		},
		data: () => heard.push("data"),
		acks: () => heard.push("acks"),
		over: (code, error) => heard.push(`over ${code} ${error.code}`),
	});
	const kinds = (): string[] => {
		const reader = new SegmentReader();
		for (const bytes of written) reader.push(bytes);
		const found: string[] = [];
		for (let segment = reader.next(); segment; segment = reader.next())
			found.push(segment.kind === "bye" ? `bye ${segment.code} ${segment.text}` : segment.kind);
		return found;
	};
	return { segments, heard, written, kinds };
}

describe("forwarding/link/link-segments", () => {
	const hello = writeHelloSegment(HELLO);
	const data = writeDataSegment(DATA);

	it("hands on what comes behind HELLO, however the bytes are cut", () => {
		const bytes = Buffer.concat([PING_SEGMENT, hello, data, PING_SEGMENT, data]);
		for (let size = 1; size <= bytes.length; size++) {
			const { segments, heard, written } = open();
			for (let at = 0; at < bytes.length; at += size) segments.receive(bytes.subarray(at, at + size));
			assert.deepEqual(heard, ["hello", "data", "data"]);
			assert.deepEqual(written, []);
		}
	});

	for (const [what, bytes] of [
		["data before HELLO", [data]],
		["a second HELLO", [hello, hello]],
		["a segment of no length", [hello, Buffer.from([0])]],
		["a segment longer than any", [hello, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f])]],
	] as const) {
		it(`ends a link with ${what}, says BYE, and hears and says nothing more`, () => {
			const { segments, heard, kinds } = open();
			segments.receive(Buffer.concat(bytes));
			const before = heard.length;
			assert.equal(heard.at(-1), `over ${ByeCode.Violation} ERR_LINK_PROTOCOL`);
			assert.deepEqual(kinds(), [`bye ${ByeCode.Violation} ERR_LINK_PROTOCOL`]);
			segments.receive(hello);
			segments.send(DATA);
			segments.sendAck(ACKS);
			segments.ping();
			segments.hello(HELLO);
			segments.bye(ByeCode.Done, "again");
			assert.equal(heard.length, before);
			assert.equal(kinds().length, 1);
		});
	}

	it("tells the peer the code of a HELLO that its owner refuses, and its owner why", () => {
		const { segments, heard, kinds } = open({ refusing: true });
		segments.receive(Buffer.concat([hello, data]));
		assert.deepEqual(heard, ["hello", `over ${ByeCode.Violation} ERR_LINK_PROTOCOL`]);
		assert.deepEqual(kinds(), [`bye ${ByeCode.Violation} ERR_LINK_PROTOCOL`]);
	});

	it("takes a BYE at any time, passes over what is behind it, and does not answer it", () => {
		for (const before of [[], [hello]]) {
			const { segments, heard, written } = open();
			segments.receive(Buffer.concat([...before, writeByeSegment(ByeCode.SessionOver, "gone"), data]));
			assert.equal(heard.at(-1), `over ${ByeCode.SessionOver} ERR_FORWARD_LINK_LOST`);
			assert.ok(!heard.includes("data"));
			assert.deepEqual(written, []);
		}
	});

	it("ends at most once, with a code, whatever bytes come (property)", () => {
		const chunk = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(hello, data, PING_SEGMENT));
		fc.assert(
			fc.property(fc.array(chunk, { maxLength: 10 }), (chunks) => {
				const { segments, heard, kinds } = open();
				for (const bytes of chunks) segments.receive(Buffer.from(bytes));
				const ends = heard.filter((each) => each.startsWith("over"));
				assert.ok(ends.length <= 1);
				assert.equal(ends.length === 1 ? heard.at(-1) : undefined, ends[0]);
				assert.ok(kinds().length <= 1);
			}),
		);
	});
});
