import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { WebSocketServer } from "ws";
import { LinkSocket } from "../../../lib/forwarding/dotnetify-upstream/link-socket.js";

const GATHER = 64 * 1024;

describe("forwarding/dotnetify-upstream/link-socket", () => {
	let server: WebSocketServer;
	let socket: LinkSocket;
	let frames: { readonly data: Buffer; readonly isBinary: boolean }[];
	let received: () => void;

	beforeEach(async () => {
		frames = [];
		received = () => {};
		server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
		server.on("connection", (peer) =>
			peer.on("message", (data, isBinary) => {
				frames.push({ data: data as Buffer, isBinary });
				received();
			}),
		);
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;
		const owner = { connectTimeoutMs: 5_000, opened: () => {}, ending: () => {}, failed: assert.fail };
		socket = new LinkSocket(`ws://127.0.0.1:${port}`, {}, owner);
		await once(socket, "open");
	});

	afterEach(async () => {
		socket.terminate();
		for (const client of server.clients) client.terminate();
		await new Promise((resolve) => server.close(resolve));
	});

	async function until(bytes: number): Promise<void> {
		const total = (): number => frames.reduce((sum, { data }) => sum + data.length, 0);
		while (total() < bytes) await new Promise<void>((resolve) => (received = resolve));
	}

	it("sends what one turn gives it in one frame, text apart from bytes, in order", async () => {
		socket.send("a\u001e");
		socket.send("b\u001e");
		socket.send(new Uint8Array([1, 2]));
		socket.send(new Uint8Array([3]).buffer);
		socket.send("c");
		await until(8);
		assert.deepEqual(
			frames.map(({ data, isBinary }) => (isBinary ? [...data] : data.toString())),
			["a\u001eb\u001e", [1, 2, 3], "c"],
		);
	});

	it("sends text of any size in frames that a peer takes, and cuts no character (property)", async () => {
		const text = fc.array(fc.constantFrom("x", "é", "€", "😀"), { minLength: 1, maxLength: 8 });
		await fc.assert(
			fc.asyncProperty(text, fc.integer({ min: 1, max: 40_000 }), async (characters, times) => {
				frames.length = 0;
				const sent = characters.join("").repeat(times);
				socket.send(sent);
				await until(Buffer.byteLength(sent));
				assert.equal(frames.map(({ data }) => data.toString()).join(""), sent);
				for (const { data } of frames) assert.ok(data.length <= 3 * GATHER);
			}),
			{ numRuns: 15 },
		);
	});

	it("sends bytes of any size in such frames too", async () => {
		const sent = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251));
		socket.send(sent);
		await until(sent.length);
		assert.deepEqual(Buffer.concat(frames.map(({ data }) => data)), sent);
		assert.ok(frames.length >= 4);
	});

	it("sends what it has before it closes", async () => {
		socket.send("last");
		socket.close();
		await until(4);
		assert.equal(frames[0]?.data.toString(), "last");
	});
});
