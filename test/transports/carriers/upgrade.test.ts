import assert from "node:assert/strict";
import { once } from "node:events";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { WebSocketUpgrades } from "../../../lib/transports/carriers/upgrade.js";
import { Refusal } from "../../../lib/transports/request/refusal.js";
import { openWebSocket, rawSocket, readAll, type Served, serve } from "../serve.js";

const HANDSHAKE: Readonly<Record<string, string>> = {
	Host: "127.0.0.1",
	Connection: "keep-alive, Upgrade",
	Upgrade: "WebSocket",
	"Sec-WebSocket-Version": "13",
	"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** Asks with these headers, those that are `undefined` left out; resolves to status, headers and body. */
async function handshake(
	port: number,
	changes: Readonly<Record<string, string | undefined>>,
	method = "GET",
): Promise<{ status: number; text: string }> {
	const lines = Object.entries({ ...HANDSHAKE, ...changes }).flatMap(([name, value]) =>
		value === undefined ? [] : [`${name}: ${value}`],
	);
	const socket = rawSocket(port);
	socket.write([`${method} /chat HTTP/1.1`, ...lines, "", ""].join("\r\n"));
	const [first] = (await once(socket, "data")) as [Buffer];
	const status = Number(first.toString("latin1", 9, 12));
	if (status === 101) socket.destroy();
	const rest = status === 101 ? "" : await readAll(socket);
	return { status, text: first.toString("latin1") + rest };
}

describe("transports/carriers/upgrade", () => {
	let served: Served;
	beforeEach(async () => {
		served = await serve();
	});
	afterEach(() => served.close());

	it("answers the key of RFC 6455 §1.3 with the RFC's own answer", async () => {
		const { text } = await handshake(served.port, {});
		assert.equal(
			text,
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
				"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
		);
	});

	it("refuses other versions with 426 and the one it speaks", async () => {
		for (const version of ["8", "12", "14", "13, 8", "x", "", undefined]) {
			const { status, text } = await handshake(served.port, { "Sec-WebSocket-Version": version });
			assert.equal(status, 426, `${version}`);
			assert.match(text, /\r\nSec-WebSocket-Version: 13\r\n/);
			assert.match(text, /\r\nUpgrade: websocket\r\n/);
		}
		assert.equal(served.endpoint.connections, 0);
	});

	it("refuses a key that is not 16 bytes in base64 with 400", async () => {
		const keys = [
			"",
			"abc",
			"dGhlIHNhbXBsZSBub25jZQ=",
			"dGhlIHNhbXBsZSBub25jZR==",
			"dGhlIHNhbXBsZSBub25jZSE=",
		];
		for (const key of [...keys, "dGhlIHNhbXBsZSBub25jZ-==", undefined]) {
			const { status, text } = await handshake(served.port, { "Sec-WebSocket-Key": key });
			assert.equal(status, 400, `${key}`);
			assert.match(text, /Missing or invalid Sec-WebSocket-Key header$/);
		}
	});

	it("refuses a POST with 405", async () => {
		const { status } = await handshake(served.port, { "Content-Length": "0" }, "POST");
		assert.equal(status, 405);
	});

	it("refuses before it asks who it is, or uses up a token", async () => {
		let asked = 0;
		const other = await serve({ authenticate: () => void asked++ });
		await handshake(other.port, { "Sec-WebSocket-Version": "12" });
		assert.equal(asked, 0);
		await openWebSocket(other.port);
		assert.equal(asked, 1);
		await other.close();
	});

	it("wants Connection to name the upgrade, whoever parsed the request", () => {
		const upgrades = new WebSocketUpgrades({ maxFrameBytes: 1 });
		const req = new IncomingMessage(new Socket());
		req.method = "GET";
		for (const [connection, isGood] of [
			["Upgrade", true],
			["keep-alive,upgrade", true],
			["no-upgrade", false],
			[undefined, false],
		] as const) {
			req.headers = {
				...(connection !== undefined && { connection }),
				"sec-websocket-version": "13",
				"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
			};
			if (isGood) upgrades.check(req);
			else assert.throws(() => upgrades.check(req), Refusal);
		}
	});

	it("opens nothing on a socket that has ended", () => {
		const upgrades = new WebSocketUpgrades({ maxFrameBytes: 1 });
		const socket = new PassThrough();
		socket.destroy();
		const upgrade = { req: new IncomingMessage(new Socket()), socket, head: Buffer.alloc(0) };
		assert.equal(upgrades.complete(upgrade), undefined);
	});
});
