import assert from "node:assert/strict";
import type { Load } from "../clients/load.js";
import type { Place } from "../processes/place.js";
import type { Facts } from "../processes/settings.js";
import { until } from "../until.js";
import { Act } from "./act.js";

const FILL_MESSAGES = 200;
const FILL_BYTES = 1_000;
const FLOOD = 10_000;
/** What may wait for a client at its proxy, by default. */
const CAP_BYTES = 1_024 * 1_024;
/** What may wait of a client for its turn at the app server, and at the proxy for room there. */
const HELD_BYTES = 256 * 1_024;
/** What is on its way at once: a socket's chunk, a turn's segment. */
const PIECE_BYTES = 64 * 1_024;

async function answers(load: Load, more: number): Promise<void> {
	const wanted = load.books.map(({ answered }) => answered + more);
	await until(() => load.books.every(({ answered }, at) => answered >= (wanted[at] ?? 0)));
}

const gone = (proxy: Place): string[] =>
	proxy.told((told) => ("disconnected" in told ? told.disconnected : undefined));

/** The most that was ever held of clients and for them. */
interface Held {
	/** At the proxy, for the client with most. */
	atProxy: number;
	/** At the app server, for the proxy: kept until it is handed on, and waiting for room. */
	forProxy: number;
	/** Messages of clients that wait, at either end. */
	queued: number;
}

/** Looks at what both processes hold until `isOver`. */
async function watch({ stage }: Act, isOver: () => boolean): Promise<Held> {
	const held: Held = { atProxy: 0, forProxy: 0, queued: 0 };
	const queued = ({ links }: Facts): number => links.reduce((sum, link) => sum + (link.queuedBytes ?? 0), 0);
	do {
		const [proxy, app] = await Promise.all([
			stage.proxy.ask({ ask: "facts" }),
			stage.app.ask({ ask: "facts" }),
		]);
		held.atProxy = Math.max(held.atProxy, proxy.buffered.most);
		held.queued = Math.max(held.queued, queued(proxy), queued(app));
		for (const { counters } of app.links) held.forProxy = Math.max(held.forProxy, counters?.keptBytes ?? 0);
	} while (!isOver());
	return held;
}

describe("chaos/matrix: clients that read too slowly, or send too fast", function () {
	this.timeout(30_000);
	let act: Act;

	before(async () => {
		act = new Act();
		await act.open();
	});
	after(() => act.close());

	it("ends a client that does not read what it is sent, holds no more for it than the cap, and serves the others meanwhile", async () => {
		const { stage } = act;
		const load = await act.load({ clients: 5 });
		const slow = await act.client();
		slow.pause();
		const held = await watch(act, () => {
			slow.send("fill", FILL_MESSAGES);
			return gone(stage.proxy).length === 1;
		});
		await answers(load, 20);
		slow.resume();
		assert.notEqual((await slow.ended).how, "left");
		assert.equal(load.lives.length, 5, "nobody else was disconnected");
		await act.assertExactlyOnce(load);
		assert.ok(
			held.atProxy > 0 && held.atProxy <= CAP_BYTES + PIECE_BYTES,
			`${held.atProxy} bytes at the proxy`,
		);
		const fills = FILL_MESSAGES * FILL_BYTES * 4;
		assert.ok(held.forProxy <= fills, `the app server kept ${held.forProxy} bytes for the proxy`);
		assert.ok(held.queued <= HELD_BYTES, `${held.queued} bytes of clients waited`);
	});

	it("takes all of a client that sends without waiting, once and in order, holds little of it, and serves the others meanwhile", async () => {
		const load = await act.load({ clients: 6 });
		const [flooder] = load.open;
		assert.ok(flooder);
		for (let at = 0; at < FLOOD; at++) assert.ok(flooder.note());
		let isServed = false;
		const served = answers(load, 20).then(() => {
			isServed = true;
		});
		const held = await watch(act, () => isServed);
		await served;
		await act.assertExactlyOnce(load);
		assert.ok(flooder.book.sent > FLOOD);
		assert.ok(held.queued <= HELD_BYTES + PIECE_BYTES, `${held.queued} bytes of clients waited`);
		assert.ok(held.atProxy <= CAP_BYTES + PIECE_BYTES, `${held.atProxy} bytes at the proxy`);
	});
});
