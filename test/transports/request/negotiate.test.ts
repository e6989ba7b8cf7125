import assert from "node:assert/strict";
import fc from "fast-check";
import {
	type NegotiateAnswer,
	type Negotiation,
	negotiate,
} from "../../../lib/transports/request/negotiate.js";
import type { TokenKind } from "../../../lib/transports/tokens.js";
import { ask, negotiated, openWebSocket, type Served, serve, upgradeRaw } from "../serve.js";

const TRANSPORTS = [
	{ transport: "WebSockets", transferFormats: ["Text", "Binary"] },
	{ transport: "ServerSentEvents", transferFormats: ["Text"] },
	{ transport: "LongPolling", transferFormats: ["Text", "Binary"] },
];
const NOT_WHOLE = { error: "The client requested a non-integer protocol version." };

function issue(kind: TokenKind): { connectionId: string; token: string } {
	return kind === 0 ? { connectionId: "token", token: "token" } : { connectionId: "id", token: `${kind}` };
}

function negotiateVersion(version: string | undefined, rest: Partial<Negotiation> = {}): NegotiateAnswer {
	const transports = ["WebSockets", "ServerSentEvents", "LongPolling"] as const;
	const asked = { version, statefulReconnect: undefined, transports, allowStatefulReconnects: false, issue };
	return negotiate({ ...asked, ...rest });
}

describe("transports/request/negotiate", () => {
	it("answers version 1, and any higher one, with id and token", () => {
		for (const version of ["1", "99", " 1 ", "+1", "2147483647"]) {
			assert.equal(
				JSON.stringify(negotiateVersion(version)),
				JSON.stringify({
					negotiateVersion: 1,
					connectionId: "id",
					connectionToken: "1",
					availableTransports: TRANSPORTS,
				}),
				version,
			);
		}
	});

	it("answers version 0, and none, without a token", () => {
		for (const version of ["0", undefined]) {
			assert.equal(
				JSON.stringify(negotiateVersion(version)),
				JSON.stringify({ negotiateVersion: 0, connectionId: "token", availableTransports: TRANSPORTS }),
			);
		}
	});

	it("answers a version that is no 32-bit integer with the error text", () => {
		for (const version of ["", "one", "1.0", "1e0", "0x1", "2147483648", "99999999999", "NaN", "١"]) {
			assert.deepEqual(negotiateVersion(version), NOT_WHOLE, version);
		}
	});

	it("answers a negative version as one that is not supported", () => {
		assert.deepEqual(negotiateVersion("-1"), {
			error: "The client requested version '-1', but the server does not support this version.",
		});
	});

	it("grants stateful reconnect to who asks where it is allowed, and says nothing of it otherwise", () => {
		for (const statefulReconnect of ["true", "True", "TRUE"]) {
			const answer = negotiateVersion("1", { statefulReconnect, allowStatefulReconnects: true });
			assert("negotiateVersion" in answer);
			assert.equal(answer.useStatefulReconnect, true);
			assert.equal(answer.connectionToken, "reconnect");
		}
		const refused: Partial<Negotiation>[] = [
			{ statefulReconnect: "true" },
			{ allowStatefulReconnects: true },
			{ allowStatefulReconnects: true, statefulReconnect: "1" },
		];
		for (const rest of refused) assert(!("useStatefulReconnect" in negotiateVersion("1", rest)));
		const old = negotiateVersion("0", { statefulReconnect: "true", allowStatefulReconnects: true });
		assert(!("useStatefulReconnect" in old));
	});

	it("names the transports that are offered", () => {
		const answer = negotiateVersion("1", { transports: ["LongPolling"] });
		assert("availableTransports" in answer);
		assert.deepEqual(answer.availableTransports, TRANSPORTS.slice(2));
	});

	it("answers any text", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), (text) => typeof negotiateVersion(text) === "object"),
		);
	});
});

describe("transports/request/negotiate over HTTP", () => {
	let served: Served;
	beforeEach(async () => {
		served = await serve();
	});
	afterEach(() => served.close());

	it("is JSON that no cache keeps", async () => {
		const { status, headers, body } = await ask(served.port, "/chat/negotiate?negotiateVersion=1");
		assert.equal(status, 200);
		assert.equal(headers["content-type"], "application/json");
		assert.equal(headers["cache-control"], "no-store");
		const { connectionId, connectionToken, ...rest } = JSON.parse(body);
		assert.deepEqual(rest, { negotiateVersion: 1, availableTransports: TRANSPORTS });
		assert.match(connectionId, /^[A-Za-z0-9_-]{22}$/);
		assert.match(connectionToken, /^s1\./);
	});

	it("answers errors with status 200", async () => {
		const { status, body } = await ask(served.port, "/chat/negotiate?negotiateVersion=x");
		assert.equal(status, 200);
		assert.deepEqual(JSON.parse(body), NOT_WHOLE);
	});

	it("reads query keys without regard to case and ignores a body", async () => {
		const { body } = await ask(served.port, "/chat/negotiate?NEGOTIATEVERSION=1&other=2", {
			body: "{not json",
		});
		assert.equal(JSON.parse(body).negotiateVersion, 1);
	});

	it("answers other verbs with 405", async () => {
		for (const method of ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"]) {
			const { status, headers, body } = await ask(served.port, "/chat/negotiate", { method });
			assert.deepEqual([status, headers["content-type"], body], [405, "text/plain", ""], method);
		}
	});

	it("answers 405 to a WebSocket upgrade, and as ever to an upgrade it does not know", async () => {
		assert.match(await upgradeRaw(served.port, "/chat/negotiate"), /^HTTP\/1\.1 405 /);
		const headers = { Connection: "Upgrade, HTTP2-Settings", Upgrade: "h2c", "HTTP2-Settings": "AAMAAABk" };
		const { status, body } = await ask(served.port, "/chat/negotiate?negotiateVersion=1", { headers });
		assert.equal(status, 200);
		assert.equal(JSON.parse(body).negotiateVersion, 1);
	});

	it("opens a connection with the id it gave: version 1 by token, version 0 by id", async () => {
		const first = await negotiated(served.port);
		await openWebSocket(served.port, `?id=${first.connectionToken}`);
		const second = await negotiated(served.port, "");
		await openWebSocket(served.port, `?ID=${encodeURIComponent(second.connectionId)}`);
		const ids = served.owners.map((owner) => owner.connection.connectionId);
		assert.deepEqual(ids, [first.connectionId, second.connectionId]);
	});

	it("cuts off a body without end", async () => {
		await assert.rejects(
			(async () => {
				const { connect } = await import("node:net");
				const socket = connect(served.port, "127.0.0.1");
				await new Promise<void>((_, reject) => {
					socket.on("error", reject);
					socket.on("close", () => reject(new Error("cut off")));
					socket.on("data", () => {});
					socket.write("POST /chat/negotiate HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
					const push = (error?: Error | null): void => {
						if (!error && socket.writable) socket.write(`2000\r\n${"x".repeat(0x2000)}\r\n`, push);
					};
					push();
				});
			})(),
		);
		assert.equal((await ask(served.port, "/chat/negotiate")).status, 200);
	});
});
