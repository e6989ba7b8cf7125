import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { Random } from "../../fuzz/frames/random.js";
import { HubClient } from "../clients/hub-client.js";
import type { Stage } from "../stage.js";
import { until } from "../until.js";
import { Act } from "./act.js";
import { LINK_HEADER, proofOf, RawPeer } from "./raw-peer.js";

const UNKNOWN =
	"Failed to invoke 'Invoke' due to an error on the server. HubException: Method does not exist.";
const REFUSED = '{"error":"The proof of the link was refused."}\u001e';
const RANDOM_LINKS = 30;
const RANDOM_BYTES = 400;

function randomBytes(random: Random): Uint8Array {
	return Uint8Array.from({ length: random.below(RANDOM_BYTES) + 1 }, () => random.below(256));
}

/** Whether an app server still serves those who behave. */
async function assertServes({ app, proxy }: Stage, url: string): Promise<void> {
	assert.ok(app.isAlive && proxy.isAlive);
	const client = await HubClient.open(url, () => undefined);
	assert.equal(await client.invoke("echo", 0, 7), 7);
	await client.leave();
}

describe("chaos/matrix: peers that are not what they say", function () {
	this.timeout(30_000);
	let act: Act;
	let stage: Stage;

	before(async () => {
		act = new Act();
		stage = await act.open();
	});
	after(() => act.close());

	it("answers Invoke of a client as a method that does not exist, at the proxy and at the app server", async () => {
		const context = JSON.stringify({
			HubId: "x",
			ConnectionId: "somebody",
			HttpRequestHeaders: {},
			Items: {},
		});
		const forged = ["echo", [0, 1], { $fwdConnContext: context }];
		for (const place of [stage.proxy, stage.app]) {
			const client = await HubClient.open(stage.doorOf(place).url, () => undefined);
			await assert.rejects(client.invoke("Invoke", ...forged), { message: UNKNOWN });
			await client.leave();
		}
	});

	it("takes no link without a proof: its protocol is unknown", async () => {
		for (const place of [stage.proxy, stage.app]) {
			const peer = await RawPeer.open(place.url, "trunkline-link");
			await peer.closed;
			assert.match(peer.received, /The protocol 'trunkline-link' is not supported\./);
		}
	});

	it("refuses links whose proof is broken, of another secret, or was used before", async () => {
		const used = new RegExp(`^${LINK_HEADER}: (\\S+)`, "im").exec(stage.relay.head)?.[1];
		assert.ok(used, "a link's upgrade went through the relay");
		for (const proof of ["v1.forged", proofOf("another secret of 32 letters....."), used]) {
			for (const protocol of ["trunkline-link", "json"]) {
				const peer = await RawPeer.open(stage.app.url, protocol, proof);
				await peer.closed;
				assert.equal(peer.received, REFUSED);
			}
		}
	});

	it("outlives proven links that send anything at all", async () => {
		const random = new Random(RANDOM_LINKS);
		const { url } = stage.doorOf(stage.proxy);
		for (let at = 0; at < RANDOM_LINKS; at++) {
			const peer = await RawPeer.open(stage.app.url, "trunkline-link", proofOf());
			await until(() => peer.received.includes("\u001e"));
			assert.ok(peer.received.startsWith("{}\u001e"), peer.received);
			for (let sent = random.below(4) + 1; sent > 0; sent--) peer.send(randomBytes(random));
			await Promise.race([peer.closed, wait(20)]);
			peer.cut();
		}
		await assertServes(stage, url);
	});

	it("closes a proven link that announces more than any link may send", async () => {
		const peer = await RawPeer.open(stage.app.url, "trunkline-link", proofOf());
		// 2^35 bytes of DATA, as a varint.
		peer.send(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x02));
		await peer.closed;
		await assertServes(stage, stage.doorOf(stage.proxy).url);
	});

	it("loses, doubles and reorders nothing when links' bytes are garbled", async () => {
		const load = await act.load({ clients: 5 });
		const random = new Random(RANDOM_BYTES);
		for (let at = 0; at < RANDOM_LINKS; at++) {
			const link = stage.relay.one(random.below(1_000) / 1_000);
			link?.inject(random.once(2) ? "up" : "down", randomBytes(random));
			await wait(50);
		}
		await act.assertExactlyOnce(load);
	});
});
