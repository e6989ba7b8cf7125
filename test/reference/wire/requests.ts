import assert from "node:assert/strict";
import { ask, EventStream, negotiate } from "../http-client.js";
import type { Scene } from "../scene.js";

const SSE = { Accept: "text/event-stream" };
const UPGRADE = {
	Connection: "Upgrade",
	Upgrade: "websocket",
	"Sec-WebSocket-Version": "13",
	"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** Requests of the hub's path that open nothing. */
export function requestsContract(scene: () => Scene): void {
	describe("requests", () => {
		const hub = (path = "/hub"): string => scene().subject.url + path;
		const token = async (path = "/hub"): Promise<string> =>
			encodeURIComponent((await negotiate(hub(path))).connectionToken ?? "");
		type Options = Parameters<typeof ask>[1];
		const refused = async (url: string, options: Options, expected: [number, string]): Promise<void> => {
			const answer = await ask(url, options);
			assert.deepEqual([answer.status, answer.text], expected, `${options?.method ?? "GET"} ${url}`);
			if (options?.method === undefined && options?.headers === undefined)
				assert.equal(answer.headers["cache-control"], "no-cache, no-store");
			// ASP.NET Core names no type where it refuses an upgrade.
			if (options?.headers !== UPGRADE) assert.match(answer.headers["content-type"] ?? "", /^text\/plain/);
		};

		it("without an id are refused", async () => {
			const expected: [number, string] = [400, "Connection ID required"];
			for (const options of [{}, { headers: SSE }, { method: "POST", body: "x" }, { method: "DELETE" }]) {
				await refused(hub(), options, expected);
				await refused(`${hub()}?id=`, options, expected);
			}
		});

		it("with an unknown id are refused", async () => {
			const expected: [number, string] = [404, "No Connection with that ID"];
			for (const id of ["unknown", "x".repeat(22), "a.b.c", "%00", "é"].map(encodeURIComponent)) {
				for (const options of [
					{},
					{ headers: SSE },
					{ headers: UPGRADE },
					{ method: "POST", body: "x" },
					{ method: "DELETE" },
				])
					await refused(`${hub()}?id=${id}`, options, expected);
			}
		});

		it("for a WebSocket without an id open one that nobody negotiated", async () => {
			for (const path of ["/hub", "/hub?id=", "/hub?more=1"]) {
				const raw = await scene().raw(path);
				raw.invoke("1", "Add", 1, 2);
				assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: 3 });
			}
		});

		it("of other methods are refused", async () => {
			for (const method of ["PUT", "PATCH"]) await refused(hub(), { method }, [405, ""]);
		});

		it("for a transport that the hub does not offer are refused", async () => {
			const id = await token("/websockets");
			for (const [headers, name] of [
				[SSE, "ServerSentEvents"],
				[undefined, "LongPolling"],
			] as const)
				await refused(`${hub("/websockets")}?id=${id}`, headers && { headers }, [
					404,
					`${name} transport not supported by this end point type`,
				]);
		});

		it("of another kind are refused where the connection is a WebSocket", async () => {
			const id = await token();
			const raw = await scene().raw(`/hub?id=${id}`);
			const url = `${hub()}?id=${id}`;
			const post = "POST requests are not allowed for WebSocket connections.";
			await refused(url, { method: "POST", body: "x" }, [405, post]);
			const gone = "Cannot terminate this connection using the DELETE endpoint.";
			await refused(url, { method: "DELETE" }, [400, gone]);
			const change = "Cannot change transports mid-connection";
			await refused(url, {}, [400, change]);
			await refused(url, { headers: SSE }, [400, change]);
			await refused(url, { headers: UPGRADE }, [409, ""]);
			raw.invoke("1", "Add", 1, 2);
			assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: 3 });
			raw.webSocket.close();
			await raw.closed;
			await scene().meanwhile();
			await refused(url, { headers: UPGRADE }, [404, "No Connection with that ID"]);
		});

		it("of another kind are refused where the connection is a stream of events", async () => {
			const url = `${hub()}?id=${await token()}`;
			const stream = await EventStream.open(url);
			await stream.has(":");
			const gone = "Cannot terminate this connection using the DELETE endpoint.";
			await refused(url, { method: "DELETE" }, [400, gone]);
			const change = "Cannot change transports mid-connection";
			await refused(url, {}, [400, change]);
			await refused(url, { headers: UPGRADE }, [400, change]);
			await refused(url, { headers: SSE }, [409, ""]);
			stream.close();
		});

		it("of another kind are refused where the connection polls", async () => {
			const url = `${hub()}?id=${await token()}`;
			assert.equal((await ask(url)).status, 200);
			const change = "Cannot change transports mid-connection";
			await refused(url, { headers: SSE }, [400, change]);
			await refused(url, { headers: UPGRADE }, [400, change]);
			assert.equal((await ask(url, { method: "DELETE" })).status, 202);
		});

		it("of another user are refused", async () => {
			const { connectionToken = "" } = await negotiate(hub(), "negotiateVersion=1", { "X-User": "ada" });
			const url = `${hub()}?id=${encodeURIComponent(connectionToken)}`;
			assert.equal((await ask(url, { headers: { "X-User": "ada" } })).status, 200);
			const answer = await ask(url, {
				...{ method: "POST", headers: { "X-User": "bob" } },
				body: '{"protocol":"json","version":1}\u001e',
			});
			assert.equal(answer.status, scene().subject.deviates("requests of another user") ? 403 : 200);
		});

		it("may use any case of the hub's path, and a slash at its end", async () => {
			for (const path of ["/HUB", "/hub/"]) {
				const answer = await ask(`${hub(path)}?id=unknown`);
				assert.deepEqual([answer.status, answer.text], [404, "No Connection with that ID"]);
			}
		});
	});
}
