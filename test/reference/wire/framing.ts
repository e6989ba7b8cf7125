import assert from "node:assert/strict";
import { recordOf } from "../raw-client.js";
import type { Scene } from "../scene.js";

const CLOSED = { type: 7, error: "Connection closed with an error.", allowReconnect: true };
const LIMIT = 32_768;

/** Frames of a WebSocket: their boundaries and kinds mean nothing. */
export function framingContract(scene: () => Scene): void {
	describe("frames", () => {
		const call = { type: 1, invocationId: "1", target: "Echo", arguments: ["straße € \u{1F600}"] };
		const answer = { type: 3, invocationId: "1", result: "straße € \u{1F600}" };

		it("may be cut anywhere, inside of a character too", async () => {
			const raw = await scene().raw();
			const bytes = Buffer.from(recordOf(call));
			for (let cut = 1; cut < bytes.length; cut += 7) {
				raw.webSocket.send(bytes.subarray(0, cut));
				raw.webSocket.send(bytes.subarray(cut));
				assert.deepEqual(await raw.next(), answer);
			}
			for (const byte of bytes) raw.webSocket.send(Buffer.from([byte]));
			assert.deepEqual(await raw.next(), answer);
		});

		it("may be cut by WebSocket fragments", async () => {
			const raw = await scene().raw();
			const bytes = Buffer.from(recordOf(call));
			raw.webSocket.send(bytes.subarray(0, 50), { fin: false, binary: true });
			raw.webSocket.send(bytes.subarray(50), { fin: true, binary: true });
			assert.deepEqual(await raw.next(), answer);
		});

		it("may hold many messages, and the beginning of one more", async () => {
			const raw = await scene().raw();
			const record = recordOf(call);
			raw.webSocket.send(record.repeat(3) + record.slice(0, 20));
			assert.deepEqual(await raw.take(3), [answer, answer, answer]);
			raw.webSocket.send(record.slice(20));
			assert.deepEqual(await raw.next(), answer);
		});

		it("may be text or binary, and may be empty", async () => {
			const raw = await scene().raw();
			raw.webSocket.send(Buffer.alloc(0));
			raw.webSocket.send("");
			raw.webSocket.send(Buffer.from(recordOf(call)));
			raw.webSocket.send(recordOf(call));
			assert.deepEqual(await raw.take(2), [answer, answer]);
			assert.deepEqual([...new Set(raw.frames.map(({ isBinary }) => isBinary))], [false]);
		});

		it("may hold whitespace around a message", async () => {
			const raw = await scene().raw();
			raw.send(`\r\n\t ${JSON.stringify(call, undefined, "\t")}\n `);
			assert.deepEqual(await raw.next(), answer);
		});

		it("carry messages up to the limit, the separator included; more ends the connection", async () => {
			const head = '{"type":1,"invocationId":"1","target":"LengthOf","arguments":["';
			const ofSize = (size: number): string => `${head}${"a".repeat(size - head.length - 4)}"]}`;
			const raw = await scene().raw();
			raw.send(ofSize(LIMIT));
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: LIMIT - head.length - 4 });
			raw.send(ofSize(LIMIT + 1));
			assert.deepEqual(await raw.last(), { said: [CLOSED], code: "1000 " });
		});

		it("carry more than the limit where it is several messages", async () => {
			const raw = await scene().raw();
			const record = recordOf({ ...call, target: "LengthOf", arguments: ["a".repeat(20_000)] });
			raw.webSocket.send(record.repeat(3));
			const length = { type: 3, invocationId: "1", result: 20_000 };
			assert.deepEqual(await raw.take(3), [length, length, length]);
		});

		it("end the connection where a message without an end grows over the limit", async () => {
			const raw = await scene().raw();
			raw.webSocket.send("a".repeat(LIMIT));
			raw.webSocket.send("a");
			assert.deepEqual(await raw.last(), { said: [CLOSED], code: "1000 " });
		});

		it("choose no subprotocol and no compression", async () => {
			const raw = await scene().socket("/hub", { perMessageDeflate: true });
			assert.equal(raw.webSocket.extensions, "");
			assert.equal(raw.webSocket.protocol, "");
		});

		it("end in order whichever code the client closes with", async () => {
			for (const code of [1000, 1001, 3000, 4999]) {
				const scope = scene().unique();
				const raw = await scene().raw(`/hub?scope=${scope}`);
				const [id = ""] = await scene().reached(scope, 1);
				raw.webSocket.close(code);
				await raw.closed;
				assert.deepEqual(await scene().reached(id, 2), ["connected", "disconnected: in order"]);
			}
		});

		it("tell the hub at once where the socket is cut", async () => {
			const scope = scene().unique();
			const raw = await scene().raw(`/hub?scope=${scope}`);
			const [id = ""] = await scene().reached(scope, 1);
			raw.webSocket.terminate();
			const [, gone] = await scene().reached(id, 2);
			assert.match(gone ?? "", /^disconnected: /);
		});
	});
}
