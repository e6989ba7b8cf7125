import assert from "node:assert/strict";
import { authenticate, describeEach, everyHttpScene, everyScene } from "./stock/scene.js";
import type { Data, StockClient } from "./stock/stock-client.js";
import { viewModelHub } from "./stock/view-models.js";

/** The text of a room's new message. */
function said(data: Data): string | undefined {
	return (data["Messages_add"] as { readonly Text: string } | undefined)?.Text;
}

/** What a client was told in the room with `key`, in order. */
function heard(client: StockClient, key: string): unknown[] {
	const all = client.received.get("Room") ?? [];
	return all.flatMap((data) => (key in data ? [key === "Messages_add" ? said(data) : data[key]] : []));
}

describeEach(
	"interop/stock-signalr-view-models",
	(scene) => {
		before(() => scene.open({ app: viewModelHub, hubOptions: { authenticate } }));
		afterEach(() => scene.leave());
		after(() => scene.close());

		it("answers a request with the state and an update with what else changed", async () => {
			const client = await scene.connect();
			const state = await client.request("Hello", { FirstName: "Ada" });
			const rest = { LastName: "World!", FullName: "Ada World!", Greeted: 0 };
			assert.deepEqual(state, { FirstName: "Ada", ...rest });
			assert.deepEqual(await client.react("Hello", { LastName: "Lovelace" }), { FullName: "Ada Lovelace" });
			assert.deepEqual(await client.react("Hello", { Greet: { times: 2 } }), { Greeted: 2 });
			assert.deepEqual(await client.react("Hello", { Greet: { times: 3 } }), { Greeted: 5 });
		});

		it("keeps the order of a burst of messages", async () => {
			const client = await scene.connect();
			const names = Array.from({ length: 50 }, (_, number) => `n${number}`);
			const calls = [client.connection.invoke("Request_VM", "Hello", {})];
			for (const FirstName of names) calls.push(client.update("Hello", { FirstName }));
			await client.next("Hello", ({ FullName }) => FullName === "n49 World!");
			await Promise.all(calls);
			const received = client.received.get("Hello")?.map(({ FullName }) => FullName);
			assert.deepEqual(received, ["Hello World!", ...names.map((name) => `${name} World!`)]);
		});

		it("pushes what changes by itself until the view model is disposed", async () => {
			const client = await scene.connect();
			assert.equal((await client.request("Ticker"))["Ticks"], 0);
			for (let tick = 1; tick <= 5; tick++) assert.deepEqual(await client.next("Ticker"), { Ticks: tick });
			await client.dispose("Ticker");
			assert.equal((await client.request("Hello"))["Greeted"], 0);
		});

		it("tells a view model who its client is, whichever way it came", async () => {
			const client = await scene.connectAs("ada");
			const { Via, ...state } = await client.request("Whoami", null, { token: "t1" });
			const expected = { ConnectionId: client.id, UserId: "ada", Address: "127.0.0.1", Token: "t1" };
			assert.deepEqual(state, expected);
			assert.equal(String(Via).split(",").filter(Boolean).length, scene.setUp.hops.length);
		});

		it("answers errors as view models do", async () => {
			const client = await scene.connect();
			const { ExceptionType, Message } = await client.request("Nobody");
			assert.equal(ExceptionType, "Exception");
			assert.match(String(Message), /'Nobody' is not a known view model/);
			await client.request("Faulty");
			assert.equal((await client.react("Faulty", { Fail: "no way" }))["Message"], "no way");
			const unfit = await client.react("Faulty", { Value: "many" });
			assert.equal(unfit["ExceptionType"], "ArgumentException");
		});

		it("shares a multicast view model between many clients of all doors, each message once", async () => {
			const many = await scene.connectAll(...Array.from({ length: 24 }, () => undefined));
			for (const client of many) assert.deepEqual((await client.request("Room"))["Messages"], []);
			const [first, second] = many as [StockClient, StockClient];
			await first.update("Room", { Say: "one" });
			await second.update("Room", { Say: "two" });
			await first.update("Room", { Whisper: { to: second.id, text: "psst" } });
			await second.update("Room", { Say: "end" });
			for (const client of many) {
				await client.next("Room", (data) => said(data) === "end");
				assert.deepEqual(heard(client, "Messages_add"), ["one", "two", "end"]);
				assert.deepEqual(heard(client, "Whispered"), client === second ? ["psst"] : []);
			}
		});

		it("keeps the members of a group together and others out", async () => {
			const members = await scene.connectAll(undefined, undefined, undefined, undefined);
			const [red, otherRed, blue, otherBlue] = members;
			for (const client of [red, otherRed]) await client.request("TeamRoom", null, { team: "red" });
			for (const client of [blue, otherBlue]) await client.request("TeamRoom", null, { team: "blue" });
			await red.update("TeamRoom", { Topic: "roses" });
			await blue.update("TeamRoom", { Topic: "sky" });
			assert.deepEqual(await otherRed.next("TeamRoom"), { Topic: "roses" });
			assert.deepEqual(await otherBlue.next("TeamRoom"), { Topic: "sky" });
		});

		it("reaches every connection of a user", async () => {
			const [ada, otherAda, bob] = await scene.connectAll("ada", "ada", "bob");
			for (const client of [ada, otherAda, bob]) await client.request("Room");
			await bob.update("Room", { Tell: { user: "ada", text: "hello" } });
			await bob.update("Room", { Say: "end" });
			for (const client of [ada, otherAda, bob]) {
				await client.next("Room", (data) => said(data) === "end");
				assert.deepEqual(heard(client, "Told"), client === bob ? [] : ["hello"]);
			}
		});

		it("forgets a client that leaves, in order or not", async () => {
			const [watcher, leaver, lost] = await scene.connectAll(undefined, undefined, undefined);
			for (const client of [watcher, leaver, lost]) await client.request("Room");
			await watcher.next("Room", ({ Joined }) => Joined === 3);
			await leaver.stop();
			await watcher.next("Room", ({ Left }) => Left === 1);
			if (scene.isOverSockets) lost.cut();
			else await lost.stop();
			await watcher.next("Room", ({ Left }) => Left === 2);
		});
	},
	[...everyScene(), ...everyHttpScene()],
);
