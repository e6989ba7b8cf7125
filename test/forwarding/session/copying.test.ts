import assert from "node:assert/strict";
import { Rig, TestLink } from "./rig.js";

/** Three links; "1", "2" and "3" went on the first, second and third of the answer. */
function three(rig: Rig): [TestLink, TestLink, TestLink] {
	const links = rig.join(3);
	rig.say("1", "2", "3");
	return links.toSorted((one, other) => Number(one.texts[0]) - Number(other.texts[0])) as [
		TestLink,
		TestLink,
		TestLink,
	];
}

/** Three links of which the first holds "1" up: the link itself, the one that got a copy of it, and the third. */
function overtaken(rig: Rig): [TestLink, TestLink, TestLink] {
	const [a, b, c] = three(rig);
	rig.acknowledge([
		[b, 1],
		[c, 1],
	]);
	rig.clock.advance(30);
	return b.texts.includes("1") ? [a, b, c] : [a, c, b];
}

const textsOf = (links: readonly TestLink[]): string[] => links.flatMap(({ texts }) => texts).sort();

describe("forwarding/session/copying", () => {
	it("copies what is older than 20 ms once something later was acknowledged, and suspects its link", () => {
		const rig = new Rig();
		const [a, b, c] = three(rig);
		rig.clock.advance(1);
		rig.acknowledge([[b, 1]]);
		rig.clock.advance(18);
		assert.deepEqual(textsOf([a, b, c]), ["1", "2", "3"]);
		rig.clock.advance(6);
		assert.deepEqual(textsOf([b, c]), ["1", "2", "3"]);
		assert.deepEqual(rig.events, [`${a.link}.1 suspect`]);
		assert.equal(rig.session.counters.copies, 1);
		assert.equal(rig.session.counters.suspicions, 1);
		rig.say("4", "5", "6");
		assert.deepEqual(a.texts, ["1"], "round robin passes a suspect by");
	});

	it("copies nothing that was sent later than what was acknowledged", () => {
		const rig = new Rig();
		const [a, b, c] = three(rig);
		rig.acknowledge(
			[
				[b, 1],
				[a, 1],
			],
			2,
		);
		rig.clock.advance(70);
		assert.deepEqual(textsOf([a, b, c]), ["1", "2", "3"]);
		assert.deepEqual(rig.events, []);
	});

	it("trusts a suspect again when it acknowledges something", () => {
		const rig = new Rig();
		const [a, b] = three(rig);
		rig.acknowledge([[b, 1]]);
		rig.clock.advance(30);
		rig.acknowledge([[a, 1]], 2);
		assert.deepEqual(rig.events, [`${a.link}.1 suspect`, `${a.link}.1 well`]);
		const before = a.texts.length;
		rig.say("4", "5", "6");
		assert.equal(a.texts.length, before + 1);
	});

	it("leaves a peer that was busy a moment to get round to all of its links", () => {
		const rig = new Rig();
		const links = rig.join(3);
		const ackAll = (all: readonly TestLink[]): void =>
			rig.acknowledge(all.map((link) => [link, link.segments.length] as const));
		rig.say("0");
		rig.clock.advance(1);
		ackAll(links);
		rig.say("1", "2", "3");
		rig.clock.advance(59);
		const last = links.find(({ texts }) => texts.at(-1) === "3") as TestLink;
		ackAll([last]);
		assert.ok(rig.session.counters.roundTripMs < 10);
		rig.clock.advance(5);
		assert.equal(rig.session.counters.copies, 0);
		ackAll(links);
		rig.clock.advance(100);
		assert.equal(rig.session.counters.copies, 0);
		assert.deepEqual(rig.events, []);
	});

	it("copies a segment from each incarnation once, and never to where it was", () => {
		const rig = new Rig();
		const [a, b, c] = three(rig);
		rig.acknowledge([[c, 1]]);
		rig.clock.advance(30);
		assert.equal(rig.session.counters.copies, 2, "both that were sent before it");
		assert.deepEqual(c.texts.toSorted(), ["1", "2", "3"]);
		rig.clock.advance(5_000);
		assert.equal(rig.session.counters.copies, 2);
		assert.deepEqual([a.texts, b.texts], [["1"], ["2"]]);
	});

	it("copies a copy again when the link that took it holds it up, too", () => {
		const rig = new Rig();
		const [a, holder, other] = overtaken(rig);
		rig.say("4", "5");
		rig.clock.advance(1);
		rig.acknowledge([[other, other.segments.length]]);
		rig.clock.advance(30);
		assert.ok(other.texts.includes("1"));
		assert.deepEqual(rig.events, [`${a.link}.1 suspect`, `${holder.link}.1 suspect`]);
	});

	it("copies nothing that has come after all on the link that held it up", () => {
		const rig = new Rig();
		const [a, holder, other] = overtaken(rig);
		const acknowledgeAll = (link: TestLink): void => rig.acknowledge([[link, link.segments.length]]);
		acknowledgeAll(a);
		rig.say("4", "5", "6");
		for (const link of [a, other]) acknowledgeAll(link);
		rig.clock.advance(50);
		assert.ok(rig.events.includes(`${holder.link}.1 suspect`));
		const again = [a, holder, other].flatMap(({ texts }) => texts).filter((text) => text === "1");
		assert.equal(again.length, 2);
	});

	it("sends what is on a lost link only, not what was copied from it", () => {
		const rig = new Rig();
		const [a, holder] = overtaken(rig);
		rig.session.removeLink(a.link, 1);
		assert.equal(rig.session.counters.resent, 0);
		rig.session.removeLink(holder.link, 1);
		assert.equal(rig.session.counters.resent, 1);
	});

	it("copies one segment at a time, to each link once, while nothing at all is acknowledged", () => {
		const rig = new Rig();
		const links = three(rig);
		rig.clock.advance(79);
		assert.equal(rig.session.counters.copies, 0);
		rig.clock.advance(6);
		assert.equal(rig.session.counters.copies, 1);
		rig.clock.advance(85);
		assert.equal(rig.session.counters.copies, 2);
		rig.clock.advance(10_000);
		assert.equal(rig.session.counters.copies, 2);
		assert.deepEqual(textsOf(links), ["1", "1", "1", "2", "3"]);
		assert.deepEqual(rig.events, [], "the peer is slow, or away: no link is to blame");
	});

	it("finds by such a copy that the last segment of all is held up", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		rig.say("1");
		const [holder, other] = a.texts.length > 0 ? [a, b] : [b, a];
		rig.clock.advance(85);
		assert.deepEqual(other.texts, ["1"]);
		rig.acknowledge([[other, 1]], 1);
		rig.clock.advance(10);
		assert.deepEqual(rig.events, [`${holder.link}.1 suspect`]);
		rig.say("2", "3");
		assert.deepEqual(holder.texts, ["1"]);
	});

	it("copies nothing while only one link is up, and copies when there is another", () => {
		const rig = new Rig();
		const [a, b, c] = three(rig);
		rig.session.removeLink(b.link, 1);
		rig.session.removeLink(c.link, 1);
		rig.clock.advance(1_000);
		assert.equal(rig.session.counters.copies, 0);
		assert.deepEqual(a.texts, ["1", "2", "3"]);
		const next = new TestLink(b.link, 2);
		rig.join([next]);
		rig.clock.advance(10);
		assert.deepEqual(next.texts, ["1"]);
	});

	it("waits for four round trips where these are long", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		rig.say("1", "2");
		rig.clock.advance(30);
		rig.acknowledge(
			[
				[a, 1],
				[b, 1],
			],
			2,
		);
		rig.say("3", "4");
		const later = [a, b].find(({ texts }) => texts[1] === "4") as TestLink;
		rig.clock.advance(30);
		rig.acknowledge([[later, 2]], 2);
		rig.clock.advance(85);
		assert.equal(rig.session.counters.copies, 0);
		rig.clock.advance(10);
		assert.equal(rig.session.counters.copies, 1);
	});

	it("goes on with a suspect when all links are suspect", () => {
		const rig = new Rig();
		const [a, b, c] = three(rig);
		rig.acknowledge([[c, 1]]);
		rig.clock.advance(30);
		assert.equal(rig.events.length, 2);
		rig.acknowledge([[c, c.segments.length]]);
		rig.session.removeLink(c.link, 1);
		rig.clock.advance(1);
		rig.say("4");
		assert.equal([a, b].filter(({ texts }) => texts.includes("4")).length, 1);
	});

	it("closes a link that was suspect for 15 s", () => {
		const rig = new Rig();
		const [a, b, c] = three(rig);
		rig.acknowledge([
			[b, 1],
			[c, 1],
		]);
		rig.clock.advance(25);
		rig.acknowledge(
			[
				[b, b.segments.length],
				[c, c.segments.length],
			],
			3,
		);
		rig.clock.advance(14_990);
		assert.deepEqual(rig.events, [`${a.link}.1 suspect`]);
		rig.clock.advance(20);
		assert.deepEqual(rig.events, [`${a.link}.1 suspect`, `close ${a.link}.1 ERR_LINK_STALLED`]);
		assert.equal(rig.session.links, 2);
		assert.equal(rig.session.counters.violations, 0);
	});

	it("paces copies to a tenth of the traffic, and makes all of them at last", () => {
		const rig = new Rig();
		const [a, b] = rig.join(2) as [TestLink, TestLink];
		for (let number = 0; number < 400; number++) rig.say("x".repeat(1_000));
		rig.acknowledge([[b, 200]]);
		rig.clock.advance(25);
		const held = 400 - 200 - 1 + (b.segments[0]?.seq === 1 ? 0 : 1);
		const atOnce = rig.session.counters.copies;
		assert.ok(atOnce > 50 && atOnce < 150, String(atOnce));
		rig.clock.advance(100);
		assert.equal(rig.session.counters.copies, held);
		assert.equal(a.segments.length, 200);
	});

	it("closes a link on which more goes uncounted than fits the window, though it is handed on", () => {
		const rig = new Rig({ windowBytes: 640 });
		const [a] = rig.join(1) as [TestLink];
		for (let seq = 1; seq <= 1_100; seq++) {
			rig.say("");
			rig.acknowledge([[a, 0]], seq);
		}
		rig.clock.advance(5);
		assert.deepEqual(rig.events, ["close 0.1 ERR_LINK_PROTOCOL"]);
	});

	it("has no timer while nothing is under way", () => {
		const rig = new Rig();
		const [a] = rig.join(1) as [TestLink];
		rig.say("1");
		rig.acknowledge([[a, 1]], 1);
		rig.clock.advance(1_000);
		assert.equal(rig.clock.pending, 0);
	});
});
