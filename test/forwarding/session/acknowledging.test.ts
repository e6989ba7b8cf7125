import assert from "node:assert/strict";
import { Rig, TestLink } from "./rig.js";

const counts = (links: readonly TestLink[]): number[] => links.map(({ acks }) => acks.length);
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

describe("forwarding/session/acknowledging", () => {
	it("sends acks with the next segment, with the counts of all links", () => {
		const rig = new Rig();
		const [a, b, c] = rig.join(3) as [TestLink, TestLink, TestLink];
		rig.hear(a, 1);
		rig.hear(b, 2);
		rig.hear(a, 4);
		rig.say("answer");
		const [sent] = [a, b, c].flatMap(({ segments }) => segments);
		assert.deepEqual(sent?.acks.links, [
			{ link: 0, incarnation: 1, received: 2 },
			{ link: 1, incarnation: 1, received: 1 },
		]);
		assert.equal(sent?.acks.delivered, 2);
		rig.clock.advance(5);
		assert.deepEqual(counts([a, b, c]), [0, 0, 0]);
	});

	it("sends the ack of a segment with an answer that is sent while it is handed on", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		rig.onHeard = (text) => rig.say(text);
		rig.hear(a, 2);
		rig.hear(a, 1);
		assert.deepEqual(
			a.segments.map(({ acks }) => [acks.links[0]?.received, acks.delivered]),
			[
				[2, 1],
				[2, 2],
			],
		);
		rig.clock.advance(5);
		assert.deepEqual(a.acks, []);
	});

	it("says what was handed on after the last answer, too", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		rig.onHeard = (text) => {
			if (text === "1") rig.say("answer");
		};
		rig.hear(a, 2);
		rig.hear(a, 1);
		assert.equal(a.segments[0]?.acks.delivered, 1);
		rig.clock.advance(5);
		assert.equal(a.acks[0]?.delivered, 2);
	});

	it("sends them alone after ackDelayMs", () => {
		const rig = new Rig({ ackDelayMs: 7 });
		const [a] = rig.join(1) as [TestLink];
		rig.clock.advance(100);
		const before = a.acks.length;
		rig.hear(a, 1);
		rig.clock.advance(6);
		assert.equal(a.acks.length, before);
		rig.clock.advance(1);
		assert.equal(a.acks.length, before + 1);
		assert.equal(rig.session.counters.lonelyAcks, before + 1);
	});

	it("sends them at once when ackBytes have come", () => {
		const rig = new Rig({ ackBytes: 100 });
		const [a] = rig.join(1) as [TestLink];
		rig.hear(a, 1, "x".repeat(60));
		assert.equal(a.acks.length, 0);
		rig.hear(a, 2, "x".repeat(60));
		assert.equal(a.acks.at(-1)?.delivered, 2);
		rig.hear(a, 3, "x".repeat(60));
		assert.equal(a.acks.length, 1);
	});

	it("tells the last news once on every link, at growing intervals, as a link may be half-open", () => {
		const rig = new Rig();
		const links = rig.join(4);
		rig.clock.advance(1_000);
		const before = counts(links);
		rig.hear(links[0] as TestLink, 1);
		const told = (): number => sum(counts(links)) - sum(before);
		for (const [ms, expected] of [
			[5, 1],
			[10, 2],
			[20, 3],
			[40, 4],
			[10_000, 4],
		] as const) {
			rig.clock.advance(ms);
			assert.equal(told(), expected, `after ${ms} ms more`);
		}
		assert.deepEqual(
			counts(links).map((count, at) => count - (before[at] ?? 0)),
			[1, 1, 1, 1],
		);
	});

	it("tells again what it told when a link is lost", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		rig.hear(a, 1);
		rig.clock.advance(10_000);
		const before = a.acks.length + b.acks.length;
		rig.session.removeLink(0, 1);
		rig.clock.advance(5);
		assert.equal(a.acks.length + b.acks.length, before + 1);
		assert.equal(b.acks.at(-1)?.delivered, 1);
	});

	it("waits for a link, and tells what came before", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		rig.hear(a, 1);
		rig.session.removeLink(0, 1);
		rig.clock.advance(1_000);
		const again = new TestLink(0, 2);
		rig.join([again]);
		rig.clock.advance(5);
		assert.deepEqual(
			again.acks.map(({ links, delivered }) => ({ links, delivered })),
			[{ links: [], delivered: 1 }],
		);
	});

	it("speaks of the incarnation that is up", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		rig.hear(a, 1);
		const next = new TestLink(0, 2);
		rig.join([next]);
		rig.hear(next, 2);
		rig.say("answer");
		assert.deepEqual(next.segments[0]?.acks.links, [{ link: 0, incarnation: 2, received: 1 }]);
	});

	it("has no timer while nothing comes", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		rig.hear(a, 1);
		rig.clock.advance(1_000);
		assert.equal(rig.clock.pending, 0);
	});
});
