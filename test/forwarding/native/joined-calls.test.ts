import assert from "node:assert/strict";
import { acceptLinks, type ForwardingOptions } from "../../../lib/forwarding/index.js";
import type { Hub } from "../../../lib/index.js";
import { type Call, type Client, Scene, SECRET, type Station } from "../support/scene.js";

const BURST = 30;

/** Answers a call with many, in one turn: they cross the link in one frame. */
const burst = ({ client, vmId }: Call, hub: Hub): void => {
	for (let count = 0; count < BURST; count++)
		hub.clients.client(client).send("Response_VM", [vmId, JSON.stringify({ count })]);
};

const all = (vmId: string): unknown[] => Array.from({ length: BURST }, (_, count) => [vmId, { count }]);

describe("forwarding/native, calls that share a frame", () => {
	let scene: Scene;
	let app: Station;
	beforeEach(async () => {
		scene = new Scene("native");
		app = await scene.app({ onCall: burst });
	});
	afterEach(() => scene.close());

	async function request({ connection, responses }: Client): Promise<void> {
		void connection.send("Request_VM", "A", {});
		await scene.until(() => responses.length >= BURST);
		assert.deepEqual(responses, all("A"));
	}

	for (const messagepack of [false, true]) {
		it(`reach a ${messagepack ? "messagepack" : "json"} client one by one, in order`, async () => {
			const proxy = await scene.proxy(app.url);
			await request(await scene.client(proxy.url, { messagepack }));
		});
	}

	it("are counted one by one where somebody observes", async () => {
		const proxy = await scene.proxy(app.url);
		const sent: number[] = [];
		proxy.hub.observe({ messageSent: ({ bytes }) => void sent.push(bytes) });
		await request(await scene.client(proxy.url));
		const [first = 0] = sent;
		assert.equal(sent.length, BURST);
		assert.ok(sent.every((bytes) => bytes === first || bytes === first + 1));
	});

	it("reach clients through two proxies, also where the link between these is dotNetify's", async () => {
		for (const nativeLinks of [true, false]) {
			const forwarding: ForwardingOptions & { readonly nativeLinks: boolean } = { nativeLinks };
			const setUp = (hub: Hub): void => {
				hub.use(acceptLinks({ secrets: [SECRET] }));
				hub.use(scene.forwarding(app.url));
			};
			const second = await scene.station({ setUp });
			const first = await scene.proxy(second.url, forwarding);
			await request(await scene.client(first.url));
		}
	});
});
