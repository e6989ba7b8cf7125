import assert from "node:assert/strict";
import { unlessAccounted } from "../books/reconcile.js";
import { tableOf } from "../books/table.js";
import type { Place } from "../processes/place.js";
import { until } from "../until.js";
import { Act, VIEWS } from "./act.js";

const CLIENTS = 10;
/** Instead of 15 s. */
const GRACE_MS = 500;

describe("chaos/matrix: proxy and app server do not reach each other for longer than a session lives", function () {
	this.timeout(60_000);
	let act: Act;

	beforeEach(() => {
		act = new Act();
	});
	afterEach(() => act.close());

	it("ends the clients at the app server once each, and opens them again at the same pages", async () => {
		const stage = await act.open({ kind: "views", app: { accept: { proxyGraceMs: GRACE_MS } } });
		const { app, proxy, relay } = stage;
		const views = await act.views(CLIENTS);
		await Promise.all(views.map((view) => view.update("Counter", { Add: 3 })));
		relay.off();
		relay.cut();
		await until(
			() => app.told((told) => ("disconnected" in told ? told.reason : undefined)).length >= CLIENTS,
		);
		relay.on();
		// A new view model of the same process counts from the beginning.
		await until(() => views.every((view) => view.value("Counter", "Count") === 0));
		await Promise.all(views.map((view) => view.update("Counter", { Add: 1 })));
		await until(() => views.every((view) => view.value("Counter", "Count") === 1));
		const ended = app.told((told) => ("disconnected" in told ? told : undefined));
		assert.deepEqual(
			ended.toSorted((a, b) => (a.disconnected < b.disconnected ? -1 : 1)),
			proxy
				.told((told) => ("connected" in told ? told.connected : undefined))
				.toSorted()
				.map((id) => ({ disconnected: id, reason: "lost" })),
		);
		assert.deepEqual(
			views.filter(({ hasEnded }) => hasEnded),
			[],
		);
		assert.ok(
			views.every((view) => VIEWS.every((vmId) => view.value(vmId, "Incarnation") === app.incarnation)),
		);
	});

	it("finds out by silence where nothing comes through and nobody is told, and makes every view current again", async () => {
		const accept = { proxyGraceMs: GRACE_MS };
		const proxyOptions = { forwarding: { sessionTimeoutMs: GRACE_MS, connectionPoolSize: 2 } };
		const stage = await act.open({ kind: "views", app: { accept }, proxy: proxyOptions });
		const { app, proxy, relay } = stage;
		const views = await act.views(CLIENTS);
		await Promise.all(views.map((view) => view.update("Counter", { Add: 3 })));
		relay.hold();
		const links = async (place: Place): Promise<number> =>
			(await place.ask({ ask: "facts" })).links.reduce((sum, { links: up }) => sum + up, 0);
		const ended = (): string[] =>
			app.told((told) => ("disconnected" in told ? `${told.disconnected} ${told.reason}` : undefined));
		// Each end by itself, after LINK_SILENCE_MS: neither has heard of the other's end.
		await until(async () => (await links(proxy)) === 0);
		await until(() => ended().length >= CLIENTS);
		assert.equal(await links(app), 0);
		const waiting = Promise.all(views.map((view) => view.update("Counter", { Add: 1 })));
		relay.on();
		await waiting;
		await until(() => views.every((view) => view.value("Counter", "Count") === 1));
		const ids = proxy.told((told) => ("connected" in told ? told.connected : undefined));
		assert.deepEqual(ended().toSorted(), ids.map((id) => `${id} lost`).toSorted());
		assert.deepEqual(
			views.filter(({ hasEnded }) => hasEnded),
			[],
		);
	});

	it("sends clients of other hubs away, and accounts for every message", async () => {
		const stage = await act.open({ app: { accept: { proxyGraceMs: GRACE_MS } } });
		const load = await act.load({ clients: CLIENTS });
		const first = load.open;
		stage.relay.off();
		stage.relay.cut();
		await until(
			() => stage.app.told((told) => ("disconnected" in told ? told.reason : undefined)).length >= CLIENTS,
		);
		stage.relay.on();
		await until(() => first.every(({ book }) => book.end?.allowReconnect === true));
		await until(() => load.open.length === CLIENTS && load.open.every(({ book }) => book.answered > 5));
		const found = await act.compare(load);
		assert.deepEqual(unlessAccounted(found), [], tableOf(found));
	});
});
