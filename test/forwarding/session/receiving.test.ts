import assert from "node:assert/strict";
import fc from "fast-check";
import { costOf, SEGMENT_OVERHEAD_BYTES } from "../../../lib/forwarding/session/terms.js";
import { Rig, TestLink } from "./rig.js";

const windowOf = (segments: number): number => segments * (SEGMENT_OVERHEAD_BYTES + 1);

describe("forwarding/session/receiving", () => {
	it("hands on what comes in order, and keeps what comes early for its turn", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		rig.hear(a, 1);
		rig.hear(b, 3);
		rig.hear(b, 4);
		assert.deepEqual(rig.heard, ["1"]);
		assert.equal(rig.session.counters.earlyBytes, windowOf(2));
		rig.hear(a, 2);
		assert.deepEqual(rig.heard, ["1", "2", "3", "4"]);
		const { early, earlyBytes, delivered, received } = rig.session.counters;
		assert.deepEqual(
			{ early, earlyBytes, delivered, received },
			{ early: 2, earlyBytes: 0, delivered: 4, received: 4 },
		);
	});

	it("drops doubles, of what was handed on and of what waits for its turn", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		for (const seq of [1, 3]) for (const link of [a, b]) rig.hear(link, seq);
		rig.hear(a, 2);
		assert.deepEqual(rig.heard, ["1", "2", "3"]);
		assert.equal(rig.session.counters.doubles, 2);
	});

	it("hands nothing on for a segment without frames, and counts it", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		rig.hear(a, 1, "");
		rig.hear(a, 2);
		assert.deepEqual(rig.heard, ["2"]);
		assert.equal(rig.session.greeting().delivered, 2);
	});

	it("restores any order", () => {
		const order = fc.integer({ min: 1, max: 200 }).chain((most) =>
			fc.shuffledSubarray(
				Array.from({ length: most }, (_, at) => at + 1),
				{ minLength: most },
			),
		);
		fc.assert(
			fc.property(order, (seqs) => {
				const rig = new Rig();
				const [a] = rig.join(1) as [TestLink];
				for (const seq of seqs) rig.hear(a, seq);
				assert.deepEqual(
					rig.heard,
					seqs.map((_, at) => String(at + 1)),
				);
			}),
		);
	});

	it("hands on in order what comes while something is handed on", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		rig.onHeard = (text) => {
			if (text !== "1") return;
			rig.hear(a, 2);
			assert.deepEqual(rig.heard, ["1"], "one after the other");
		};
		rig.hear(a, 3);
		rig.hear(a, 1);
		assert.deepEqual(rig.heard, ["1", "2", "3"]);
	});

	it("passes over what comes on links that were lost or replaced", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		rig.session.removeLink(0, 1);
		rig.join([new TestLink(1, 2)]);
		rig.hear(a, 1);
		rig.hear(b, 1);
		assert.deepEqual(rig.heard, []);
		assert.equal(rig.session.counters.received, 0);
	});

	it("takes what starts within the window, and rejects a link with what does not", () => {
		const rig = new Rig({ windowBytes: windowOf(3) });
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		rig.hear(a, 2);
		rig.hear(a, 3, "x".repeat(1_000));
		assert.deepEqual(rig.events, []);
		rig.hear(a, 4);
		assert.deepEqual(rig.events, ["close 0.1 ERR_LINK_PROTOCOL"]);
		assert.equal(rig.errors[0]?.message, "Segment 4 is beyond the window that was granted.");
		rig.hear(b, 1);
		assert.deepEqual(rig.heard, ["1", "2", "x".repeat(1_000)]);
	});

	it("rejects a link with a number so far ahead that the segments before it cannot fit", () => {
		const rig = new Rig({ windowBytes: 10 * SEGMENT_OVERHEAD_BYTES });
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		rig.hear(a, 10);
		assert.deepEqual(rig.events, []);
		rig.hear(b, 11);
		assert.deepEqual(rig.events, ["close 1.1 ERR_LINK_PROTOCOL"]);
		rig.hear(a, Number.MAX_SAFE_INTEGER);
		assert.equal(rig.events.length, 2);
	});

	it("never rejects a sender that starts nothing beyond the window, in whichever order it comes", () => {
		const segment = fc.record({ bytes: fc.integer({ min: 0, max: 3_000 }), key: fc.nat() });
		fc.assert(
			fc.property(
				fc.array(segment, { minLength: 1, maxLength: 100 }),
				fc.integer({ min: 1, max: 9_000 }),
				(all, windowBytes) => {
					const rig = new Rig({ windowBytes });
					const [a] = rig.join(1) as [TestLink];
					const allowed: { seq: number; key: number; text: string }[] = [];
					let start = 0;
					for (const [at, { bytes, key }] of all.entries()) {
						if (start >= windowBytes) break;
						const text = "x".repeat(bytes);
						start += costOf(Buffer.from(text));
						allowed.push({ seq: at + 1, key, text });
					}
					for (const { seq, text } of allowed.toSorted((one, other) => one.key - other.key))
						rig.hear(a, seq, text);
					assert.deepEqual(rig.events, []);
					assert.equal(rig.session.counters.delivered, allowed.length);
					rig.session.greeting();
					rig.hear(a, allowed.length + 1);
					assert.equal(rig.session.counters.violations, 0, "what was handed on has made room");
				},
			),
		);
	});

	it("keeps no chunk alive for a small segment that waits for its turn", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		const chunk = Buffer.alloc(65_536, "x");
		const send = (seq: number): void => {
			const acks = { links: [], delivered: 0, window: 0 };
			rig.session.receiveData(a.link, a.incarnation, { seq, acks, frames: chunk.subarray(0, 10) });
		};
		send(2);
		chunk.fill("y");
		send(1);
		assert.deepEqual(rig.heard, ["y".repeat(10), "x".repeat(10)]);
	});

	it("grants less when its owner asks for it, and takes nothing back", () => {
		const rig = new Rig({ windowBytes: windowOf(4) });
		const [a] = rig.join(1) as [TestLink];
		assert.deepEqual(rig.session.greeting(), { delivered: 0, window: windowOf(4) });
		rig.session.setWindow(windowOf(1));
		rig.hear(a, 1);
		assert.deepEqual(rig.session.greeting(), { delivered: 1, window: windowOf(3) });
		for (const seq of [2, 3, 4]) rig.hear(a, seq);
		assert.deepEqual(rig.session.greeting(), { delivered: 4, window: windowOf(1) });
		rig.session.setWindow(0);
		rig.hear(a, 5);
		assert.deepEqual(rig.session.greeting(), { delivered: 5, window: 0 });
		rig.hear(a, 6);
		assert.deepEqual(rig.events, ["close 0.1 ERR_LINK_PROTOCOL"]);
	});

	it("tells the peer of room that its owner gives", () => {
		const rig = new Rig({ windowBytes: windowOf(4) });
		const [a] = rig.join(1) as [TestLink];
		rig.session.setWindow(0);
		for (const seq of [1, 2, 3, 4]) rig.hear(a, seq);
		rig.clock.advance(1_000);
		assert.equal(a.acks.at(-1)?.window, 0);
		const told = a.acks.length;
		rig.session.setWindow(Number.MAX_SAFE_INTEGER);
		rig.clock.advance(5);
		assert.equal(a.acks.length, told + 1);
		assert.equal(a.acks.at(-1)?.window, windowOf(4), "never more than windowBytes");
	});
});
