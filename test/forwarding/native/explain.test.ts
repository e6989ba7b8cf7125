import assert from "node:assert/strict";
import { acceptLinks, forViewModels, replicas, useForwarding } from "../../../lib/forwarding/index.js";
import type { ExplainedStep, Explanation, Hub, HubExtension } from "../../../lib/index.js";
import { Scene, SECRET, type Station, type StationOptions } from "../support/scene.js";

const LINK = { secret: SECRET, reconnect: { delaysMs: [0, 10], jitter: 0 }, connectionPoolSize: 2 };
const proxyTo = (...extensions: HubExtension[]): StationOptions => ({
	setUp: (hub) => {
		for (const extension of extensions) hub.use(extension);
	},
});

function forwardings({ steps }: Explanation): (ExplainedStep & { kind: "forwarding" })[] {
	return steps.filter((step) => step.kind === "forwarding");
}

describe("forwarding/native/explain", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	async function linked(proxy: Station, links: number): Promise<void> {
		await scene.until(() => proxy.hub.links().reduce((sum, each) => sum + each.links, 0) === links);
	}

	it("walks a chain of filters in the order of the list, to where the call ends", async () => {
		const [one, two] = [await scene.app(), await scene.app()];
		const proxy = await scene.station(
			proxyTo(
				useForwarding(one.url, { ...LINK, filter: ({ vmId }) => vmId === "broadcast" }),
				useForwarding(two.url, { ...LINK, filter: forViewModels("chatroom") }),
			),
		);
		await linked(proxy, 4);
		const { hub } = proxy;
		const taken = hub.explain({ vmId: "chatroom" });
		assert.deepEqual(
			[taken.target, taken.vmId, taken.outcome, taken.connectionId, taken.isConnected],
			["Request_VM", "chatroom", "forwarded", undefined, false],
		);
		assert.deepEqual(
			forwardings(taken).map(({ takes, halts }) => [takes, halts]),
			[
				[false, true],
				[true, true],
			],
		);
		const [upstream] = forwardings(taken)[1]?.upstreams ?? [];
		assert.deepEqual(
			[upstream?.url, upstream?.wire, upstream?.isCopy, upstream?.reason],
			[`${two.url}/dotnetify`, "native", false, "It is the only one."],
		);
		assert.equal(upstream?.picked, upstream?.instances[0]?.instance);
		assert.deepEqual([upstream?.instances[0]?.links, upstream?.instances[0]?.isDraining], [2, false]);
		const here = hub.explain({ target: "ECHO" });
		assert.deepEqual([here.outcome, here.steps.at(-1)], ["handled here", { kind: "here", method: "echo" }]);
		const nowhere = hub.explain({ target: "nothing", arguments: [1] });
		assert.deepEqual(
			[nowhere.outcome, nowhere.steps.at(-1), forwardings(nowhere).length],
			["unknown method", { kind: "here", method: undefined }, 2],
		);
		assert.deepEqual(one.calls.length + two.calls.length, 0);
	});

	it("tells what middleware stands in the way, and what a filter throws", async () => {
		const app = await scene.app();
		const proxy = await scene.station({
			setUp: (hub) => {
				hub.use(async function audit(_ctx, next) {
					await next();
				});
				hub.use((_ctx, next) => next());
				const filter = (): boolean => {
					throw new Error("no such tenant");
				};
				hub.use(useForwarding(app.url, { ...LINK, filter }));
			},
		});
		const { steps, outcome } = proxy.hub.explain({ target: "echo" });
		assert.deepEqual(steps.slice(0, 2), [
			{ kind: "middleware", name: "audit" },
			{ kind: "middleware", name: "anonymous" },
		]);
		const failed = { takes: false, failure: "no such tenant", halts: true, upstreams: [] };
		assert.deepEqual([steps.slice(2), outcome], [[{ kind: "forwarding", ...failed }], "failed"]);
		const client = await scene.client(proxy.url);
		await assert.rejects(client.invoke("echo", 1));
	});

	it("names all that get copies, and the one that answers", async () => {
		const [one, two] = [await scene.app(), await scene.app()];
		const copies = await scene.station(proxyTo(useForwarding([one.url, two.url], LINK)));
		await linked(copies, 4);
		assert.deepEqual(
			forwardings(copies.hub.explain({ target: "echo" }))[0]?.upstreams.map(({ url, isCopy }) => [
				url,
				isCopy,
			]),
			[
				[`${one.url}/dotnetify`, true],
				[`${two.url}/dotnetify`, false],
			],
		);
		const tap = await scene.station(proxyTo(useForwarding(one.url, { ...LINK, haltPipeline: false })));
		const explained = tap.hub.explain({ target: "echo" });
		assert.deepEqual(
			[explained.outcome, forwardings(explained)[0]?.halts, forwardings(explained)[0]?.upstreams[0]?.isCopy],
			["handled here", false, true],
		);
	});

	it("tells which replica has a client, and which would get one, and changes nothing by it", async () => {
		const apps = [await scene.app(), await scene.app(), await scene.app()];
		const urls = apps.map(({ url }) => url);
		const proxy = await scene.station(proxyTo(useForwarding(replicas(urls), LINK)));
		await linked(proxy, 6);
		const upstreamFor = (connectionId?: string) =>
			forwardings(proxy.hub.explain({ target: "echo", connectionId }))[0]?.upstreams[0];
		assert.equal(upstreamFor()?.picked, undefined);
		assert.equal(upstreamFor()?.reason, 'The pick "rendezvous" chooses by the client\'s connection id.');
		const client = await scene.client(proxy.url);
		await client.invoke("echo", 1);
		const home = upstreamFor(client.id);
		assert.equal(home?.reason, "It is the home of the client.");
		const url = home?.instances.find(({ instance }) => instance === home.picked)?.url;
		const owner = apps.find((app) => `${app.url}/dotnetify` === url);
		assert.deepEqual(owner?.connected, [client.id]);
		assert.equal(proxy.hub.explain({ target: "echo", connectionId: client.id }).isConnected, true);
		const foretold = upstreamFor("somebody");
		assert.match(foretold?.reason ?? "", /chooses it for this client/);
		assert.deepEqual(upstreamFor("somebody"), foretold);
		assert.equal(home?.instances.length, 3);
		assert.equal(
			home?.instances.reduce((sum, { clients }) => sum + clients, 0),
			1,
		);
		const turns = await scene.station(proxyTo(useForwarding(replicas(urls, { pick: "round-robin" }), LINK)));
		await linked(turns, 6);
		const [unknown] = forwardings(turns.hub.explain({ target: "echo" }))[0]?.upstreams ?? [];
		assert.deepEqual(
			[unknown?.picked, unknown?.reason],
			[undefined, 'The pick "round-robin" chooses when the client is opened.'],
		);
	});

	it("says that nobody is there, and that dotNetify's wire is spoken", async () => {
		const relay = await scene.relay(1);
		relay.off();
		const options = { ...LINK, nativeLinks: false };
		const app = await scene.app();
		const proxy = await scene.station(
			proxyTo(
				useForwarding(relay.url, { ...LINK, filter: forViewModels("a") }),
				useForwarding(app.url, { ...options, filter: forViewModels("b") }),
			),
		);
		const wireOf = (vmId: string, at: number) => forwardings(proxy.hub.explain({ vmId }))[at]?.upstreams[0];
		assert.deepEqual([wireOf("a", 0)?.wire, wireOf("a", 0)?.instances], ["connecting", []]);
		assert.match(wireOf("a", 0)?.reason ?? "", /waits/);
		assert.equal(wireOf("b", 1)?.wire, "dotnetify");
	});

	it("takes no question about nothing, and passes acceptLinks over", async () => {
		const { hub } = await scene.station({
			setUp: (made: Hub) => void made.use(acceptLinks({ secrets: [SECRET] })),
		});
		assert.throws(() => hub.explain({}), { code: "ERR_OPTION" });
		assert.deepEqual(hub.explain({ target: "echo" }).steps, [{ kind: "here", method: "echo" }]);
	});
});
