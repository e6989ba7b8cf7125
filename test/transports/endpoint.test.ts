import assert from "node:assert/strict";
import { once } from "node:events";
import { type Deferred, deferred, type Log, ManualClock } from "../../lib/base/index.js";
import type { EndpointOptions, User } from "../../lib/transports/index.js";
import {
	ask,
	negotiated,
	openWebSocket,
	rawSocket,
	readAll,
	type Served,
	serve,
	upgradeRaw,
	upgradeRequest,
} from "./serve.js";

/** Status and body of a refused upgrade; checks what every refusal has in common. */
async function refusal(
	port: number,
	target: string,
	lines: readonly string[] = [],
): Promise<[number, string]> {
	const text = await upgradeRaw(port, target, lines);
	const [head = "", body = ""] = text.split("\r\n\r\n");
	assert.match(head, /\r\nConnection: close(\r\n|$)/i);
	assert.match(head, /\r\nContent-Type: text\/plain(\r\n|$)/);
	assert.match(head, new RegExp(`\\r\\nContent-Length: ${body.length}(\\r\\n|$)`));
	return [Number(head.split(" ")[1]), body];
}

const userByHeader: EndpointOptions["authenticate"] = ({ headers }) => {
	const id = headers["x-user"];
	if (id === "nobody") throw new Error("unknown user");
	return typeof id === "string" ? { id } : undefined;
};

/** An endpoint that asks who a client is, and waits for the answer. */
async function serveAsking(): Promise<{
	readonly served: Served;
	/** Resolved when it asks. */
	readonly asked: Deferred<void>;
	readonly answer: Deferred<User | undefined>;
}> {
	const answer = deferred<User | undefined>();
	const asked = deferred();
	const served = await serve({
		authenticate() {
			asked.resolve();
			return answer.promise;
		},
	});
	return { served, asked, answer };
}

describe("transports/endpoint requests without an upgrade", () => {
	let served: Served;
	beforeEach(async () => {
		served = await serve();
	});
	afterEach(() => served.close());

	it("need an id", async () => {
		for (const method of ["GET", "POST", "DELETE"]) {
			for (const path of ["/chat", "/chat?id="]) {
				const { status, headers, body } = await ask(served.port, path, { method });
				assert.deepEqual(
					[status, headers["content-type"], body],
					[400, "text/plain", "Connection ID required"],
				);
			}
		}
	});

	it("need an id that is known, and the token rather than the public id", async () => {
		const { connectionId } = await negotiated(served.port);
		for (const method of ["GET", "POST", "DELETE"]) {
			for (const id of ["x", connectionId, "s1.a.b.c", "%00"]) {
				const { status, body } = await ask(served.port, `/chat?id=${id}`, { method });
				assert.deepEqual([status, body], [404, "No Connection with that ID"]);
			}
		}
	});

	it("learn which transports are not offered, and may use the token for another", async () => {
		const stock = await serve({ transports: ["WebSockets"] });
		const { connectionToken } = await negotiated(stock.port);
		const path = `/chat?id=${connectionToken}`;
		const poll = await ask(stock.port, path, { method: "GET" });
		assert.deepEqual(
			[poll.status, poll.body],
			[404, "LongPolling transport not supported by this end point type"],
		);
		const stream = await ask(stock.port, path, {
			method: "GET",
			headers: { Accept: "a/b, text/event-stream" },
		});
		assert.deepEqual(
			[stream.status, stream.body],
			[404, "ServerSentEvents transport not supported by this end point type"],
		);
		(await openWebSocket(stock.port, `?id=${connectionToken}`)).terminate();
		await stock.close();
	});

	it("cannot send to, nor end, a WebSocket connection", async () => {
		const { connectionToken } = await negotiated(served.port);
		await openWebSocket(served.port, `?id=${connectionToken}`);
		const post = await ask(served.port, `/chat?id=${connectionToken}`, { body: "x" });
		assert.deepEqual(
			[post.status, post.body],
			[405, "POST requests are not allowed for WebSocket connections."],
		);
		const end = await ask(served.port, `/chat?id=${connectionToken}`, { method: "DELETE" });
		assert.deepEqual(
			[end.status, end.body],
			[400, "Cannot terminate this connection using the DELETE endpoint."],
		);
	});

	it("of other verbs are 405", async () => {
		for (const method of ["PUT", "PATCH", "OPTIONS", "HEAD"]) {
			const { status, headers } = await ask(served.port, "/chat?id=1", { method });
			assert.deepEqual([status, headers["content-type"]], [405, "text/plain"], method);
		}
	});
});

