import assert from "node:assert/strict";
import type { Place } from "../processes/place.js";
import { until } from "../until.js";
import { Act, VIEWS } from "./act.js";

const CLIENTS = 10;
const GRACE_MS = 500;

/** Connection ids of clients that an app server says it has lost, or let go, with the reason. */
function disconnected(app: Place): { readonly disconnected: string; readonly reason: string }[] {
	return app.told((told) => ("disconnected" in told ? told : undefined));
}

const connected = (place: Place): string[] =>
	place.told((told) => ("connected" in told ? told.connected : undefined));
const disposed = (app: Place): string[] =>
	app.told((told) => ("disposed" in told ? told.disposed : undefined));

describe("chaos/matrix: a proxy dies or stops", function () {
	this.timeout(30_000);
	let act: Act;

	beforeEach(() => {
		act = new Act();
	});
	afterEach(() => act.close());

	it("has the app server end the clients of a killed proxy once each, and dispose their view models", async () => {
		const accept = { proxyGraceMs: GRACE_MS };
		const { app, proxies } = await act.open({ kind: "views", proxies: 2, app: { accept } });
		const [dying, staying] = proxies as unknown as [Place, Place];
		const lost = await act.views(CLIENTS, dying);
		const kept = await act.views(CLIENTS, staying);
		await dying.kill();
		await Promise.all(lost.map(({ client }) => client.ended));
		// Meanwhile the others are served, and those that were lost come back through another door.
		await Promise.all(kept.map((view) => view.update("Counter", { Add: 1 })));
		const back = await act.views(CLIENTS, staying);
		await until(() => disconnected(app).length >= CLIENTS && disposed(app).length >= CLIENTS);
		await Promise.all([...kept, ...back].map((view) => view.update("Counter", { Add: 1 })));
		const ids = connected(dying).toSorted();
		assert.equal(ids.length, CLIENTS);
		assert.deepEqual(
			disconnected(app).toSorted((a, b) => a.disconnected.localeCompare(b.disconnected, "en")),
			ids.toSorted((a, b) => a.localeCompare(b, "en")).map((id) => ({ disconnected: id, reason: "lost" })),
		);
		assert.deepEqual(disposed(app).toSorted(), ids);
		await until(() =>
			back.every((view) => VIEWS.every((vmId) => view.value(vmId, "Incarnation") !== undefined)),
		);
		assert.deepEqual(
			[...kept, ...back].filter(({ hasEnded }) => hasEnded),
			[],
		);
	});

	it("answers calls that run, then sends its clients Close with allowReconnect, when it is asked to end", async () => {
		const { app, proxy } = await act.open();
		const clients = await Promise.all(Array.from({ length: CLIENTS }, () => act.client()));
		const answers = Promise.all(clients.map((client) => client.invoke("slow", 200)));
		await until(() => app.told((told) => ("called" in told ? told.called : undefined)).length === CLIENTS);
		assert.equal(await proxy.stop(), 0);
		assert.deepEqual(await answers, Array(CLIENTS).fill(200));
		for (const { ended } of clients) {
			const { how, allowReconnect } = await ended;
			assert.deepEqual({ how, allowReconnect }, { how: "closed", allowReconnect: true });
		}
		await until(() => disconnected(app).length >= CLIENTS);
		const ids = disconnected(app).map(({ disconnected: id }) => id);
		assert.deepEqual(ids.toSorted(), connected(proxy).toSorted());
	});
});
