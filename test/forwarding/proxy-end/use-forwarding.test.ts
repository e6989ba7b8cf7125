import assert from "node:assert/strict";
import { replicas } from "../../../lib/forwarding/index.js";
import { Scene, WIRES } from "../support/scene.js";

describe("forwarding/proxy-end/use-forwarding", () => {
	let scene: Scene;
	afterEach(() => scene.close());

	for (const wire of WIRES) {
		it(`takes a WebSocket's url for that of the same server (${wire})`, async () => {
			scene = new Scene(wire);
			const app = await scene.app();
			const proxy = await scene.proxy(app.url.replace("http", "ws"));
			const client = await scene.client(proxy.url);
			assert.equal(await client.invoke("echo", 1), 1);
			assert.equal(proxy.hub.links()[0]?.peer, `${app.url}/dotnetify`);
		});
	}

	it("says that a proof may be missing where it has none, and the app server takes no native link", async () => {
		scene = new Scene("native");
		const app = await scene.app();
		const proxy = await scene.proxy(app.url, { secret: undefined });
		await scene.until(() => proxy.logs.some(({ message }) => message.includes("LINK_SECRET")));
		assert.ok(!proxy.logs.some(({ message }) => message.includes("knows no native link")));
	});

	it("takes WebSockets' urls of a list that is a function", async () => {
		scene = new Scene("native");
		const app = await scene.app();
		const proxy = await scene.station({
			setUp: (hub) => void hub.use(scene.forwarding(replicas(() => [app.url.replace("http", "ws")]))),
		});
		const client = await scene.client(proxy.url);
		assert.equal(await client.invoke("echo", 1), 1);
		assert.equal(proxy.hub.links()[0]?.peer, `${app.url}/dotnetify`);
	});
});
