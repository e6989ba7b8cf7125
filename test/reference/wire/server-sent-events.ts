import assert from "node:assert/strict";
import { ask, EventStream, negotiate } from "../http-client.js";
import { recordOf } from "../raw-client.js";
import type { Scene } from "../scene.js";

const HANDSHAKE = recordOf({ protocol: "json", version: 1 });
const ADD = recordOf({ type: 1, invocationId: "1", target: "Add", arguments: [1, 2] });
const THREE = 'data: {"type":3,"invocationId":"1","result":3}\u001e\r\n\r\n';

/** Server-Sent Events by hand. */
export function serverSentEventsContract(scene: () => Scene): void {
	describe("server-sent events", () => {
		let url: string;
		let id: string;
		let stream: EventStream;
		const open = async (path = "/hub", accept?: string): Promise<void> => {
			const hub = scene().subject.url + path;
			const { connectionId, connectionToken = "" } = await negotiate(hub);
			id = connectionId;
			url = `${hub}?id=${encodeURIComponent(connectionToken)}`;
			stream = await EventStream.open(url, accept);
		};
		const post = async (body: string | Buffer): Promise<void> => {
			const { status, headers, text } = await ask(url, { method: "POST", body });
			assert.deepEqual([status, headers["content-length"], text], [200, "0", ""]);
			assert.equal(headers["content-type"], "text/plain");
		};
		afterEach(() => stream.close());

		it("begin at once, with a comment, and headers that keep caches away", async () => {
			await open();
			const { statusCode, headers } = stream.response;
			assert.equal(statusCode, 200);
			assert.deepEqual(
				["content-type", "cache-control", "pragma", "content-encoding"].map((name) => headers[name]),
				["text/event-stream", "no-cache,no-store", "no-cache", "identity"],
			);
			assert.equal(await stream.has("\n"), ":\r\n");
		});

		it("are what a client gets that names them among others, without parameters", async () => {
			await open("/hub", "application/json, Text/Event-Stream");
			assert.equal(stream.response.headers["content-type"], "text/event-stream");
			stream.close();
			await open("/hub", "text/event-stream;q=0.5");
			assert.equal(stream.response.headers["content-type"], "application/octet-stream");
		});

		it("carry records as events, and take messages by POST", async () => {
			await open();
			await post(HANDSHAKE);
			assert.equal(await stream.has("\u001e\r\n\r\n"), ":\r\ndata: {}\u001e\r\n\r\n");
			await post(ADD);
			assert.equal(await stream.has(THREE), `:\r\ndata: {}\u001e\r\n\r\n${THREE}`);
		});

		it("take messages that are spread over several POSTs, and several in one", async () => {
			await open();
			const bytes = Buffer.from(HANDSHAKE + ADD);
			for (let at = 0; at < bytes.length; at += 9) await post(bytes.subarray(at, at + 9));
			await stream.has('"result":3');
			await post(ADD.replace('"1"', '"2"') + ADD.replace('"1"', '"3"'));
			await stream.has('"invocationId":"3"');
		});

		it("take an empty POST", async () => {
			await open();
			await post("");
			await post(HANDSHAKE);
			await stream.has("{}");
		});

		it("end with the connection, and then there is none", async () => {
			await open();
			await post(HANDSHAKE);
			await post(recordOf({ type: 1, target: "AbortMe", arguments: [] }));
			await stream.ended;
			assert.ok(stream.text.endsWith('data: {"type":7}\u001e\r\n\r\n'), stream.text);
			assert.equal((await ask(url, { method: "POST", body: "x" })).status, 404);
			assert.deepEqual(await scene().reached(id, 2), ["connected", "disconnected: in order"]);
		});

		it("end the connection where they are cut", async () => {
			await open();
			await post(HANDSHAKE);
			await scene().reached(id, 1);
			stream.close();
			assert.match((await scene().reached(id, 2))[1] ?? "", /^disconnected: /);
			assert.equal((await ask(url, { method: "POST", body: "x" })).status, 404);
		});

		it("carry pings", async () => {
			await open("/hasty");
			await post(HANDSHAKE);
			await stream.has('data: {"type":6}\u001e\r\n\r\n');
		});
	});
}
