import assert from "node:assert/strict";
import type { ConnectionRequest } from "../../../lib/transports/index.js";
import { Origins } from "../../../lib/transports/request/origins.js";
import { ask, openWebSocket, type Served, serve, upgradeRaw } from "../serve.js";

function from(origin: string | undefined, host = "own.example", secure = false): ConnectionRequest {
	return { headers: origin === undefined ? {} : { origin }, host, secure } as unknown as ConnectionRequest;
}

describe("transports/request/origins", () => {
	it("allows what is no browser, and pages of the same host", () => {
		const origins = new Origins();
		assert.equal(origins.allows(from(undefined)), true);
		assert.equal(origins.allows(from("http://own.example")), true);
		assert.equal(origins.allows(from("http://OWN.example:80", "own.EXAMPLE")), true);
		assert.equal(origins.allows(from("https://own.example", "own.example:443", true)), true);
		assert.equal(origins.allows(from("https://own.example", "own.example")), true);
	});

	it("refuses every other page", () => {
		const origins = new Origins();
		const others = [
			"http://evil.example",
			"http://own.example.evil",
			"http://own.example:81",
			"null",
			"",
			"own.example",
			"file:///x",
		];
		for (const origin of others) assert.equal(origins.allows(from(origin)), false, origin);
		assert.equal(origins.allows(from("http://own.example", "own.example", true)), false);
		assert.equal(origins.allows(from("http://x", "")), false);
	});

	it("allows what is listed, and everything where that was asked for", () => {
		const listed = new Origins(["https://app.example:8443/", "null"]);
		assert.equal(listed.allows(from("https://app.example:8443")), true);
		assert.equal(listed.allows(from("https://app.example")), false);
		assert.equal(listed.allows(from("null")), true);
		assert.equal(listed.allows(from("http://own.example")), true);
		assert.equal(new Origins("*").allows(from("http://evil.example")), true);
	});

	it("refuses what is no list, letter by letter or not", () => {
		for (const wrong of ["https://app.example", {}, null, true] as unknown as string[][]) {
			assert.throws(() => new Origins(wrong), {
				code: "ERR_OPTION",
				message: /"allowedOrigins" must be a list of origins, or "\*"; found /,
			});
		}
	});

	it("refuses a list entry that is no origin", () => {
		for (const entry of ["app.example", "https://app.example/path", "https://*.example/x", "ftp://a", ""]) {
			assert.throws(() => new Origins([entry]), { code: "ERR_OPTION", message: /"allowedOrigins"/ }, entry);
		}
	});
});

describe("transports/request/origins over HTTP", () => {
	let served: Served;
	const page = "https://app.example";
	beforeEach(async () => {
		served = await serve({ allowedOrigins: [page] });
	});
	afterEach(() => served.close());

	it("lets an allowed page read negotiate, with credentials", async () => {
		const { status, headers } = await ask(served.port, "/chat/negotiate", { headers: { Origin: page } });
		assert.equal(status, 200);
		assert.equal(headers["access-control-allow-origin"], page);
		assert.equal(headers["access-control-allow-credentials"], "true");
		assert.equal(headers.vary, "Origin");
	});

	it("answers another page's negotiate without CORS headers", async () => {
		const { status, headers } = await ask(served.port, "/chat/negotiate", {
			headers: { Origin: "https://evil.example" },
		});
		assert.equal(status, 200);
		assert.equal(headers["access-control-allow-origin"], undefined);
		assert.equal(headers["access-control-allow-credentials"], undefined);
	});

	it("answers a preflight with 204", async () => {
		for (const path of ["/chat/negotiate", "/chat"]) {
			const headers = { Origin: page, "Access-Control-Request-Method": "POST" };
			const answer = await ask(served.port, path, { method: "OPTIONS", headers });
			assert.equal(answer.status, 204);
			assert.equal(answer.headers["access-control-allow-origin"], page);
			assert.equal(answer.headers["access-control-allow-methods"], "POST, GET, DELETE");
			const allowed = answer.headers["access-control-allow-headers"] ?? "";
			for (const name of ["x-requested-with", "x-signalr-user-agent", "authorization", "content-type"]) {
				assert(allowed.includes(name), name);
			}
			const other = await ask(served.port, path, {
				method: "OPTIONS",
				headers: { ...headers, Origin: "https://evil.example" },
			});
			assert.equal(other.status, 204);
			assert.equal(other.headers["access-control-allow-methods"], undefined);
		}
	});

	it("lets the page read a refusal too", async () => {
		const { status, headers } = await ask(served.port, "/chat", { method: "GET", headers: { Origin: page } });
		assert.deepEqual([status, headers["access-control-allow-origin"]], [400, page]);
	});

	it("refuses another page's WebSocket with 403, and opens an allowed one's", async () => {
		assert.match(
			await upgradeRaw(served.port, "/chat", ["Origin: https://evil.example"]),
			/^HTTP\/1\.1 403 /,
		);
		(await openWebSocket(served.port, "", { Origin: page })).terminate();
		(await openWebSocket(served.port, "", { Origin: `http://127.0.0.1:${served.port}` })).terminate();
	});
});
