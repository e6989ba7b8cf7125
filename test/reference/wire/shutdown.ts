import assert from "node:assert/strict";
import { type Answer, ask, EventStream, negotiate } from "../http-client.js";
import { RawClient, recordOf } from "../raw-client.js";
import type { Scene } from "../scene.js";

const CLOSE = { type: 7, allowReconnect: true };
const HANDSHAKE = recordOf({ protocol: "json", version: 1 });

interface Clients {
	readonly raw: RawClient;
	readonly stream: EventStream;
	readonly poll: Promise<Answer>;
}

/** One client of each transport; the poll waits. */
async function connected(hub: string): Promise<Clients> {
	const raw = await RawClient.open(hub);
	await raw.handshake();
	const events = await connectionUrl(hub);
	const stream = await EventStream.open(events);
	await ask(events, { method: "POST", body: HANDSHAKE });
	await stream.has("{}");
	const polls = await connectionUrl(hub);
	await ask(polls);
	await ask(polls, { method: "POST", body: HANDSHAKE });
	assert.equal((await ask(polls)).text, "{}\u001e");
	const poll = ask(polls);
	// The poll has arrived when a call that came behind it is answered.
	raw.invoke("1", "Nothing");
	await raw.next();
	return { raw, stream, poll };
}

async function connectionUrl(hub: string): Promise<string> {
	const { connectionToken = "" } = await negotiate(hub);
	return `${hub}?id=${encodeURIComponent(connectionToken)}`;
}

/** The end of a server. */
export function shutdownContract(scene: () => Scene): void {
	describe("shutdown", () => {
		it("tells the clients of every transport that they may come back", async () => {
			const ending = scene().subject.another();
			await ending.open();
			const clients = await connected(`${ending.url}/hub`).finally(() => ending.close());
			await clients.stream.ended;
			assert.equal((await clients.poll).text, recordOf(CLOSE));
			const isTold = scene().subject.deviates("shutdown");
			assert.deepEqual(
				await clients.raw.last(),
				isTold ? { said: [CLOSE], code: "1000 " } : { said: [], code: "1006 " },
			);
			assert.equal(clients.stream.text.includes(JSON.stringify(CLOSE)), isTold);
		});
	});
}
