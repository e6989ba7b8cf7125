import assert from "node:assert/strict";
import type { FakeApp } from "../support/fake-app.js";
import { type Client, Scene, type Station } from "../support/scene.js";

describe("forwarding/dotnetify-upstream/responses", () => {
	let scene: Scene;
	let app: FakeApp;
	let proxy: Station;
	let a: Client;
	let b: Client;
	let c: Client;

	beforeEach(async () => {
		scene = new Scene("dotNetify");
		app = await scene.fakeApp();
		proxy = await scene.proxy(
			app.url,
			{ connectionPoolSize: 1 },
			{ authenticate: ({ headers }) => ({ id: String(headers["x-user"]) }) },
		);
		await scene.links(proxy, 1);
		const open = (user: string, messagepack = false) =>
			scene.client(proxy.url, { messagepack, headers: { "X-User": user } });
		[a, b, c] = await Promise.all([open("ann"), open("bob", true), open("ann")]);
	});
	afterEach(() => scene.close());

	/** Sends a last word to everyone: what was sent before it has come by then. */
	async function settle(): Promise<void> {
		const ids = JSON.stringify([a.id, b.id, c.id]);
		app.respond(["SendToManyAsync", ["end", "0"], { $fwdConnId: ids }]);
		await scene.until(() => [a, b, c].every(({ responses }) => responses.at(-1)?.[0] === "end"));
	}

	const seen = (): unknown[] =>
		[a, b, c].map(({ responses }) => responses.map(([vmId]) => vmId).filter((vmId) => vmId !== "end"));

	it("delivers all seven kinds to those whom they are for", async () => {
		const forOne = (id: string) => ({ $fwdConnId: id });
		app.respond(["SendAsync", ["one", '{"x":1}'], forOne(a.id)]);
		app.respond(["SendToManyAsync", ["many", "{}"], { $fwdConnId: JSON.stringify([a.id, b.id, "unknown"]) }]);
		app.respond(["AddToGroupAsync", ["g"], forOne(a.id)]);
		app.respond(["AddToGroupAsync", ["g"], forOne(b.id)]);
		app.respond(["AddToGroupAsync", ["g"], forOne("unknown")]);
		app.respond(["SendToGroupAsync", ["g", "group", "{}"], null]);
		app.respond(["SendToGroupExceptAsync", ["g", "except", "{}"], { $fwdConnId: JSON.stringify([a.id]) }]);
		app.respond(["SendToGroupExceptAsync", ["g", "nobody", "{}"], { $fwdConnId: "[null]" }]);
		app.respond(["SendToUsersAsync", [["ann"], "users", "{}"], { $fwdConnId: '["ann"]' }]);
		app.respond(["RemoveFromGroupAsync", ["g"], forOne(b.id)]);
		app.respond(["SendToGroupAsync", ["g", "left", "{}"], null]);
		await settle();
		assert.deepEqual(seen(), [
			["one", "many", "group", "nobody", "users", "left"],
			["many", "group", "except", "nobody"],
			["users"],
		]);
		assert.deepEqual(a.responses[0], ["one", { x: 1 }]);
		assert.deepEqual(proxy.undeliverable, []);
	});

	it("answers an id that was null, and passes over an answer to the link itself", async () => {
		app.respond(["SendAsync", [null, '{"ExceptionType":"E"}'], { $fwdConnId: a.id }]);
		app.respond(["HelloWorld", "{}"]);
		await settle();
		assert.deepEqual(a.responses[0], [null, { ExceptionType: "E" }]);
		assert.deepEqual(proxy.undeliverable, []);
	});

	for (const [what, argument] of [
		["no array", "text"],
		["null", null],
		["one item", ["SendAsync"]],
		["four items", ["SendAsync", [], null, 1]],
		["an unknown kind", ["Explode", ["x"], null]],
		["an inherited name", ["constructor", ["x"], null]],
		["no recipient", ["SendAsync", ["V", "{}"], null]],
		["a recipient that is a list", ["SendAsync", ["V", "{}"], { $fwdConnId: ["x"] }]],
		["too few arguments", ["SendAsync", ["V"], { $fwdConnId: "x" }]],
		["recipients that are no JSON", ["SendToManyAsync", ["V", "{}"], { $fwdConnId: "[" }]],
		["recipients that are no ids", ["SendToManyAsync", ["V", "{}"], { $fwdConnId: "[1]" }]],
		["a group that is no text", ["SendToGroupAsync", [1, "V", "{}"], null]],
		["exclusions that are an object", ["SendToGroupExceptAsync", ["g", "V", "{}"], { $fwdConnId: "{}" }]],
		["users that are no list", ["SendToUsersAsync", ["ann", "V", "{}"], null]],
	] as const) {
		it(`reports a response with ${what} and keeps the link`, async () => {
			app.respond(argument);
			await scene.until(() => proxy.undeliverable.length === 1);
			assert.equal(proxy.undeliverable[0]?.code, "ERR_LINK_PROTOCOL");
			await settle();
			assert.deepEqual(seen(), [[], [], []]);
			assert.equal(app.sockets.length, 1);
		});
	}

	it("brings groups and multicast of an app server to the clients of its proxies, each once", async () => {
		const real = await scene.app({
			onCall: async ({ client, vmId, method }, hub) => {
				if (method === "Request_VM") await hub.groups.add(client, "room");
				else await hub.clients.group("room").except(client).send("Response_VM", [vmId, '{"except":1}']);
				if (method === "Update_VM")
					await hub.clients.group("room").send("Response_VM", [vmId, '{"group":1}']);
				if (method === "Update_VM") await hub.clients.all.send("Response_VM", [vmId, '{"all":1}']);
				if (method === "Update_VM") await hub.clients.user("u").send("Response_VM", [vmId, '{"user":1}']);
			},
		});
		const authenticate = () => ({ id: "u", claims: { role: "x" } });
		const proxies = await Promise.all([1, 2].map(() => scene.proxy(real.url, {}, { authenticate })));
		const urls = [...proxies.map(({ url }) => url), real.url];
		const [one, two, direct] = (await Promise.all(urls.map((url) => scene.client(url)))) as [
			Client,
			Client,
			Client,
		];
		for (const client of [one, two, direct]) await client.invoke("Request_VM", "Room", null);
		await scene.until(() => real.calls.length === 3);
		await one.invoke("Update_VM", "Room", 1);
		await scene.until(
			() => one.responses.length === 3 && two.responses.length === 4 && direct.responses.length === 3,
		);
		const keys = ({ responses }: Client): unknown[] =>
			responses.map(([, data]) => Object.keys(data as object)[0]);
		assert.deepEqual(keys(one), ["group", "all", "user"]);
		assert.deepEqual(keys(two), ["except", "group", "all", "user"]);
		assert.deepEqual(keys(direct), ["except", "group", "all"]);
	});
});
