import assert from "node:assert/strict";
import { unlessAccounted } from "../books/reconcile.js";
import { tableOf } from "../books/table.js";
import type { ViewClient } from "../clients/view-client.js";
import type { Place } from "../processes/place.js";
import { until } from "../until.js";
import { Act } from "./act.js";

const CLIENTS = 20;

/** Pages by the process that made what they show. */
function madeBy(views: readonly ViewClient[], app: Place): ViewClient[] {
	return views.filter((view) => view.value("Counter", "Incarnation") === app.incarnation);
}

describe("chaos/matrix: five links to an address behind which two processes stand", function () {
	this.timeout(30_000);
	let act: Act;

	beforeEach(() => {
		act = new Act();
	});
	afterEach(() => act.close());

	it("brings each client to one of them, exactly once and in order, through lost links", async () => {
		const { apps, relay, book } = await act.open({ apps: 2 });
		const load = await act.load({ clients: CLIENTS });
		for (let at = 0; at < 20; at++) {
			const since = load.messages;
			relay.cutOne(at / 20);
			await until(() => load.messages > since + CLIENTS);
		}
		await act.assertExactlyOnce(load);
		const owners = [...book.downs.values()].map((counts) => [...counts.keys()]);
		assert.ok(
			owners.every(({ length }) => length === 1),
			"nobody changes to the other one",
		);
		assert.equal(new Set(owners.flat()).size, apps.length, "both have clients");
	});

	it("loses only the clients of the one that is killed, and accounts for every message", async () => {
		const stage = await act.open({ apps: 2 });
		const load = await act.load({ clients: CLIENTS });
		await until(() => load.books.every(({ answered }) => answered > 5));
		await stage.app.kill();
		await until(() => load.open.length === CLIENTS && load.open.every(({ book }) => book.answered > 5));
		const found = await act.compare(load);
		assert.deepEqual(unlessAccounted(found), [], tableOf(found));
		assert.ok(
			load.lives.some(({ book }) => book.isWhole),
			"clients of the other one stay",
		);
		assert.ok(
			load.lives.some(({ book }) => book.end?.allowReconnect),
			"clients of the killed one come back",
		);
	});

	it("makes views current again at the other one when theirs is killed, and disconnects nobody", async () => {
		const { apps, app } = await act.open({ kind: "views", apps: 2 });
		const views = await act.views(CLIENTS);
		await until(() => apps.every((each) => madeBy(views, each).length > 0));
		await app.kill();
		await until(() => madeBy(views, app).length === 0);
		await Promise.all(views.map((view) => view.update("Counter", { Add: 1 })));
		await until(() => views.every((view) => Number(view.value("Counter", "Count")) >= 1));
		assert.deepEqual(
			views.filter(({ hasEnded }) => hasEnded),
			[],
		);
	});
});

describe("chaos/matrix: replicas", function () {
	this.timeout(30_000);
	let act: Act;

	beforeEach(() => {
		act = new Act();
	});
	afterEach(() => act.close());

	it("make views current again where one of them is killed, and disconnect nobody", async () => {
		const { apps, proxies } = await act.open({ kind: "views", apps: 2, proxies: 2, areReplicas: true });
		const views = (await Promise.all(proxies.map((proxy) => act.views(CLIENTS / 2, proxy)))).flat();
		const [killed, staying] = apps as unknown as [Place, Place];
		assert.ok(
			apps.every((app) => madeBy(views, app).length > 0),
			"both have clients",
		);
		const kept = madeBy(views, staying);
		await Promise.all(kept.map((view) => view.update("Counter", { Add: 5 })));
		await killed.kill();
		await until(() => madeBy(views, staying).length === CLIENTS);
		await Promise.all(views.map((view) => view.update("Counter", { Add: 1 })));
		await until(() =>
			views.every((view) => view.value("Counter", "Count") === (kept.includes(view) ? 6 : 1)),
		);
		assert.deepEqual(
			views.filter(({ hasEnded }) => hasEnded),
			[],
		);
	});
});
