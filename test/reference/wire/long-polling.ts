import assert from "node:assert/strict";
import { type Answer, ask, negotiate } from "../http-client.js";
import { recordOf } from "../raw-client.js";
import type { Scene } from "../scene.js";

const HANDSHAKE = recordOf({ protocol: "json", version: 1 });
const ADD = recordOf({ type: 1, invocationId: "1", target: "Add", arguments: [1, 2] });
const THREE = '{"type":3,"invocationId":"1","result":3}\u001e';

/** Long polling by hand. */
export function longPollingContract(scene: () => Scene): void {
	describe("long polling", () => {
		let url: string;
		let id: string;
		/** Negotiates; the first poll is answered at once. */
		const open = async (path = "/hub"): Promise<Answer> => {
			const hub = scene().subject.url + path;
			const { connectionId, connectionToken = "" } = await negotiate(hub);
			id = connectionId;
			url = `${hub}?id=${encodeURIComponent(connectionToken)}`;
			return ask(url);
		};
		const post = async (body: string | Buffer): Promise<void> => {
			const { status, headers, text } = await ask(url, { method: "POST", body });
			assert.deepEqual([status, headers["content-length"], text], [200, "0", ""]);
			assert.equal(headers["content-type"], "text/plain");
		};
		/** What a poll is answered: octets where there are any, and never kept by a cache. */
		const polled = async (poll: Promise<Answer> = ask(url)): Promise<readonly [number, string]> => {
			const { status, headers, text } = await poll;
			const isData = status === 200 && text !== "";
			assert.equal(headers["content-type"], isData ? "application/octet-stream" : "text/plain");
			assert.equal(headers["cache-control"], "no-cache, no-store");
			return [status, text];
		};
		const shake = async (): Promise<void> => {
			await post(HANDSHAKE);
			assert.deepEqual(await polled(), [200, "{}\u001e"]);
		};

		it("begins with a poll that is answered at once, and keeps caches away", async () => {
			const { status, headers, text } = await open();
			assert.deepEqual([status, text], [200, ""]);
			assert.deepEqual(
				["content-type", "content-length", "cache-control", "pragma", "expires"].map((name) => headers[name]),
				["application/octet-stream", "0", "no-cache, no-store", "no-cache", "Thu, 01 Jan 1970 00:00:00 GMT"],
			);
		});

		it("answers a poll with all that there is, or as soon as there is something", async () => {
			await open();
			await shake();
			const waiting = ask(url);
			await post(ADD);
			const { status, headers, text } = await waiting;
			assert.deepEqual([status, text], [200, THREE]);
			assert.deepEqual(
				[headers["content-type"], headers["content-length"]],
				["application/octet-stream", String(THREE.length)],
			);
			const scope = scene().unique();
			await post(ADD + ADD + recordOf({ type: 1, target: "Note", arguments: [scope, "done"] }));
			await scene().reached(scope, 1);
			assert.deepEqual(await polled(), [200, THREE + THREE]);
		});

		it("takes messages that are spread over several POSTs", async () => {
			await open();
			const bytes = Buffer.from(HANDSHAKE + ADD);
			for (let at = 0; at < bytes.length; at += 9) await post(bytes.subarray(at, at + 9));
			let all = "";
			while (!all.includes(THREE)) all += (await polled())[1];
			assert.equal(all, `{}\u001e${THREE}`);
		});

		it("knows what to do with a POST before the first poll", async () => {
			const hub = `${scene().subject.url}/hub`;
			const { connectionToken = "" } = await negotiate(hub);
			url = `${hub}?id=${encodeURIComponent(connectionToken)}`;
			if (scene().subject.deviates("POST before the first poll")) {
				const refused = await ask(url, { method: "POST", body: HANDSHAKE });
				assert.deepEqual([refused.status, refused.text], [404, "No Connection with that ID"]);
				return;
			}
			await post(HANDSHAKE);
			assert.equal((await ask(url)).text, "");
			assert.deepEqual(await polled(), [200, "{}\u001e"]);
		});

		it("lets a second poll take over from the first", async () => {
			await open();
			await shake();
			const first = ask(url);
			await scene().meanwhile();
			const second = ask(url);
			assert.deepEqual(await polled(first), [204, ""]);
			await post(ADD);
			assert.deepEqual(await polled(second), [200, THREE]);
		});

		it("answers a poll that waits too long with nothing, sends no pings, and goes on", async () => {
			await open("/hasty");
			await shake();
			for (let poll = 0; poll < 2; poll++) assert.deepEqual(await polled(), [200, ""]);
			await post(ADD);
			assert.deepEqual(await polled(), [200, THREE]);
		});

		it("ends with DELETE: the poll that waits is answered, and then there is no connection", async () => {
			await open();
			await shake();
			const waiting = ask(url);
			await scene().meanwhile();
			const ended = await ask(url, { method: "DELETE" });
			assert.deepEqual([ended.status, ended.headers["content-length"], ended.text], [202, "0", ""]);
			assert.equal(ended.headers["content-type"], "text/plain");
			const last = scene().subject.deviates("DELETE while a poll waits")
				? [204, ""]
				: [200, '{"type":7,"allowReconnect":true}\u001e'];
			assert.deepEqual(await polled(waiting), last);
			for (const options of [{}, { method: "POST", body: "x" }, { method: "DELETE" }])
				assert.equal((await ask(url, options)).status, 404);
			assert.deepEqual(await scene().reached(id, 2), ["connected", "disconnected: in order"]);
		});

		it("ends with 204, behind the Close of the hub", async () => {
			await open();
			await shake();
			await post(recordOf({ type: 1, target: "AbortMe", arguments: [] }));
			assert.deepEqual(await polled(), [200, '{"type":7}\u001e']);
			assert.deepEqual(await polled(), [204, ""]);
			assert.equal((await polled())[0], 404);
		});

		it("ends with 204, behind the error of a handshake", async () => {
			await open();
			await post(recordOf({ protocol: "nope", version: 1 }));
			assert.deepEqual(await polled(), [
				200,
				`${JSON.stringify({ error: "The protocol 'nope' is not supported." })}\u001e`,
			]);
			assert.deepEqual(await polled(), [204, ""]);
			assert.equal((await polled())[0], 404);
		});

		it("ends for a client that polls no more", async () => {
			await open("/hasty");
			await shake();
			assert.match((await scene().reached(id, 2))[1] ?? "", /^disconnected: /);
			assert.equal((await polled())[0], 404);
		});
	});
}
