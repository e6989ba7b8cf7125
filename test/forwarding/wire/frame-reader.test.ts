import assert from "node:assert/strict";
import fc from "fast-check";
import { type Frame, FrameReader, FrameWriter, MAX_FRAME_BYTES } from "../../../lib/forwarding/wire/index.js";
import { throwsCode } from "../../protocols/messages.js";
import { appFrame, number, proxyFrame } from "./arbitraries.js";

const breaksProtocol = throwsCode("ERR_LINK_PROTOCOL");

function readProxy(hex: string): Frame[] {
	return new FrameReader("proxy").read(Buffer.from(hex, "hex"));
}

function readApp(hex: string): Frame[] {
	return new FrameReader("app").read(Buffer.from(hex, "hex"));
}

function write(frames: readonly Frame[]): Buffer[] {
	const writer = new FrameWriter();
	for (const frame of frames) writer.write(frame);
	return writer.take();
}

/** A part of a frame, or all of one. */
function part(type: number, body: Buffer): Buffer {
	const length = Buffer.of(
		(body.length & 0x7f) | 0x80,
		((body.length >> 7) & 0x7f) | 0x80,
		body.length >> 14,
	);
	return Buffer.concat([Buffer.of(type), length, body]);
}

const PART = Buffer.alloc(60_000, 0x78);

describe("forwarding/wire/frame-reader", () => {
	for (const [name, peer, frame] of [
		["a proxy", "proxy", proxyFrame],
		["an app server", "app", appFrame],
	] as const) {
		it(`gives back every frame of ${name}`, () => {
			fc.assert(
				fc.property(fc.array(frame), (frames) => {
					const reader = new FrameReader(peer);
					assert.deepEqual(
						write(frames).flatMap((segment) => reader.read(segment)),
						frames,
					);
				}),
				{ numRuns: 300 },
			);
		});

		it(`throws nothing but ERR_LINK_PROTOCOL for what ${name} garbled`, () => {
			const change = fc.record({ at: number, to: fc.nat(255) });
			fc.assert(
				fc.property(fc.array(frame, { minLength: 1 }), fc.array(change), (frames, changes) => {
					const reader = new FrameReader(peer);
					for (const segment of write(frames)) {
						for (const { at, to } of changes) segment[at % segment.length] = to;
						harmless(reader, segment);
					}
				}),
				{ numRuns: 500 },
			);
		});

		it(`throws nothing but ERR_LINK_PROTOCOL, whatever ${name} sends`, () => {
			const reader = new FrameReader(peer);
			const bytes = fc.uint8Array({ maxLength: 100 }).map((array) => Buffer.from(array));
			fc.assert(
				fc.property(bytes, (segment) => harmless(reader, segment)),
				{ numRuns: 500 },
			);
		});
	}

	it("passes over frames of types that it does not know, large ones too", () => {
		const pause: Frame = { type: "pause", client: 7 };
		assert.deepEqual(readProxy("1e03ffffff" + "130107" + "9000" + "0000"), [pause]);
		const reader = new FrameReader("proxy");
		assert.deepEqual(reader.read(part(0x1e | 0x40, PART)), []);
		assert.ok(reader.isUnfinished);
		assert.deepEqual(reader.read(Buffer.concat([part(0x1e, PART), Buffer.from("130107", "hex")])), [pause]);
	});

	for (const [name, hex] of Object.entries({
		"a frame without a length": "13",
		"a frame that is longer than its segment": "130207",
		"a frame with more behind its fields": "13020700",
		"a frame of the other end": "290107",
		"a part of a frame of the other end": "690107",
		"a flag that is not known": "10020704",
		"a reason that is not known": "1103070300",
		"a hub message without a type": "12020700",
		"a hub message of type 6": "12020706",
		"a hub message with a field that is not known": "1203078100",
		"a target that is not known": "1203070105",
		"a completion without an id": "1203070302",
		"an empty id": "1204071300" + "02",
		"a completion of a kind that is not known": "12050713013104",
		"streamIds of a completion": "120607330131" + "0002",
		"more streamIds than bytes": "1205072" + "1ff0f01",
	})) {
		it(`refuses ${name}`, () => assert.throws(() => readProxy(hex), breaksProtocol));
	}

	for (const [name, hex] of Object.entries({
		"a frame of the other end": "130107",
		"a selection that is not known": "22020300",
		"an encoding that is not known": "22050000010200",
		"a message twice in one encoding": "2207000002000000" + "00",
		"a record of type 0": "28020700",
		"a record of type 8": "28020708",
		"more clients than bytes": "220402ffff03",
	})) {
		it(`refuses ${name} from an app server`, () => assert.throws(() => readApp(hex), breaksProtocol));
	}

	it("refuses a context of more than 32 KiB", () => {
		const body = (bytes: number): Buffer => part(0x10, Buffer.concat([Buffer.of(7, 0), Buffer.alloc(bytes)]));
		assert.equal(new FrameReader("proxy").read(body(32_768)).length, 1);
		assert.throws(() => new FrameReader("proxy").read(body(32_769)), breaksProtocol);
	});

	it("refuses a frame, or a part of one, between the parts of another, and an empty part", () => {
		for (const next of ["130107", "530107", "690107", "5200"]) {
			const reader = new FrameReader("proxy");
			reader.read(part(0x12 | 0x40, PART));
			assert.throws(() => reader.read(Buffer.from(next, "hex")), breaksProtocol, next);
		}
	});

	it("holds no more than 16 MiB of a frame", () => {
		const reader = new FrameReader("app");
		const parts = Math.floor(MAX_FRAME_BYTES / PART.length);
		for (let sent = 0; sent < parts; sent++) reader.read(part(0x28 | 0x40, PART));
		assert.throws(() => reader.read(part(0x28 | 0x40, PART)), breaksProtocol);
		assert.ok(reader.isUnfinished);
		assert.throws(() => reader.read(part(0x28, PART)), breaksProtocol);
	});

	it("stands as if a segment that it refused had not come", () => {
		const frame: Frame = {
			...{ type: "record", client: 7, messageType: 1, invocationId: undefined, state: undefined },
			record: Buffer.concat([PART, PART]),
		};
		const [first = PART, ...rest] = write([frame, frame]);
		const reader = new FrameReader("app");
		assert.deepEqual(reader.read(first), []);
		for (const segment of rest) {
			assert.throws(() => reader.read(Buffer.concat([segment, Buffer.of(0x28)])), breaksProtocol);
		}
		assert.deepEqual(
			rest.flatMap((segment) => reader.read(segment)),
			[frame, frame],
		);
	});
});

function harmless(reader: FrameReader, segment: Buffer): void {
	try {
		reader.read(segment);
	} catch (thrown) {
		breaksProtocol(thrown);
	}
}
