import assert from "node:assert/strict";
import { replicas, useForwarding } from "../../../lib/forwarding/index.js";
import type { HubObserver } from "../../../lib/index.js";
import { until } from "../../hub/live.js";
import { Scene, SECRET, type Station } from "../support/scene.js";

const LINK = { secret: SECRET, reconnect: { delaysMs: [0, 10], jitter: 0 }, connectionPoolSize: 2 };

type Heard = { readonly name: string; readonly facts: Record<string, unknown> };

/** Keeps what an observer hears of links. */
function listen({ hub }: Station, scene: Scene): Heard[] {
	const heard: Heard[] = [];
	const names = [
		"linkUp",
		"linkDown",
		"linkSessionOpened",
		"linkSessionEnded",
		"clientsRecovered",
		"clientMigrated",
		"clientHeld",
		"clientReleased",
	] as const;
	const members = names.map((name) => [
		name,
		(facts: object) => {
			heard.push({ name, facts: facts as Record<string, unknown> });
			scene.watch.changed();
		},
	]);
	hub.observe(Object.fromEntries(members) as HubObserver);
	return heard;
}

const namesOf = (heard: readonly Heard[]): string[] => heard.map(({ name }) => name);
const factsOf = (heard: readonly Heard[], name: string) =>
	heard.find((each) => each.name === name)?.facts as Record<string, unknown>;