describe("transports/endpoint upgrades", () => {
	let served: Served;
	let clock: ManualClock;
	beforeEach(async () => {
		clock = new ManualClock(1_000_000);
		served = await serve({ authenticate: userByHeader, clock });
	});
	afterEach(() => served.close());

	it("choose no subprotocol and no extension", async () => {
		const socket = rawSocket(served.port);
		const lines = ["Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Extensions: permessage-deflate"];
		socket.write(upgradeRequest("/chat", lines));
		const [data] = (await once(socket, "data")) as [Buffer];
		assert.match(data.toString(), /^HTTP\/1\.1 101 /);
		assert.doesNotMatch(data.toString(), /Sec-WebSocket-(Protocol|Extensions)/i);
		socket.destroy();
	});

	it("without an id get a fresh one (skipNegotiation)", async () => {
		await openWebSocket(served.port);
		await openWebSocket(served.port, "?id=");
		const [first, second] = served.owners.map((owner) => owner.connection.connectionId);
		assert.match(first ?? "", /^[A-Za-z0-9_-]{22}$/);
		assert.notEqual(first, second);
		assert.equal(served.endpoint.connections, 2);
	});

	it("with an unknown id, or the public one, are 404", async () => {
		const { connectionId } = await negotiated(served.port);
		for (const id of ["x", connectionId, "a".repeat(8_000)]) {
			assert.deepEqual(await refusal(served.port, `/chat?id=${id}`), [404, "No Connection with that ID"]);
		}
	});

	it("with a token in use are 409, and 404 once it was used", async () => {
		const { connectionToken } = await negotiated(served.port);
		const webSocket = await openWebSocket(served.port, `?id=${connectionToken}`);
		assert.deepEqual(await refusal(served.port, `/chat?id=${connectionToken}`), [409, ""]);
		webSocket.close();
		await served.owners[0]?.closedWith;
		assert.deepEqual(await refusal(served.port, `/chat?id=${connectionToken}`), [
			404,
			"No Connection with that ID",
		]);
	});

	it("with an expired token are 404", async () => {
		const { connectionToken } = await negotiated(served.port);
		clock.advance(15_001);
		assert.deepEqual(await refusal(served.port, `/chat?id=${connectionToken}`), [
			404,
			"No Connection with that ID",
		]);
	});

	it("open what another process negotiated with the same secret, with the same id", async () => {
		const tokenSecrets = ["shared by both of them"];
		const first = await serve({ tokenSecrets });
		const second = await serve({ tokenSecrets, serverId: "s2" });
		const { connectionId, connectionToken } = await negotiated(first.port);
		await openWebSocket(second.port, `?id=${connectionToken}`);
		assert.equal(second.owners[0]?.connection.connectionId, connectionId);
		await first.close();
		await second.close();
	});

	it("carry the user, and only the one who negotiated", async () => {
		const headers = { "X-User": "ann" };
		const { connectionToken } = await negotiated(served.port, "negotiateVersion=1", headers);
		for (const lines of [[], ["X-User: bob"]]) {
			assert.deepEqual(await refusal(served.port, `/chat?id=${connectionToken}`, lines), [
				404,
				"No Connection with that ID",
			]);
		}
		await openWebSocket(served.port, `?id=${connectionToken}`, headers);
		assert.equal(served.owners[0]?.connection.user?.id, "ann");
	});

	it("and negotiate are 401 with an empty body when authenticate throws", async () => {
		assert.deepEqual(await refusal(served.port, "/chat", ["X-User: nobody"]), [401, ""]);
		for (const path of ["/chat/negotiate", "/chat?id=1"]) {
			const { status, body } = await ask(served.port, path, { headers: { "X-User": "nobody" } });
			assert.deepEqual([status, body], [401, ""]);
		}
	});

	it("that are no good WebSocket handshake are refused", async () => {
		const socket = rawSocket(served.port);
		socket.write("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
		assert.match(await readAll(socket), /^HTTP\/1\.1 400 /);
		assert.equal(served.endpoint.connections, 0);
	});

	it("are 404 where WebSockets are not offered", async () => {
		const polling = await serve({ transports: ["LongPolling", "ServerSentEvents"] });
		const { connectionToken } = await negotiated(polling.port);
		const expected = [404, "WebSockets transport not supported by this end point type"];
		assert.deepEqual(await refusal(polling.port, `/chat?id=${connectionToken}`), expected);
		assert.deepEqual(await refusal(polling.port, "/chat"), expected);
		await polling.close();
	});

	it("may be named in capitals", async () => {
		const socket = rawSocket(served.port);
		socket.write(upgradeRequest("/chat").replace("websocket", "WebSocket"));
		const [data] = (await once(socket, "data")) as [Buffer];
		assert.match(data.toString(), /^HTTP\/1\.1 101 /);
		socket.destroy();
	});
});

describe("transports/endpoint limits", () => {
	it("maxConnections: negotiate and upgrades above it are 503, and pass again when one leaves", async () => {
		const served = await serve({ maxConnections: 1 });
		const webSocket = await openWebSocket(served.port);
		const { status, headers } = await ask(served.port, "/chat/negotiate");
		assert.deepEqual([status, headers["retry-after"]], [503, "1"]);
		assert.deepEqual(await refusal(served.port, "/chat"), [503, ""]);
		webSocket.close();
		await served.owners[0]?.closedWith;
		await openWebSocket(served.port);
		await served.close();
	});

	it("maxConnections counts upgrades that still wait for authenticate", async () => {
		const answer = deferred<User | undefined>();
		const asked = deferred();
		const served = await serve({
			maxConnections: 1,
			authenticate() {
				asked.resolve();
				return answer.promise;
			},
		});
		const opening = openWebSocket(served.port);
		await asked.promise;
		assert.deepEqual(await refusal(served.port, "/chat"), [503, ""]);
		answer.resolve({ id: "ann" });
		await opening;
		await served.close();
	});

	it("maxUsedTokens: upgrades are 503 rather than tokens used twice", async () => {
		const served = await serve({ maxUsedTokens: 1 });
		await openWebSocket(served.port, `?id=${(await negotiated(served.port)).connectionToken}`);
		const { connectionToken } = await negotiated(served.port);
		assert.deepEqual(await refusal(served.port, `/chat?id=${connectionToken}`), [503, ""]);
		await served.close();
	});

	it("authenticateTimeoutMs: what hangs is 503", async () => {
		const clock = new ManualClock();
		const asked = deferred();
		const served = await serve({
			clock,
			authenticateTimeoutMs: 50,
			authenticate() {
				asked.resolve();
				return new Promise(() => {});
			},
		});
		const refused = refusal(served.port, "/chat");
		await asked.promise;
		clock.advance(50);
		assert.deepEqual(await refused, [503, ""]);
		assert.equal(clock.pending, 0);
		await served.close();
	});

	it("close: an upgrade that still waits for authenticate is 503", async () => {
		const { served, asked, answer } = await serveAsking();
		const refused = refusal(served.port, "/chat");
		await asked.promise;
		served.endpoint.close();
		answer.resolve(undefined);
		assert.deepEqual(await refused, [503, ""]);
		await served.close();
	});

	it("close: negotiate and upgrades are 503, open connections go on", async () => {
		const served = await serve();
		const webSocket = await openWebSocket(served.port);
		const { connectionToken } = await negotiated(served.port);
		served.endpoint.close();
		assert.equal((await ask(served.port, "/chat/negotiate")).status, 503);
		assert.deepEqual(await refusal(served.port, `/chat?id=${connectionToken}`), [503, ""]);
		webSocket.send("still here");
		await served.owners[0]?.has(10);
		assert.equal(served.endpoint.connections, 1);
		await served.close();
	});
});

describe("transports/endpoint owners' mistakes", () => {
	const mistakes: Record<string, () => void> = {
		"throws in onConnection": () => {
			throw new Error("owner's mistake");
		},
		"never listens": () => {},
	};
	for (const [what, onConnection] of Object.entries(mistakes)) {
		it(`ends the connection of an owner that ${what}, and logs it`, async () => {
			const errors: string[] = [];
			const keep: Log["error"] = (_fields, message) => void errors.push(message);
			const served = await serve({ onConnection, log: { debug() {}, info() {}, warn() {}, error: keep } });
			const webSocket = await openWebSocket(served.port);
			await once(webSocket, "close");
			assert.equal(errors.length, 1);
			assert.equal(served.endpoint.connections, 0);
			assert.equal((await ask(served.port, "/chat/negotiate")).status, 200);
			await served.close();
		});
	}

	it("outlives a client that goes away while authenticate works", async () => {
		const { served, asked, answer } = await serveAsking();
		const socket = rawSocket(served.port);
		socket.write(upgradeRequest("/chat"));
		await asked.promise;
		socket.resetAndDestroy();
		await once(socket, "close");
		answer.resolve(undefined);
		assert.equal((await ask(served.port, "/chat/negotiate")).status, 200);
		await served.close();
	});

	describe("logs why a request was refused", () => {
		const lines: string[] = [];
		const keep: Log["debug"] = (fields, message) => void lines.push(`${JSON.stringify(fields)} ${message}`);
		const log = { debug: keep, info: keep, warn: keep, error: keep };
		beforeEach(() => {
			lines.length = 0;
		});

		it("where another process negotiated", async () => {
			const first = await serve();
			const second = await serve({ serverId: "s2", log });
			const { connectionToken } = await negotiated(first.port);
			await refusal(second.port, `/chat?id=${connectionToken}`);
			await ask(second.port, `/chat?id=${connectionToken}`);
			assert.equal(lines.length, 2);
			for (const line of lines) {
				assert.match(
					line,
					/"status":404.*negotiated at process \\"s1\\", and this is \\"s2\\".*tokenSecrets/,
				);
			}
			await first.close();
			await second.close();
		});

		it("where the token is over, or no token of ours at all", async () => {
			const served = await serve({ log });
			await refusal(served.port, "/chat?id=s1.over");
			await refusal(served.port, "/chat?id=something-else");
			for (const line of lines) assert.match(line, /no connection has this token/);
			assert.ok(lines.length === 2 && !lines.some((line) => line.includes("something-else")));
			await served.close();
		});

		it("where the page is of another origin, also where only its browser will refuse", async () => {
			const served = await serve({ log });
			await refusal(served.port, "/chat", ["Origin: https://other.example"]);
			await ask(served.port, "/chat/negotiate", { headers: { Origin: "https://other.example" } });
			assert.match(lines[0] ?? "", /"status":403.*of another origin.*allowedOrigins/);
			assert.match(lines[1] ?? "", /"origin":"https:\/\/other.example".*allowedOrigins/);
			await served.close();
		});

		it("where authorize answers false, and where there is no room", async () => {
			const served = await serve({ log, authenticate: () => ({ id: "ann" }), authorize: () => false });
			await ask(served.port, "/chat/negotiate");
			served.endpoint.close();
			await ask(served.port, "/chat/negotiate");
			assert.match(lines[0] ?? "", /"status":403.*authorize answered false/);
			assert.match(lines[1] ?? "", /"status":503.*maxConnections/);
			await served.close();
		});
	});

	it("logs neither tokens nor cookies", async () => {
		const lines: string[] = [];
		const keep: Log["info"] = (fields, message) => void lines.push(`${JSON.stringify(fields)} ${message}`);
		const served = await serve({ log: { debug: keep, info: keep, warn: keep, error: keep } });
		const { connectionToken } = await negotiated(served.port);
		await openWebSocket(served.port, `?id=${connectionToken}`, { Cookie: "session=hush" });
		await refusal(served.port, `/chat?id=${connectionToken}`);
		assert(lines.length > 0);
		assert(!lines.some((line) => line.includes(connectionToken) || line.includes("hush")));
		await served.close();
	});
});
