import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { HttpTransportType, type HubConnection } from "@microsoft/signalr";
import { chatHub } from "./stock/chat-hub.js";
import { describeEach, everyScene, type Scene } from "./stock/scene.js";
import { viewModelHub } from "./stock/view-models.js";

function closed(connection: HubConnection): Promise<string> {
	return new Promise((resolve) => connection.onclose((error) => resolve(String(error))));
}

describeEach("interop/stock-signalr-lifetime", (scene) => {
	afterEach(() => scene.close());

	it("comes back by itself after the server was restarted on its port", async () => {
		await scene.open({ app: viewModelHub });
		const events = new EventEmitter();
		const client = await scene.connect({
			reconnectDelaysMs: [0, 20, 50, 100, 200, 400, 800],
			prepare: (connection) => {
				connection.onreconnecting(() => events.emit("reconnecting"));
				connection.onreconnected(() => events.emit("reconnected"));
			},
		});
		await client.request("Hello");
		const firstId = client.id;
		const reconnected = once(events, "reconnected");
		await Promise.all([once(events, "reconnecting"), scene.topology.door(0).restart()]);
		await reconnected;
		assert.notEqual(client.id, firstId);
		const state = await client.request("Hello", { FirstName: "Again" });
		assert.equal(state["FullName"], "Again World!");
	});

	it("connects without negotiation", async () => {
		await scene.open({ app: chatHub });
		const http = { skipNegotiation: true, transport: HttpTransportType.WebSockets };
		const { connection } = await scene.connect({ http });
		assert.equal(connection.connectionId, null);
		assert.equal(await connection.invoke("echo", "hello"), "hello");
	});

	it("finds the app server again after that alone was restarted", async () => {
		await scene.open({ app: viewModelHub });
		const client = await scene.connect();
		await client.request("Room");
		await scene.topology.app.restart();
		// Without a proxy between them the client's own connection is gone with the app server.
		const again = scene.setUp.hops.length === 0 ? await scene.connect() : client;
		const other = await scene.connect();
		for (const each of [again, other]) await each.request("Room");
		await again.update("Room", { Say: "back" });
		await other.next("Room", (data) => "Messages_add" in data);
	});

	it("gives up a server that sends nothing for its time-out", async () => {
		await scene.open({ app: chatHub, doorOptions: { keepAliveIntervalMs: 60_000 } });
		const { connection } = await scene.connect({
			prepare: (prepared) => {
				prepared.serverTimeoutInMilliseconds = 100;
			},
		});
		assert.match(await closed(connection), /Server timeout elapsed/);
	});
});

describe("interop/stock-signalr-lifetime: @microsoft/signalr, pings", function () {
	this.timeout(30_000);
	const scenes = everyScene();

	afterEach(async () => {
		for (const scene of scenes) await scene.close();
	});

	// All at the same time: spans that a busy machine cannot miss take a while.
	it("keep a silent connection alive, and it is ended when the client's cease, on every way", async () => {
		await Promise.all(scenes.map(pingAndCease));
	});
});

async function pingAndCease(scene: Scene): Promise<void> {
	await scene.open({ app: chatHub, doorOptions: { clientTimeoutMs: 1_000, keepAliveIntervalMs: 100 } });
	const { connection } = await scene.connect({
		prepare: (prepared) => {
			prepared.serverTimeoutInMilliseconds = 1_000;
			prepared.keepAliveIntervalInMilliseconds = 100;
		},
	});
	const end = closed(connection);
	// Nothing but pings for longer than both time-outs.
	assert.equal(await connection.invoke("slow", 2_200), 2_200, scene.name);
	connection.keepAliveIntervalInMilliseconds = 60_000;
	assert.match(await end, /Connection closed with an error/, scene.name);
}
