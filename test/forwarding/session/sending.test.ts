import assert from "node:assert/strict";
import { SEGMENT_OVERHEAD_BYTES } from "../../../lib/forwarding/session/terms.js";
import { acksOf, FRESH, Rig, TestLink } from "./rig.js";

/** A window for so many segments of one byte. */
const windowOf = (segments: number): number => segments * (SEGMENT_OVERHEAD_BYTES + 1);

describe("forwarding/session/sending", () => {
	it("numbers segments from 1 and gives each to the next link", () => {
		const rig = new Rig();
		const [a, b, c] = rig.join(3) as [TestLink, TestLink, TestLink];
		assert.deepEqual(rig.say("1", "2", "3", "4"), ["sent", "sent", "sent", "sent"]);
		const all = [a, b, c].flatMap(({ segments }) => segments).sort((one, other) => one.seq - other.seq);
		assert.deepEqual(
			all.map(({ seq, frames }) => `${seq}:${frames}`),
			["1:1", "2:2", "3:3", "4:4"],
		);
		assert.deepEqual([a, b, c].map(({ segments }) => segments.length).sort(), [1, 1, 2]);
	});

	it("keeps what is sent before the first link is up, in order", () => {
		const rig = new Rig();
		assert.deepEqual(rig.say("1", "2"), ["waiting", "waiting"]);
		const [a] = rig.join(1) as [TestLink];
		assert.deepEqual(a.texts, ["1", "2"]);
	});

	it("sends what was on a lost link and not acknowledged again, in order and before anything new", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		rig.say("1", "2", "3", "4", "5", "6");
		const [first] = a.segments;
		assert.ok(first);
		rig.acknowledge([[a, 1]], first.seq === 1 ? 1 : 0);
		const lost = a.texts.slice(1);
		const sentBefore = b.texts.length;
		rig.session.removeLink(0, 1);
		assert.deepEqual(b.texts.slice(sentBefore), lost);
		assert.equal(rig.session.counters.resent, 2);
		assert.equal(rig.session.counters.linksLost, 1);
	});

	it("sends what was on all of several lost links again in the order of its numbers", () => {
		const rig = new Rig();
		rig.join(3);
		rig.say("1", "2", "3", "4", "5", "6", "7");
		for (const place of [2, 0, 1]) rig.session.removeLink(place, 1);
		rig.say("8");
		const again = new TestLink(1, 2);
		rig.join([again]);
		assert.deepEqual(again.texts, ["1", "2", "3", "4", "5", "6", "7", "8"]);
	});

	it("does not send again what HELLO says was handed on", () => {
		const rig = new Rig();
		rig.join(2);
		rig.say("1", "2", "3");
		for (const place of [0, 1]) rig.session.removeLink(place, 1);
		const again = new TestLink(0, 2);
		rig.join([again], { delivered: 2, window: FRESH.window });
		assert.deepEqual(again.texts, ["3"]);
	});

	it("does not send again what came but was not handed on, and reports it all the same when it ends", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		rig.say("1", "2");
		const late = a.texts[0] === "1" ? b : a;
		rig.acknowledge([[late, 1]]);
		rig.session.removeLink(late.link, 1);
		assert.equal(rig.session.counters.resent, 0);
		rig.session.end("closed");
		assert.deepEqual(rig.end?.unconfirmed.map(String), ["1", "2"]);
		assert.deepEqual(rig.end?.unsent, []);
	});

	it("counts an ack of an earlier incarnation for that incarnation only", () => {
		const rig = new Rig();
		const [old] = rig.join(1) as [TestLink];
		rig.say("1", "2");
		const next = new TestLink(0, 2);
		rig.join([next]);
		assert.deepEqual(next.texts, ["1", "2"]);
		rig.acknowledge([[old, 2]]);
		const third = new TestLink(0, 3);
		rig.join([third]);
		assert.deepEqual(third.texts, [], "both are known to have come on the first incarnation");
		assert.equal(rig.session.counters.linksLost, 2);
	});

	it("does not send again what a late ack says has come, though its link is gone", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		rig.say("1", "2", "3");
		rig.session.removeLink(0, 1);
		rig.acknowledge([[a, 2]]);
		const next = new TestLink(0, 2);
		rig.join([next]);
		assert.deepEqual(next.texts, ["3"]);
	});

	it("passes over acks of incarnations that it does not know, and acks that were overtaken", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		rig.say("1", "2", "3");
		rig.acknowledge([[a, 3]], 3);
		rig.acknowledge([[a, 1]], 1, 10);
		rig.acknowledge([[new TestLink(0, 7), 100]], 3);
		rig.acknowledge([[new TestLink(9), 100]], 3);
		assert.equal(rig.session.counters.confirmed, 3);
		assert.equal(rig.session.counters.violations, 0);
		assert.equal(rig.session.hasRoom, true);
	});

	it("rejects a link that acknowledges more than was sent on it, or that was sent at all", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		rig.say("1");
		rig.acknowledge([[a, 2]]);
		rig.acknowledge([[b, 0]], 2);
		assert.deepEqual(rig.events, ["close 0.1 ERR_LINK_PROTOCOL", "close 1.1 ERR_LINK_PROTOCOL"]);
		assert.equal(rig.session.links, 0);
		const error = rig.session.addLink(new TestLink(0, 2), { delivered: 2, window: 1 });
		assert.equal(error?.code, "ERR_LINK_PROTOCOL");
		assert.equal(rig.end?.reason, "broken", "it was the third one within a minute");
	});

	it("starts no segment beyond the window, and goes on when something was handed on", () => {
		const rig = new Rig();
		const [a] = rig.join(1, { delivered: 0, window: windowOf(2) }) as [TestLink];
		assert.deepEqual(rig.say("1", "2", "3", "4"), ["sent", "sent", "waiting", "waiting"]);
		assert.equal(rig.session.hasRoom, false);
		assert.equal(rig.session.counters.waitingBytes, windowOf(2));
		rig.acknowledge([[a, 2]], 0, windowOf(2));
		assert.deepEqual(a.texts, ["1", "2"], "what came too early takes room over there");
		rig.acknowledge([[a, 2]], 1, windowOf(2));
		assert.deepEqual(a.texts, ["1", "2", "3"]);
		assert.deepEqual(rig.events, []);
		rig.acknowledge([[a, 3]], 3, windowOf(2));
		assert.deepEqual(a.texts, ["1", "2", "3", "4"]);
		assert.deepEqual(rig.events, ["writable"]);
		assert.equal(rig.session.hasRoom, true);
	});

	it("starts a segment that is larger than what is left of the window", () => {
		const rig = new Rig();
		const [a] = rig.join(1, { delivered: 0, window: 1 }) as [TestLink];
		assert.deepEqual(rig.say("x".repeat(1_000), "2"), ["sent", "waiting"]);
		rig.acknowledge([[a, 1]], 1, 1);
		assert.equal(a.texts[1], "2");
	});

	it("sends nothing into a window of 0", () => {
		const rig = new Rig();
		const [a] = rig.join(1, { delivered: 0, window: 0 }) as [TestLink];
		assert.deepEqual(rig.say("1"), ["waiting"]);
		rig.acknowledge([[a, 0]], 0, 1);
		assert.deepEqual(a.texts, ["1"]);
	});

	it("does not take back what was granted when a smaller window is said", () => {
		const rig = new Rig();
		const [a] = rig.join(1, { delivered: 0, window: windowOf(3) }) as [TestLink];
		rig.say("1");
		rig.acknowledge([[a, 1]], 1, windowOf(1));
		assert.deepEqual(rig.say("2", "3", "4"), ["sent", "sent", "waiting"]);
	});

	it("takes no grant from an ack that was overtaken by another", () => {
		const rig = new Rig();
		const [a] = rig.join(1, { delivered: 0, window: windowOf(3) }) as [TestLink];
		rig.say("1", "2", "3");
		rig.acknowledge([[a, 3]], 3, 0);
		rig.acknowledge([[a, 1]], 1, windowOf(2));
		assert.deepEqual(rig.say("4"), ["waiting"]);
	});

	it("uses no more of a grant than its own windowBytes", () => {
		const rig = new Rig({ windowBytes: windowOf(2) });
		rig.join(1, { delivered: 0, window: Number.MAX_SAFE_INTEGER });
		assert.deepEqual(rig.say("1", "2", "3"), ["sent", "sent", "waiting"]);
	});

	it("refuses what would wait beyond maxWaitingBytes, and goes on when there is room", () => {
		const rig = new Rig({ maxWaitingBytes: windowOf(2) });
		const [a] = rig.join(1, { delivered: 0, window: windowOf(1) }) as [TestLink];
		assert.deepEqual(rig.say("1", "2", "3", "4"), ["sent", "waiting", "waiting", "full"]);
		rig.acknowledge([[a, 1]], 1, windowOf(3));
		assert.deepEqual(rig.events, ["writable"]);
		assert.deepEqual(rig.say("4"), ["sent"]);
		assert.deepEqual(a.texts, ["1", "2", "3", "4"]);
	});

	it("says when all was handed on", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		const done: string[] = [];
		rig.session.whenIdle(() => done.push("at once"));
		rig.say("1", "2");
		rig.session.whenIdle(() => done.push("later"));
		rig.acknowledge([[a, 2]], 1);
		assert.deepEqual(done, ["at once"]);
		rig.acknowledge([[a, 2]], 2);
		assert.deepEqual(done, ["at once", "later"]);
	});

	it("sends on other links what was given to a link that ends while it is written to", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		for (const link of [a, b]) link.onSend = () => rig.session.removeLink(link.link, link.incarnation);
		rig.say("1");
		assert.equal(rig.session.links, 0);
		assert.equal(rig.end, undefined);
		const again = new TestLink(0, 2);
		rig.join([again]);
		assert.deepEqual(again.texts, ["1"]);
	});

	it("keeps the order of many segments in a window that moves", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		for (let seq = 1; seq <= 1_000; seq++) {
			rig.say(String(seq));
			if (seq % 3 === 0) rig.acknowledge([[a, seq - 200 > 0 ? seq - 200 : 0]], Math.max(0, seq - 200));
		}
		assert.deepEqual(
			a.segments.map(({ seq }) => seq),
			Array.from({ length: 1_000 }, (_, at) => at + 1),
		);
		rig.session.receiveAcks(0, 1, acksOf([{ link: 0, incarnation: 1, received: 1_000 }], 1_000));
		assert.equal(rig.session.isIdle, true);
		assert.equal(rig.session.counters.keptBytes, 0);
	});
});