describe("forwarding/native/observing", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	async function proxyTo(...urls: string[]): Promise<Station> {
		const target = urls.length === 1 ? String(urls[0]) : replicas(urls);
		return scene.station({ setUp: (hub) => void hub.use(useForwarding(target, LINK)) });
	}

	const linksOf = ({ hub }: Station): number => hub.links().reduce((sum, { links }) => sum + links, 0);

	it("both ends tell of links and sessions, when they come, and why they go", async () => {
		const app = await scene.app();
		const relay = await scene.relay(app.port);
		const atApp = listen(app, scene);
		const proxy = await scene.station({ setUp: (hub) => void hub.use(useForwarding(relay.url, LINK)) });
		const atProxy = listen(proxy, scene);
		await until(() => linksOf(proxy) === 2 && linksOf(app) === 2);
		const peer = `${relay.url}/dotnetify`;
		assert.deepEqual(namesOf(atProxy).toSorted(), ["linkSessionOpened", "linkUp", "linkUp"]);
		assert.deepEqual(factsOf(atProxy, "linkUp"), { role: "proxy", wire: "native", peer });
		assert.deepEqual(factsOf(atApp, "linkSessionOpened"), { role: "app", wire: "native", peer: "127.0.0.1" });
		const client = await scene.client(proxy.url);
		assert.equal(await client.invoke("echo", 1), 1);
		relay.cutOne(0);
		await until(() => namesOf(atProxy).includes("linkDown") && linksOf(proxy) === 2);
		const { durationMs, ...lost } = factsOf(atProxy, "linkDown");
		assert.ok(Number(durationMs) >= 0);
		assert.deepEqual(lost, { role: "proxy", wire: "native", peer, reason: "lost", code: undefined });
		await scene.until(() => namesOf(atApp).includes("linkDown"));
		assert.equal(factsOf(atApp, "linkDown")["reason"], "lost");
		await proxy.close();
		await until(() => namesOf(atApp).includes("linkSessionEnded") && linksOf(app) === 0);
		const end = factsOf(atProxy, "linkSessionEnded");
		assert.deepEqual([end["reason"], end["clients"]], ["closed", 0]);
		const { sent, received, linksLost } = end["counters"] as Record<string, number>;
		assert.ok(Number(sent) >= 2 && Number(received) >= 1);
		assert.equal(linksLost, 1);
		assert.equal(proxy.hub.counters.get("linkSegments.sent"), sent);
		assert.deepEqual(
			[proxy, app].map(({ hub }) => [hub.counters.get("linkSessions"), hub.counters.get("linkSessionsLost")]),
			[
				[1, 1],
				[1, 1],
			],
		);
		for (const { hub } of [proxy, app]) await until(() => hub.counters.get("linksLost") === 3);
		const reasons = atProxy.filter(({ name }) => name === "linkDown").map(({ facts }) => facts["reason"]);
		assert.deepEqual(reasons, ["lost", "closed", "closed"]);
	});

	const overAt = ({ logs }: Station) => logs.filter(({ message }) => message.endsWith(" is over."));

	it("an end that stops is told as closed at the other one, and warns nobody", async () => {
		const app = await scene.app();
		const [stopping, proxy] = [await proxyTo(app.url), await proxyTo(app.url)];
		const [atApp, atProxy] = [listen(app, scene), listen(proxy, scene)];
		await until(() => linksOf(app) === 4 && linksOf(proxy) === 2);
		await stopping.close();
		await until(() => namesOf(atApp).includes("linkSessionEnded"));
		assert.equal(factsOf(atApp, "linkSessionEnded")["reason"], "closed");
		await app.close();
		await until(() => namesOf(atProxy).includes("linkSessionEnded"));
		assert.equal(factsOf(atProxy, "linkSessionEnded")["reason"], "closed");
		for (const station of [app, proxy]) {
			const [over] = overAt(station).filter(({ message }) => message.startsWith("A session with"));
			assert.deepEqual([over?.level, over?.fields["reason"]], ["info", "closed"]);
			assert.ok(!("cause" in (over?.fields ?? {})));
			assert.deepEqual(
				overAt(station).filter(({ level }) => level === "warn"),
				[],
			);
		}
	});

	it("a session that an app server has given up is told as restarted", async () => {
		const app = await scene.app({ accept: { secrets: [SECRET], proxyGraceMs: 20 } });
		const relay = await scene.relay(app.port);
		const proxy = await proxyTo(relay.url);
		const heard = listen(proxy, scene);
		await until(() => linksOf(proxy) === 2 && linksOf(app) === 2);
		const client = await scene.client(proxy.url);
		await client.invoke("echo", 1);
		relay.off();
		relay.cut();
		await until(() => app.hub.links().length === 0);
		relay.on();
		await until(() => namesOf(heard).includes("linkSessionEnded") && linksOf(proxy) === 2);
		assert.equal(factsOf(heard, "linkSessionEnded")["reason"], "restarted");
	});

	it("a hub shows its links as they are, at both ends, for a health page", async () => {
		const app = await scene.app();
		const proxy = await proxyTo(app.url);
		assert.deepEqual(
			proxy.hub.links().map(({ role, links, instance, counters }) => [role, links, instance, counters]),
			[["proxy", 0, undefined, undefined]],
		);
		await until(() => linksOf(proxy) === 2 && linksOf(app) === 2);
		const client = await scene.client(proxy.url);
		await client.invoke("echo", 1);
		const [up] = proxy.hub.links();
		const [down] = app.hub.links();
		assert.deepEqual(
			[up?.peer, up?.links, up?.clients, up?.held, up?.queued, up?.isDraining],
			[`${app.url}/dotnetify`, 2, 1, 0, 0, false],
		);
		assert.match(up?.instance ?? "", /^[0-9a-f]{8}$/);
		assert.deepEqual([down?.role, down?.links, down?.clients], ["app", 2, 1]);
		assert.ok(Number(up?.counters?.sent) >= 2 && Number(down?.counters?.received) >= 2);
		assert.deepEqual((await scene.station()).hub.links(), []);
	});

	it("links of dotNetify's wire are told as such", async () => {
		const app = await scene.app();
		const atApp = listen(app, scene);
		const dotnetify = { connectionPoolSize: 1, nativeLinks: false };
		const proxy = await scene.proxy(app.url, dotnetify);
		const atProxy = listen(proxy, scene);
		const client = await scene.client(proxy.url);
		await client.invoke("echo", 1);
		assert.deepEqual(
			[atProxy, atApp].map((heard) => factsOf(heard, "linkUp")?.["wire"]),
			["dotnetify", "dotnetify"],
		);
		assert.deepEqual(
			[proxy, app].map(({ hub }) => hub.links().map(({ wire, links, clients }) => [wire, links, clients])),
			[[["dotnetify", 1, 1]], [["dotnetify", 1, 1]]],
		);
		await proxy.close();
		await scene.until(() => namesOf(atApp).includes("linkDown"));
		assert.deepEqual(
			app.hub.links().map(({ links }) => links),
			[0],
			"kept for a grace",
		);
	});

	it("clients that are opened again elsewhere are counted, with the time that it took", async () => {
		const options = { recovery: "reopen" } as const;
		const apps = [await scene.app(options), await scene.app(options)];
		const relays = [await scene.relay(apps[0]?.port ?? 0), await scene.relay(apps[1]?.port ?? 0)];
		const proxy = await scene.station({
			setUp: (hub) =>
				void hub.use(
					useForwarding(replicas(relays.map(({ url }) => url)), { ...LINK, sessionTimeoutMs: 30 }),
				),
		});
		const heard = listen(proxy, scene);
		await until(() => linksOf(proxy) === 4);
		const clients = [];
		for (let count = 0; count < 8; count++) clients.push(await scene.client(proxy.url));
		for (const client of clients) await client.invoke("echo", 1);
		const [first] = proxy.hub.links().filter(({ clients: count }) => count > 0);
		const relay = relays.find(({ url }) => first?.peer.startsWith(url));
		if (relay) relay.off();
		relay?.cut();
		await scene.until(() => namesOf(heard).includes("clientsRecovered"));
		const facts = factsOf(heard, "clientsRecovered");
		assert.deepEqual([facts["clients"], facts["gone"], facts["peer"]], [first?.clients, 0, first?.peer]);
		assert.ok(Number(facts["durationMs"]) >= 0);
		assert.equal(factsOf(heard, "linkSessionEnded")["reason"], "lost");
		assert.deepEqual(
			[proxy.hub.counters.get("clientsReopened"), proxy.hub.counters.get("recoveries")],
			[first?.clients, 1],
		);
		for (const client of clients) assert.equal(await client.invoke("echo", 2), 2);
	});

	it("clients that an app server hands over are counted", async () => {
		const options = { recovery: "reopen" } as const;
		const apps = [await scene.app(options), await scene.app(options)];
		const proxy = await proxyTo(...apps.map(({ url }) => url));
		const heard = listen(proxy, scene);
		await until(() => linksOf(proxy) === 4);
		for (let count = 0; count < 6; count++) await (await scene.client(proxy.url)).invoke("echo", 1);
		const [first] = proxy.hub.links().filter(({ clients }) => clients > 0);
		await apps.find(({ url }) => first?.peer.startsWith(url))?.close();
		await scene.until(() => proxy.hub.counters.get("clientsMigrated") === first?.clients);
		assert.equal(namesOf(heard).filter((name) => name === "clientMigrated").length, first?.clients);
	});

	it("clients whose reading is held are told at both ends, and when they are released", async () => {
		let release = (): void => {};
		const gate = new Promise<void>((resolve) => {
			release = resolve;
		});
		const app = await scene.app({
			accept: { secrets: [SECRET], maxWaitingPerClient: 4 },
			onCall: () => gate,
		});
		const proxy = await proxyTo(app.url);
		const [atProxy, atApp] = [listen(proxy, scene), listen(app, scene)];
		const client = await scene.client(proxy.url);
		const calls = Array.from({ length: 12 }, (_, at) => client.invoke("Update_VM", "V", at));
		await scene.until(() => namesOf(atProxy).includes("clientHeld"));
		assert.deepEqual(
			[proxy, app].map(({ hub }) => hub.links()[0]?.held),
			[1, 1],
		);
		release();
		await Promise.all(calls);
		await scene.until(() => namesOf(atProxy).includes("clientReleased"));
		for (const heard of [atProxy, atApp])
			assert.equal(
				namesOf(heard).filter((name) => name === "clientHeld").length,
				namesOf(heard).filter((name) => name === "clientReleased").length,
			);
		assert.deepEqual(
			[proxy, app].map(({ hub }) => hub.links()[0]?.held),
			[0, 0],
		);
		assert.ok(proxy.hub.counters.get("clientsHeld") >= 1);
	});

	it("a client that leaves while it is held is released", async () => {
		const app = await scene.app({
			accept: { secrets: [SECRET], maxWaitingPerClient: 2 },
			listenerTimeoutMs: 20,
			onCall: (_call, hub) => new Promise((resolve) => hub.clock.schedule(50, () => resolve(undefined))),
		});
		const proxy = await proxyTo(app.url);
		const [atProxy, atApp] = [listen(proxy, scene), listen(app, scene)];
		const client = await scene.client(proxy.url);
		for (let at = 0; at < 12; at++) client.invoke("Update_VM", "V", at).catch(() => undefined);
		await scene.until(() => namesOf(atProxy).includes("clientHeld"));
		await client.stop();
		await scene.until(() => namesOf(atProxy).includes("clientReleased"));
		await until(() => app.hub.links()[0]?.held === 0 && namesOf(atApp).includes("clientReleased"));
		assert.equal(proxy.hub.links()[0]?.held, 0);
	});
});
