import assert from "node:assert/strict";
import { FRESH, Rig, TestLink } from "./rig.js";

describe("forwarding/session/session", () => {
	it("is over when no link is up for 15 s, counted from the start", () => {
		const rig = new Rig();
		rig.say("1");
		rig.clock.advance(14_999);
		assert.equal(rig.session.isOver, false);
		rig.clock.advance(1);
		assert.deepEqual(rig.events, ["ended lost"]);
		assert.deepEqual(rig.end?.unsent.map(String), ["1"]);
		assert.equal(rig.clock.pending, 0);
	});

	it("goes on when a link comes in time", () => {
		const rig = new Rig();
		rig.join(2);
		for (const place of [0, 1]) rig.session.removeLink(place, 1);
		rig.clock.advance(14_999);
		rig.join([new TestLink(1, 2)]);
		rig.clock.advance(60_000);
		assert.deepEqual(rig.events, []);
		assert.equal(rig.session.links, 1);
	});

	it("says what was sent and not confirmed, and what was not sent, when it ends", () => {
		const rig = new Rig();
		const [a] = rig.join(1, { delivered: 0, window: 150 }) as [TestLink];
		rig.say("1", "2", "3", "4", "5");
		rig.acknowledge([[a, 1]], 1, 150);
		rig.session.end("restarted");
		assert.equal(rig.end?.reason, "restarted");
		assert.deepEqual(rig.end?.unconfirmed.map(String), ["2", "3", "4"]);
		assert.deepEqual(rig.end?.unsent.map(String), ["5"]);
		const { keptBytes, waitingBytes, earlyBytes, links } = rig.session.counters;
		assert.deepEqual([keptBytes, waitingBytes, earlyBytes, links], [0, 0, 0, 0]);
	});

	it("does nothing any more when it is over", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		rig.hear(b, 2);
		rig.say("1");
		rig.session.whenIdle(() => rig.events.push("idle"));
		assert.equal(rig.timersLeft(), 0);
		const written = a.segments.length + b.segments.length;
		rig.hear(a, 1);
		rig.acknowledge([[a, 1]], 1);
		rig.session.removeLink(0, 1);
		rig.session.setWindow(1);
		rig.session.rejectLink(1, 1, "no");
		assert.deepEqual(rig.say("2"), ["over"]);
		assert.equal(rig.session.hasRoom, false);
		assert.equal(rig.session.addLink(new TestLink(2), FRESH)?.code, "ERR_LINK_REFUSED");
		rig.session.end("lost");
		rig.clock.advance(60_000);
		assert.deepEqual(rig.events, ["ended closed"]);
		assert.deepEqual(rig.heard, []);
		assert.equal(a.segments.length + b.segments.length, written);
		assert.equal(rig.clock.pending, 0);
	});

	it("hands nothing on after it was ended while something was handed on", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		rig.onHeard = () => rig.session.end("closed");
		rig.hear(a, 2);
		rig.hear(a, 1);
		assert.deepEqual(rig.heard, ["1"]);
		assert.equal(rig.clock.pending, 0);
	});

	it("leaves no timer when it is ended while a link is closed", () => {
		const rig = new Rig({ suspectTimeoutMs: 50 });
		const links = rig.join(2);
		rig.say("1", "2");
		const later = links.find(({ texts }) => texts[0] === "2") as TestLink;
		rig.acknowledge([[later, 1]]);
		rig.onClose = () => rig.session.end("closed");
		rig.clock.advance(200);
		assert.equal(rig.end?.reason, "closed");
		assert.equal(rig.clock.pending, 0);
	});

	it("replaces a link by a later incarnation, and refuses an earlier one", () => {
		const rig = new Rig();
		rig.join([new TestLink(0, 2)]);
		assert.equal(rig.session.addLink(new TestLink(0, 1), FRESH)?.code, "ERR_LINK_REFUSED");
		assert.equal(rig.session.addLink(new TestLink(0, 2), FRESH)?.code, "ERR_LINK_REFUSED");
		rig.join([new TestLink(0, 3)]);
		rig.session.removeLink(0, 2);
		assert.equal(rig.session.links, 1);
		rig.session.removeLink(0, 3);
		assert.equal(rig.session.links, 0);
		assert.equal(rig.session.addLink(new TestLink(0, 3), FRESH)?.code, "ERR_LINK_REFUSED");
		assert.equal(rig.session.counters.violations, 0);
	});

	it("takes no link beyond maxLinks", () => {
		const rig = new Rig({ maxLinks: 2 });
		rig.join(2);
		assert.equal(rig.session.addLink(new TestLink(2), FRESH)?.code, "ERR_LINK_PROTOCOL");
		assert.equal(rig.session.links, 2);
	});

	it("ends at the third violation within a minute", () => {
		const rig = new Rig();
		rig.join(5);
		rig.session.rejectLink(0, 1, "It cannot be read.");
		rig.clock.advance(59_000);
		rig.session.rejectLink(1, 1, "It cannot be read.");
		rig.session.rejectLink(1, 1, "It cannot be read.");
		rig.clock.advance(1_000);
		rig.session.rejectLink(2, 1, "It cannot be read.");
		assert.equal(rig.session.isOver, false);
		rig.clock.advance(58_999);
		rig.session.rejectLink(3, 1, "It cannot be read.");
		assert.deepEqual(rig.events.slice(-2), ["close 3.1 ERR_LINK_PROTOCOL", "ended broken"]);
		assert.equal(rig.session.counters.violations, 4);
		assert.equal(rig.clock.pending, 0);
	});

	it("counts what it does", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		rig.say("1", "2");
		rig.hear(a, 1);
		rig.hear(b, 1);
		rig.clock.advance(5);
		rig.acknowledge(
			[
				[a, 1],
				[b, 1],
			],
			2,
		);
		const { sent, confirmed, received, delivered, doubles, lonelyAcks, links, roundTripMs, keptBytes } =
			rig.session.counters;
		assert.deepEqual(
			{ sent, confirmed, received, delivered, doubles, lonelyAcks, links, roundTripMs, keptBytes },
			{
				...{ sent: 2, confirmed: 2, received: 2, delivered: 1, doubles: 1 },
				...{ lonelyAcks: 1, links: 2, roundTripMs: 5, keptBytes: 0 },
			},
		);
	});
});
