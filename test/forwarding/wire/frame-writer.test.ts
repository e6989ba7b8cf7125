import assert from "node:assert/strict";
import fc from "fast-check";
import {
	type Frame,
	FrameReader,
	FrameWriter,
	MAX_BATCH_BYTES,
	MAX_CONTEXT_BYTES,
	MAX_FRAME_BYTES,
	type RecordFrame,
} from "../../../lib/forwarding/wire/index.js";
import { throwsCode } from "../../protocols/messages.js";

const UPDATE = Buffer.from('["HelloWorld",{"FirstName":"x"}]');

function update(client: number): Frame {
	const invocation = { type: 1, encoding: "json", invocationId: undefined, target: "Update_VM" } as const;
	const message = { ...invocation, arguments: UPDATE, streamIds: undefined, headers: undefined };
	return { type: "message", client, message };
}

function record(bytes: number, client = 1): RecordFrame {
	return {
		type: "record",
		state: undefined,
		client,
		messageType: 1,
		invocationId: undefined,
		record: Buffer.alloc(bytes, 7),
	};
}

/** The frames as a reader may find them: records of calls that stand next to each other, for one client, as one. */
function joined(frames: readonly RecordFrame[]): RecordFrame[] {
	const all: RecordFrame[] = [];
	for (const frame of frames) {
		const last = all.at(-1);
		if (last && isJoinable(last) && isJoinable(frame) && last.client === frame.client)
			all.splice(-1, 1, { ...last, record: Buffer.concat([last.record, frame.record]) });
		else all.push(frame);
	}
	return all;
}

const isJoinable = ({ messageType, invocationId, state }: RecordFrame): boolean =>
	messageType === 1 && invocationId === undefined && state === undefined;

