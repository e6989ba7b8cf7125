import assert from "node:assert/strict";
import { Scene, SECRET } from "../support/scene.js";

describe("forwarding/peer/large-messages", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	it("takes what clients may send, whatever maxLinkMessageBytes says of dotNetify's wire", async () => {
		const app = await scene.app({ accept: { secrets: [SECRET], maxLinkMessageBytes: 1_000 } });
		const proxy = await scene.proxy(app.url, { maxLinkMessageBytes: 1_000, connectionPoolSize: 1 });
		const client = await scene.client(proxy.url);
		const text = "x".repeat(30_000);
		const answers = Array.from({ length: 5 }, () => client.invoke("echo", text));
		assert.deepEqual(await Promise.all(answers), Array(5).fill(text));
		assert.equal(app.hub.counters.get("linksLost"), 0);
	});

	it("cuts what is larger than a segment into parts, in both directions", async () => {
		const large = { maxMessageBytes: 5_000_000, maxBufferedBytes: 20_000_000 };
		const app = await scene.app(large);
		const proxy = await scene.proxy(app.url, {}, large);
		const client = await scene.client(proxy.url);
		const text = "€".repeat(1_000_000);
		assert.equal(await client.invoke("echo", text), text);
		assert.equal(app.hub.counters.get("linksLost"), 0);
	});
});
