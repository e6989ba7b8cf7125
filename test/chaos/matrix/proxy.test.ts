import assert from "node:assert/strict";
import { HttpTransportType, type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { Sequence } from "../books/sequence.js";
import type { Place } from "../processes/place.js";
import { HUB_PATH } from "../processes/settings.js";
import { Relay } from "../relay.js";
import { until } from "../until.js";
import { Act, VIEWS } from "./act.js";

const CLIENTS = 10;
const GRACE_MS = 500;
const RESETS = 8;
const NOTES = 20;
/** Names what one client sends, and its app server sends to it. */
const LIFE = 7;

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

describe("chaos/matrix: a load balancer resets the connection of a client with stateful reconnect", function () {
	this.timeout(30_000);
	let act: Act;
	let balancer: Relay;
	let connection: HubConnection;
	let downs: Sequence;
	let reconnects: number;
	let sent: number;

	beforeEach(async () => {
		act = new Act();
		const { proxy } = await act.open({ proxies: 2, proxy: { hub: { allowStatefulReconnects: true } } });
		balancer = await Relay.open(proxy.port);
		connection = new HubConnectionBuilder()
			.withUrl(balancer.url + HUB_PATH, { transport: HttpTransportType.WebSockets })
			.withStatefulReconnect()
			.withAutomaticReconnect([0, 50, 100, 200])
			.configureLogging(LogLevel.None)
			.build();
		[downs, reconnects, sent] = [new Sequence(), 0, 0];
		connection.on("down", (_incarnation: number, number: number) => downs.take(number));
		connection.onreconnecting(() => void reconnects++);
		await connection.start();
		await connection.invoke("hello", LIFE);
	});
	afterEach(async () => {
		await connection.stop();
		await balancer.close();
		await act.close();
	});

	/** Calls without an answer, and one with; resolves when that is answered. */
	async function burst(): Promise<void> {
		for (let notes = 0; notes < NOTES; notes++) void connection.send("note", LIFE, ++sent);
		const number = ++sent;
		assert.equal(await connection.invoke("echo", LIFE, number), number);
	}

	it("which resumes at the same proxy: nothing is lost, doubled or reordered, and the app server hears nothing of it", async () => {
		const { stage } = act;
		const id = connection.connectionId;
		for (let resets = 0; resets < RESETS; resets++) {
			const { taken } = balancer;
			const answered = burst();
			await new Promise((resolve) => setTimeout(resolve, resets));
			balancer.cut();
			await until(() => balancer.taken > taken);
			await answered;
		}
		await until(() => stage.read().up(LIFE).count === sent && downs.count === sent);
		const { doubled, reordered, count } = stage.read().up(LIFE);
		assert.deepEqual([count, doubled, reordered], [sent, 0, 0]);
		assert.deepEqual([downs.last, downs.doubled, downs.reordered], [sent, 0, 0]);
		assert.deepEqual([connection.connectionId, reconnects], [id, 0]);
		assert.deepEqual([connected(stage.app), disconnected(stage.app)], [[id], []]);
	});

	it("which is a new one at another proxy, and works on", async () => {
		const { stage } = act;
		const id = connection.connectionId;
		await burst();
		const [, other] = stage.proxies as unknown as [Place, Place];
		balancer.targets = [other.port];
		const back = new Promise((resolve) => connection.onreconnected(resolve));
		balancer.cut();
		const next = await back;
		assert.notEqual(next, id);
		await connection.invoke("hello", LIFE + 1);
		assert.equal(await connection.invoke("echo", LIFE + 1, 1), 1);
		assert.deepEqual([connected(other), reconnects], [[next], 1]);
		assert.deepEqual(connected(stage.app), [id, next]);
	});
});