describe("forwarding/wire/frame-writer", () => {
	it("takes no more than 16 bytes beside the arguments of an Update_VM of one of 200,000 clients", () => {
		const writer = new FrameWriter();
		for (let client = 199_900; client < 200_000; client++) writer.write(update(client));
		assert.ok(writer.bytes <= 100 * (UPDATE.length + 16), `${writer.bytes / 100 - UPDATE.length} bytes`);
	});

	it("takes what another writer has written, whole frames and pieces, as if it had written them", () => {
		const size = fc.oneof(fc.nat(300), fc.integer({ min: 65_300, max: 65_700 }), fc.nat(200_000));
		fc.assert(
			fc.property(fc.array(fc.tuple(size, fc.boolean()), { maxLength: 10 }), (sizes) => {
				const writer = new FrameWriter();
				const other = new FrameWriter();
				// Of two clients in turn, so that what is appended stands between what could share a frame.
				const frames = sizes.map(([bytes], at) => record(bytes, at % 2));
				for (const [at, [, isAppended]] of sizes.entries()) {
					const frame = frames[at] as Frame;
					if (!isAppended) writer.write(frame);
					else {
						other.write(frame);
						for (const piece of other.take()) writer.append(piece);
					}
				}
				const segments = writer.take();
				assert.ok(segments.every(({ length }) => length > 0 && length <= MAX_BATCH_BYTES));
				const reader = new FrameReader("app");
				assert.deepEqual(
					segments.flatMap((segment) => reader.read(segment)),
					frames,
				);
			}),
		);
	});

	it("gathers frames to segments of at most 64 KiB, in order, and counts their bytes", () => {
		const size = fc.oneof(fc.nat(300), fc.integer({ min: 65_300, max: 65_700 }), fc.nat(200_000));
		fc.assert(
			fc.property(fc.array(size, { maxLength: 10 }), (sizes) => {
				const frames = sizes.map((size, client) => record(size, client));
				const writer = new FrameWriter();
				for (const frame of frames) writer.write(frame);
				const { bytes } = writer;
				const segments = writer.take();
				assert.equal(
					bytes,
					segments.reduce((sum, segment) => sum + segment.length, 0),
				);
				assert.ok(segments.every(({ length }) => length > 0 && length <= MAX_BATCH_BYTES));
				const reader = new FrameReader("app");
				assert.deepEqual(
					segments.flatMap((segment) => reader.read(segment)),
					frames,
				);
				assert.equal(reader.isUnfinished, false);
			}),
		);
	});

	it("lets calls of one client that stand next to each other share a frame, and nothing else", () => {
		const size = fc.oneof(fc.nat(200), fc.nat(20_000));
		const frame = fc.tuple(size, fc.nat(1), fc.nat(9)).map(([bytes, client, kind]): RecordFrame => {
			const plain = record(bytes, client);
			if (kind === 0) return { ...plain, invocationId: "1" };
			if (kind === 1) return { ...plain, messageType: 3, invocationId: "1" };
			return kind === 2 ? { ...plain, state: { kind: "state", key: "k" } } : plain;
		});
		fc.assert(
			fc.property(fc.array(frame, { maxLength: 40 }), (frames) => {
				const writer = new FrameWriter();
				for (const each of frames) writer.write(each);
				const { bytes } = writer;
				const segments = writer.take();
				assert.equal(
					bytes,
					segments.reduce((sum, segment) => sum + segment.length, 0),
				);
				const reader = new FrameReader("app");
				const read = segments.flatMap((segment) => reader.read(segment)) as RecordFrame[];
				assert.deepEqual(joined(read), joined(frames));
				assert.ok(segments.every(({ length }) => length <= MAX_BATCH_BYTES));
			}),
		);
		const writer = new FrameWriter();
		for (let count = 0; count < 8; count++) writer.write(record(100));
		assert.equal(writer.bytes, 8 * 100 + 5, "type, two of length, client, head");
	});

	it("fills a segment with one frame, and cuts the next larger one", () => {
		for (const [bytes, segments] of [
			[65_530, 1],
			[65_531, 2],
		] as const) {
			const writer = new FrameWriter();
			writer.write(record(bytes));
			assert.equal(writer.bytes, segments === 1 ? MAX_BATCH_BYTES : MAX_BATCH_BYTES + 3);
			assert.equal(writer.take().length, segments);
		}
	});

	it("has nothing left after it was taken from, and what was taken stays as it is", () => {
		const writer = new FrameWriter();
		assert.deepEqual(writer.take(), []);
		writer.write({ type: "closed", client: 300 });
		const [taken] = writer.take();
		writer.write({ type: "go", client: 1 });
		assert.equal(taken?.toString("hex"), "2b02ac02");
		assert.equal(writer.bytes, 3);
		assert.equal(writer.take()[0]?.toString("hex"), "2a0101");
		assert.equal(writer.bytes, 0);
	});

	it("adds nothing of a frame that it cannot write", () => {
		const tooLarge = throwsCode("ERR_FORWARD_TOO_LARGE");
		const name = "x".repeat(257);
		const call = { type: "retain", client: 1, encoding: "json", arguments: UPDATE } as const;
		const head = { type: "message", client: 1 } as const;
		const { message } = update(1) as Extract<Frame, { readonly type: "message" }>;
		const selection = { kind: "groups", groups: [name], except: [] } as const;
		const frames: readonly Frame[] = [
			{
				...{ type: "open", client: 1, recovered: false, migrated: false },
				context: Buffer.alloc(MAX_CONTEXT_BYTES + 1),
			},
			{ type: "join", client: 1, group: name },
			{ type: "leave", client: 1, group: name },
			{ type: "forget", client: 1, key: name },
			{ type: "resync", client: 1, key: name },
			{ ...call, key: name, target: "x" },
			{ ...call, key: "x", target: name },
			{ ...head, message: { ...message, target: name } as typeof message },
			{ type: "send", selection, records: [], state: undefined },
			record(MAX_FRAME_BYTES),
		];
		const writer = new FrameWriter();
		writer.write({ type: "drain", timeoutMs: 1 });
		for (const frame of frames) {
			assert.throws(() => writer.write(frame), tooLarge, frame.type);
			assert.equal(writer.bytes, 3, frame.type);
		}
		const text = "\ud800";
		const abort: Frame = { type: "abort", client: 1, allowReconnect: true, text };
		assert.throws(() => writer.write(abort), throwsCode("ERR_SERIALIZATION"));
		writer.write({ type: "load", clients: 2, delayMs: 3 });
		assert.equal(Buffer.concat(writer.take()).toString("hex"), "260101" + "27020203");
	});
});
