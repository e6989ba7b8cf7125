import assert from "node:assert/strict";
import { unlessAccounted } from "../books/reconcile.js";
import { tableOf } from "../books/table.js";
import type { ViewClient } from "../clients/view-client.js";
import type { Stage } from "../stage.js";
import { until } from "../until.js";
import { Act } from "./act.js";

const BLOCK_MS = 2_000;
const WINDOW_BYTES = 64 * 1_024;
/** Messages that a client sends meanwhile, and at a time: far more than the window holds. */
const FLOOD = 4_000;
const BURST = 200;

/** Pages go on: what one of them changes is done, and what is shared is seen by all. */
async function assertAlive(views: readonly ViewClient[]): Promise<void> {
	const before = views.map((view) => Number(view.value("Counter", "Count")));
	await Promise.all(views.map((view) => view.update("Counter", { Add: 2 })));
	await views[0]?.update("Board", { Add: 7 });
	await until(() => views.every((view, at) => view.value("Counter", "Count") === (before[at] ?? 0) + 2));
	await until(() =>
		views.every((view) => view.value("Board", "Total") === views[0]?.value("Board", "Total")),
	);
	assert.deepEqual(
		views.filter(({ hasEnded }) => hasEnded),
		[],
		"nobody is disconnected",
	);
}

/** Waits until a method of the app server runs. */
async function called({ app }: Stage, name: string): Promise<void> {
	await until(() => app.told((told) => "called" in told && told.called === name).includes(true));
}

/** Bytes that a proxy keeps of what its clients have sent: on their way, and waiting. */
async function heldAtProxy({ proxy }: Stage): Promise<number> {
	const { links } = await proxy.ask({ ask: "facts" });
	return links.reduce(
		(sum, { counters, queuedBytes = 0 }) => sum + (counters?.keptBytes ?? 0) + queuedBytes,
		0,
	);
}

describe("chaos/matrix: the app server dies, stops or stands still", function () {
	this.timeout(30_000);
	let act: Act;

	beforeEach(() => {
		act = new Act();
	});
	afterEach(() => act.close());

	it("makes every view current again after it was killed and restarted, and disconnects nobody", async () => {
		const stage = await act.open({ kind: "views" });
		const [views, page] = await Promise.all([act.views(40), act.page()]);
		page.connect("Counter");
		page.connect("Ticker");
		await page.shows("Ticker", ({ Ticks }) => Number(Ticks) > 2);
		page.dispatch("Counter", { Add: 3 });
		await page.shows("Counter", ({ Count }) => Count === 3);
		await assertAlive(views);
		const from = page.events.length;
		await stage.app.kill();
		await stage.app.start();
		await act.current(views);
		await assertAlive(views);
		for (const vmId of ["Counter", "Ticker"]) {
			await page.shows(vmId, ({ Incarnation }) => Incarnation === stage.app.incarnation);
		}
		await page.shows("Ticker", ({ Ticks }) => Number(Ticks) > 2);
		page.dispatch("Counter", { Add: 1 });
		await page.shows("Counter", ({ Count }) => Count === 1);
		const heard = page.events
			.slice(from)
			.filter(({ event }) => event === "connection" || event === "exception");
		assert.deepEqual(heard, [], "the stock client has noticed nothing");
	});

	it("fails calls that wait and streams of both kinds with a named error when it is killed", async () => {
		const stage = await act.open();
		const client = await act.client();
		const pending = [
			client.stream("count", Number.MAX_SAFE_INTEGER),
			client.upload("sum", [1, 2], { isOpen: true }),
			client.upload("double", [1, 2], { isOpen: true, isStream: true }),
			client.invoke("hang"),
		];
		const ends = pending.map((each) =>
			each.then(
				() => "answered",
				({ message }: Error) => message,
			),
		);
		await called(stage, "hang");
		await stage.app.kill();
		await stage.app.start();
		for (const end of await Promise.all(ends)) assert.match(end, /ERR_FORWARD_LINK_LOST/);
	});

	it("sends clients of other hubs Close with allowReconnect when it is killed, and accounts for every message", async () => {
		const stage = await act.open({ proxies: 2 });
		const load = await act.load();
		const first = load.open;
		await stage.app.kill();
		await stage.app.start();
		await until(() => load.open.length === 10 && first.every(({ book }) => book.end !== undefined));
		for (const { book } of first)
			assert.deepEqual(book.end, { how: "closed", allowReconnect: true, error: book.end?.error });
		const since = load.open.map(({ book }) => book.answered);
		await until(() => load.open.every(({ book }, at) => book.answered > (since[at] ?? 0) + 5));
		const found = await act.compare(load);
		assert.deepEqual(unlessAccounted(found), [], tableOf(found));
	});

	it("makes every view current again after it was asked to end, and disconnects nobody", async () => {
		const stage = await act.open({ kind: "views" });
		const views = await act.views(20);
		await assertAlive(views);
		assert.equal(await stage.app.stop(), 0);
		await stage.app.start();
		await act.current(views);
		await assertAlive(views);
	});

	it("answers the calls that run when it is asked to end", async () => {
		const stage = await act.open();
		const client = await act.client();
		const answer = client.invoke("slow", 300);
		await called(stage, "slow");
		assert.equal(await stage.app.stop(), 0);
		assert.equal(await answer, 300);
		assert.equal((await client.ended).allowReconnect, true);
	});

	it(`delivers everything once and in order when it stood still for ${BLOCK_MS / 1_000} s, and the window bounds what its proxy holds`, async () => {
		const stage = await act.open({ proxy: { forwarding: { windowBytes: WINDOW_BYTES } } });
		const load = await act.load();
		const blocked = stage.app.ask({ ask: "block", ms: BLOCK_MS });
		let isBlocked = true;
		void blocked.then(() => {
			isBlocked = false;
		});
		let most = 0;
		while (isBlocked) {
			for (const life of load.open)
				if (life.book.sent < FLOOD) for (let at = 0; at < BURST; at++) life.note();
			most = Math.max(most, await heldAtProxy(stage));
		}
		const since = load.books.map(({ answered }) => answered);
		await until(() => load.books.every(({ answered }, at) => answered > (since[at] ?? 0) + 5));
		assert.equal(load.lives.length, 10, "nobody was disconnected");
		await act.assertExactlyOnce(load);
		assert.ok(most > WINDOW_BYTES / 2, `only ${most} bytes had to wait`);
		assert.ok(most <= 2 * WINDOW_BYTES, `${most} bytes at the proxy`);
	});
});
