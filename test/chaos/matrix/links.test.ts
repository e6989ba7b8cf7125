import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { Random } from "../../fuzz/frames/random.js";
import type { Load } from "../clients/load.js";
import type { Direction } from "../relayed-connection.js";
import { until } from "../until.js";
import { Act } from "./act.js";

const RESETS = 100;
const GAP_MS = 20;
const POOL = 5;

/** Waits until every client has so many more answers. */
async function answers(load: Load, more: number): Promise<void> {
	const wanted = load.books.map(({ answered }) => answered + more);
	await until(() => load.books.every(({ answered }, at) => answered >= (wanted[at] ?? 0)));
}

describe("chaos/matrix: links fail, and both processes live", function () {
	this.timeout(30_000);
	let act: Act;
	let load: Load;

	before(async () => {
		act = new Act();
		await act.open({ app: { tickMs: 20 } });
	});
	after(() => act.close());
	beforeEach(async () => {
		load = await act.load();
	});
	afterEach(() => load.leave());

	it(`loses, doubles and reorders nothing when a link is reset, ${RESETS} times`, async () => {
		const { relay } = act.stage;
		const random = new Random(RESETS);
		for (let at = 0; at < RESETS; at++) {
			relay.cutOne(random.below(1_000) / 1_000);
			await wait(GAP_MS);
		}
		await act.assertExactlyOnce(load);
		assert.ok(relay.taken > 2 * POOL, "links that were reset have come back");
	});

	it("loses, doubles and reorders nothing when all links are reset at once", async () => {
		const { relay } = act.stage;
		for (let at = 0; at < POOL; at++) {
			await answers(load, 5);
			relay.cut();
		}
		await act.assertExactlyOnce(load);
	});

	it("holds everything while nobody can be reached for a second, and then delivers it", async () => {
		const { relay } = act.stage;
		await answers(load, 5);
		relay.off();
		relay.cut();
		await wait(1_000);
		relay.on();
		await answers(load, 5);
		await act.assertExactlyOnce(load);
	});

	const ways: readonly (readonly Direction[])[] = [["up", "down"], ["up"], ["down"]];
	for (const directions of ways) {
		it(`goes on while a link is half-open: nothing comes through ${directions.join(" and ")}`, async () => {
			const { relay } = act.stage;
			await answers(load, 5);
			relay.one(0.5)?.halfOpen(...directions);
			// It is not mended: all clients are served by the other links.
			await answers(load, 20);
			await act.assertExactlyOnce(load);
		});
	}

	it("loses, doubles and reorders nothing when links stall for 200 ms", async () => {
		const { relay } = act.stage;
		const random = new Random(POOL);
		for (let at = 0; at < 2 * POOL; at++) {
			relay.one(random.below(1_000) / 1_000)?.stall(200);
			await answers(load, 3);
		}
		relay.stall(200);
		await answers(load, 3);
		await act.assertExactlyOnce(load);
	});
});
