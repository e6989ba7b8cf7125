import assert from "node:assert/strict";
import type { HubConnection } from "@microsoft/signalr";
import { deferred, ManualClock } from "../../lib/base/index.js";
import type { ClientProxy } from "../../lib/index.js";
import { type AnyClient, type Live, live, until } from "./live.js";

for (const messagePack of [false, true]) {
	describe(`hub outside of a call (${messagePack ? "messagepack" : "json"})`, () => {
		let server: Live;
		let clients: Record<"ann1" | "ann2" | "bob" | "nobody", HubConnection>;
		let got: string[];
		const idOf = (name: keyof typeof clients): string => clients[name].connectionId ?? "";

		beforeEach(async () => {
			got = [];
			server = await live({
				authenticate: ({ headers }) => ({ id: headers["x-user"] as string | undefined }),
				methods: { sync: () => {} },
			});
			const client = async (name: string, user?: string): Promise<HubConnection> => {
				const connection = await server.client({ messagePack, ...(user === undefined ? {} : { user }) });
				connection.on("told", () => void got.push(name));
				connection.on("name", (greeting: string) => `${greeting} ${name}`);
				return connection;
			};
			clients = {
				ann1: await client("ann1", "ann"),
				ann2: await client("ann2", "ann"),
				bob: await client("bob", "bob"),
				nobody: await client("nobody"),
			};
			await server.hub.groups.add(idOf("ann1"), "red");
			await server.hub.groups.add(idOf("bob"), "red");
			await server.hub.groups.add(idOf("bob"), "blue");
		});
		afterEach(() => server.close());

		/** Who is told: everybody has heard what was sent before the answer of a later call. */
		async function told(proxy: ClientProxy<AnyClient>): Promise<string[]> {
			got = [];
			await proxy.send("told");
			await Promise.all(Object.values(clients).map((connection) => connection.invoke("sync")));
			return got.sort();
		}

		it("sends to all, to connections, to groups and to users, each once", async () => {
			const { clients: to } = server.hub;
			assert.deepEqual(await told(to.all), ["ann1", "ann2", "bob", "nobody"]);
			assert.deepEqual(await told(to.client(idOf("bob"))), ["bob"]);
			const twice = [idOf("bob"), idOf("ann1"), idOf("bob")];
			assert.deepEqual(await told(to.clients(twice)), ["ann1", "bob"]);
			assert.deepEqual(await told(to.group("red")), ["ann1", "bob"]);
			assert.deepEqual(await told(to.groups(["red", "blue"])), ["ann1", "bob"]);
			assert.deepEqual(await told(to.user("ann")), ["ann1", "ann2"]);
			assert.deepEqual(await told(to.users(["ann", "bob"])), ["ann1", "ann2", "bob"]);
		});

		it("leaves connections out, and passes over what is not there", async () => {
			const { clients: to } = server.hub;
			const but = [idOf("ann1"), idOf("nobody")];
			assert.deepEqual(await told(to.all.except(...but)), ["ann2", "bob"]);
			assert.deepEqual(await told(to.group("red").except(...but)), ["bob"]);
			assert.deepEqual(
				await told(
					to
						.user("ann")
						.except(...but)
						.state("key"),
				),
				["ann2"],
			);
			assert.deepEqual(await told(to.client(idOf("ann1")).except(...but)), []);
			for (const none of [to.client("x"), to.clients(["x"]), to.group("RED"), to.groups([]), to.user("Ann")])
				assert.deepEqual(await told(none), []);
		});

		it("changes groups of any connection, and forgets them with it", async () => {
			const { hub } = server;
			await hub.groups.add(idOf("nobody"), "red");
			await hub.groups.add(idOf("nobody"), "red");
			await hub.groups.remove(idOf("ann1"), "red");
			await hub.groups.remove(idOf("ann1"), "blue");
			for (const change of [hub.groups.add("x", "red"), hub.groups.remove("x", "red")]) await change;
			assert.deepEqual(await told(hub.clients.group("red")), ["bob", "nobody"]);
			await clients.bob.stop();
			await until(() => hub.lifetime.size === 3);
			clients.bob = clients.nobody;
			assert.deepEqual(await told(hub.clients.group("red")), ["nobody"]);
		});

		it("asks one client, who answers beside its calls", async () => {
			const answer = server.hub.clients.client(idOf("bob")).invoke("name", "I am");
			assert.equal(await answer, "I am bob");
			await assert.rejects(server.hub.clients.client("x").invoke("name"), { code: "ERR_CLIENT_GONE" });
		});

		it("ends one client", async () => {
			const closed = deferred<Error | undefined>();
			clients.bob.onclose(closed.resolve);
			server.hub.lifetime.get(idOf("bob"))?.abort();
			assert.equal(await closed.promise, undefined);
		});
	});
}

describe("hub outside of a call", () => {
	it("sends from a timer, and to nobody once it is closed", async () => {
		const clock = new ManualClock();
		const server = await live({ clock });
		const raw = await server.raw();
		clock.schedule(10, () => void server.hub.clients.all.send("tick", clock.now()));
		clock.advance(10);
		assert.deepEqual(await raw.next(), { type: 1, target: "tick", arguments: [10] });
		const [{ connectionId } = { connectionId: "" }] = [...server.hub.lifetime];
		await server.hub.close();
		await server.hub.clients.all.send("tick");
		await server.hub.groups.add(connectionId, "g");
		await assert.rejects(server.hub.clients.client(connectionId).invoke("x"), { code: "ERR_CLIENT_GONE" });
		await server.close();
	});
});
