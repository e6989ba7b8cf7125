import assert from "node:assert/strict";
import type { Load } from "../clients/load.js";
import type { Place } from "../processes/place.js";
import { until } from "../until.js";
import { Act } from "./act.js";

const FILL_MESSAGES = 30_000;
const FLOOD = 10_000;

async function answers(load: Load, more: number): Promise<void> {
	const wanted = load.books.map(({ answered }) => answered + more);
	await until(() => load.books.every(({ answered }, at) => answered >= (wanted[at] ?? 0)));
}

const gone = (proxy: Place): string[] =>
	proxy.told((told) => ("disconnected" in told ? told.disconnected : undefined));

describe("chaos/matrix: clients that read too slowly, or send too fast", function () {
	this.timeout(30_000);
	let act: Act;

	before(async () => {
		act = new Act();
		await act.open();
	});
	after(() => act.close());

	it("ends a client that does not read what it is sent, and serves the others meanwhile", async () => {
		const { stage } = act;
		const load = await act.load({ clients: 5 });
		const slow = await act.client();
		slow.pause();
		slow.send("fill", FILL_MESSAGES);
		await until(() => gone(stage.proxy).length === 1);
		await answers(load, 20);
		slow.resume();
		assert.notEqual((await slow.ended).how, "left");
		assert.equal(load.lives.length, 5, "nobody else was disconnected");
		await act.assertExactlyOnce(load);
	});

	it("takes all of a client that sends without waiting, once and in order, and serves the others meanwhile", async () => {
		const load = await act.load({ clients: 6 });
		const [flooder] = load.open;
		assert.ok(flooder);
		for (let at = 0; at < FLOOD; at++) assert.ok(flooder.note());
		await answers(load, 20);
		await act.assertExactlyOnce(load);
		assert.ok(flooder.book.sent > FLOOD);
	});
});
