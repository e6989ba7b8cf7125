import assert from "node:assert/strict";
import { PeerClients } from "../../../lib/forwarding/peer/peer-clients.js";
import type { ProxySession, ProxySessionHost } from "../../../lib/forwarding/peer/proxy-session.js";
import type { Frame } from "../../../lib/forwarding/wire/index.js";
import { createHub, type Hub } from "../../../lib/index.js";
import { MessageType, writeMessagePack } from "../../../lib/protocols/index.js";
import { collectedHeap } from "../../collected-heap.js";

const CLIENTS = 4_000;
/** What a browser sends, beside what belongs to one hop. */
const HEADERS = {
	Host: ["shop.example.com"],
	"User-Agent": [
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	],
	"Accept-Language": ["en-GB,en;q=0.9,de;q=0.8"],
	"Accept-Encoding": ["gzip, deflate, br, zstd"],
	Origin: ["https://shop.example.com"],
	Via: ["1.1 proxy"],
};

/** A context in a large piece of bytes, as a link brings it. */
function contextOf(number: number): Buffer {
	const request = {
		...{ url: "/hub?room=1", headers: HEADERS, ip: "203.0.113.7", ips: [], remotePort: number },
		...{ localAddress: "10.0.0.1", localPort: 443, secure: true, host: "shop.example.com" },
	};
	const connectionId = `connection-${number}`.padEnd(22, "-");
	const context = writeMessagePack({ connectionId, protocol: "json", ids: "u1.", request });
	const piece = Buffer.alloc(64 * 1024);
	return piece.subarray(100, 100 + context.copy(piece, 100));
}

function setUp(): { readonly hub: Hub; readonly clients: PeerClients; readonly written: string[] } {
	const written: string[] = [];
	const stream = { isFull: false, write: ({ type }: Frame) => written.push(type) };
	const hub = createHub()({ methods: { echo: (_ctx, text: string) => text } });
	const settings = {
		hub,
		inboxLimits: { maxMessages: 64, maxBytes: 65_536, maxLateBytes: 65_536 },
		maxClients: CLIENTS,
	};
	const clients = new PeerClients(
		{ stream, writable: () => undefined } as unknown as ProxySession,
		settings as unknown as ProxySessionHost,
		{ life: { hold() {}, release() {} } as never, freeId: async () => {}, emptied: () => {}, full: () => {} },
	);
	return { hub: hub as unknown as Hub, clients, written };
}

/** Each client is opened, and calls once. */
async function openAll({ clients }: ReturnType<typeof setUp>): Promise<void> {
	for (let client = 1; client <= CLIENTS; client++) {
		clients.open({ type: "open", client, recovered: false, migrated: false, context: contextOf(client) });
		clients.message({
			...{ type: "message", client },
			message: {
				...{ type: MessageType.Invocation, encoding: "json", target: "echo", invocationId: "1" },
				...{ arguments: Buffer.from('["a"]'), streamIds: undefined, headers: undefined },
			},
		});
		if (client % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
	}
}

describe("forwarding/peer, idle clients", () => {
	it("keeps a client that is idle in its request's text and little more, and nothing of what that came in", async function () {
		this.timeout(20_000);
		const setting = setUp();
		const before = await collectedHeap();
		await openAll(setting);
		const bytes = ((await collectedHeap()) - before) / CLIENTS;
		assert.equal(setting.written.length, CLIENTS);
		const text = JSON.stringify(HEADERS).length;
		assert.ok(
			bytes < text + 1_200,
			`${Math.round(bytes)} bytes for each client, ${text} of them of its headers`,
		);
		assert.equal(setting.hub.lifetime.size, CLIENTS);
	});

	it("shows each client's request when it is asked for, and keeps none of it", async () => {
		const setting = setUp();
		await openAll(setting);
		const { lifetime } = setting.hub;
		const before = await collectedHeap();
		let ports = 0;
		for (const { request } of lifetime) {
			assert.equal(request.headers["accept-language"], "en-GB,en;q=0.9,de;q=0.8");
			assert.equal(request.query.get("room"), "1");
			ports += request.remotePort;
		}
		const bytes = ((await collectedHeap()) - before) / CLIENTS;
		assert.equal(ports, (CLIENTS * (CLIENTS + 1)) / 2);
		assert.ok(bytes < 200, `${Math.round(bytes)} bytes of each client's request are kept`);
	});
});
