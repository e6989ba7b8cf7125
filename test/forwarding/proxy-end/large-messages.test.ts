import assert from "node:assert/strict";
import { Scene, SECRET } from "../support/scene.js";

describe("forwarding/proxy-end/large-messages", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("dotNetify");
	});
	afterEach(() => scene.close());

	for (const useMessagePack of [false, true]) {
		const links = useMessagePack ? "messagepack" : "json";
		for (const [what, character, characters] of [
			["8 KB of quotation marks", '"', 8_192],
			["15 KB of quotation marks", '"', 15_000],
			["5 KB of control characters", "\u0001", 5_000],
			["32 KB of letters", "x", 32_500],
			["10 KB of three-byte letters", "€", 10_000],
		] as const) {
			it(`carries ${what} of one client over a ${links} link that stays up`, async () => {
				const app = await scene.app();
				const proxy = await scene.proxy(app.url, { useMessagePack, connectionPoolSize: 1 });
				await scene.links(proxy, 1);
				const [client, other] = await Promise.all([scene.client(proxy.url), scene.client(proxy.url)]);
				const text = character.repeat(characters);
				await client.invoke("Update_VM", "V", { text });
				await other.invoke("Update_VM", "W", { small: 1 });
				await scene.until(() => app.calls.length === 2);
				assert.deepEqual(JSON.parse(String(app.calls[0]?.data)), { text });
				assert.equal(app.hub.counters.get("linksLost"), 0);
				assert.deepEqual(proxy.undeliverable, []);
			});
		}

		it(`refuses what is too large for a ${links} link to its client only, and keeps the link`, async () => {
			const app = await scene.app({ accept: { secrets: [SECRET], maxLinkMessageBytes: 32_768 } });
			const proxy = await scene.proxy(app.url, {
				useMessagePack,
				maxLinkMessageBytes: 32_768,
				connectionPoolSize: 1,
			});
			await scene.links(proxy, 1);
			const [client, other] = await Promise.all([scene.client(proxy.url), scene.client(proxy.url)]);
			const text = "x".repeat(32_500);
			await client.invoke("Update_VM", "V", { text });
			await assert.rejects(client.invoke("echo", text), {
				message: "Failed to invoke 'echo': the message could not be delivered (ERR_FORWARD_TOO_LARGE).",
			});
			await other.invoke("Update_VM", "W", { small: 1 });
			await scene.until(() => app.calls.length === 1);
			assert.deepEqual(
				proxy.undeliverable.map(({ code }) => code),
				["ERR_FORWARD_TOO_LARGE", "ERR_FORWARD_TOO_LARGE"],
			);
			assert.equal(app.hub.counters.get("linksLost"), 0);
			assert.equal(other.responses.length, 0);
			await scene.until(() => client.responses.length > 0);
			assert.deepEqual(client.responses[0], [
				"V",
				{
					ExceptionType: "ForwardingException",
					Message: "The message could not be delivered (ERR_FORWARD_TOO_LARGE).",
				},
			]);
		});
	}

	it("holds every message to maxLinkMessageBytes exactly as it is on the link", async () => {
		const limit = 20_000;
		const app = await scene.app({ accept: { secrets: [SECRET], maxLinkMessageBytes: limit } });
		const proxy = await scene.proxy(app.url, { maxLinkMessageBytes: limit, connectionPoolSize: 1 });
		await scene.links(proxy, 1);
		const client = await scene.client(proxy.url);
		// Whatever is sent arrives, and whatever is not sent is reported, around the very limit.
		let sent = 0;
		for (let length = 4_200; length < 5_000; length += 7) {
			await client.invoke("Update_VM", "V", { text: '"'.repeat(length) });
			sent++;
		}
		await scene.until(() => app.calls.length + proxy.undeliverable.length === sent);
		assert.ok(app.calls.length > 0 && proxy.undeliverable.length > 0, `${app.calls.length} of ${sent}`);
		assert.equal(app.hub.counters.get("linksLost"), 0);
	});

	it("ends the connection of a client above its own limit, and nobody else's", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url, { connectionPoolSize: 1 });
		await scene.links(proxy, 1);
		const [client, other] = await Promise.all([scene.client(proxy.url), scene.client(proxy.url)]);
		await assert.rejects(client.invoke("Update_VM", "V", { text: '"'.repeat(40_000) }));
		assert.equal(await other.invoke("echo", 1), 1);
		assert.equal(app.hub.counters.get("linksLost"), 0);
	});
});
