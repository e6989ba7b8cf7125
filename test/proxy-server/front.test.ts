import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import fc from "fast-check";
import { WebSocket, WebSocketServer } from "ws";
import { Front, type FrontTarget } from "../../proxy-server/front.js";

interface Backend {
	readonly name: string;
	readonly http: Server;
	readonly sockets: WebSocketServer;
	readonly target: FrontTarget;
	readonly seen: IncomingMessage[];
	upgrades: number;
}

/** A server that echoes bodies and WebSocket messages, refuses upgrades of …/refused, and keeps what it saw. */
async function startBackend(name: string): Promise<Backend> {
	const sockets = new WebSocketServer({ noServer: true });
	const http = createServer((message, answer) => {
		backend.seen.push(message);
		answer.setHeader("x-server", name);
		answer.setHeader("x-path", message.url ?? "");
		message.pipe(answer);
	});
	http.on("upgrade", (message, socket, head) => {
		backend.seen.push(message);
		backend.upgrades++;
		if (message.url?.includes("/refused")) {
			socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
			return;
		}
		sockets.handleUpgrade(message, socket, head, (one) => {
			one.on("message", (data, isBinary) => one.send(data, { binary: isBinary }));
			one.on("error", () => one.terminate());
		});
	});
	http.listen(0, "127.0.0.1");
	await once(http, "listening");
	const target = { name, port: (http.address() as AddressInfo).port };
	const backend: Backend = { name, http, sockets, target, seen: [], upgrades: 0 };
	return backend;
}

async function stopBackend({ http, sockets }: Backend): Promise<void> {
	for (const one of sockets.clients) one.terminate();
	http.closeAllConnections();
	if (http.listening) await new Promise((resolve) => http.close(resolve));
}

/** Writes raw bytes and returns all that comes back until the connection ends. */
async function rawExchange(port: number, bytes: string | Uint8Array): Promise<string> {
	const socket: Socket = connect(port, "127.0.0.1");
	let received = "";
	socket.setEncoding("latin1").on("data", (text) => {
		received += text;
	});
	socket.on("error", () => undefined);
	socket.end(bytes);
	await once(socket, "close");
	return received;
}

describe("proxy-server/front", () => {
	let p1: Backend;
	let p2: Backend;
	let pages: Backend;
	let front: Front;
	let url: string;
	const opened: WebSocket[] = [];

	beforeEach(async () => {
		[p1, p2, pages] = await Promise.all([startBackend("p1"), startBackend("p2"), startBackend("app")]);
		front = new Front({ proxies: [p1.target, p2.target], pages: pages.target });
		await front.listen(0);
		url = `127.0.0.1:${front.port}`;
	});

	afterEach(async () => {
		for (const socket of opened.splice(0)) socket.terminate();
		await front.close();
		await Promise.all([p1, p2, pages].map(stopBackend));
	});

	async function open(path: string, headers: Record<string, string> = {}): Promise<WebSocket> {
		const socket = new WebSocket(`ws://${url}${path}`, { headers });
		opened.push(socket);
		socket.on("error", () => undefined);
		await once(socket, "open");
		return socket;
	}

	it("sends pages to the app server and hub traffic to a proxy", async () => {
		const served = async (path: string): Promise<string | null> =>
			(await fetch(`http://${url}${path}`)).headers.get("x-server");
		assert.equal(await served("/"), "app");
		assert.equal(await served("/dotnetifyx/negotiate"), "app");
		assert.equal(await served("/assets/a.js?id=p2.1"), "app");
		assert.match((await served("/dotnetify/negotiate")) ?? "", /^p[12]$/);
		assert.match((await served("/dotnetify?id=p3.x")) ?? "", /^p[12]$/);
	});

	it("follows the server id that a token begins with", async () => {
		for (const name of ["p1", "p2", "p2", "p1", "p1"]) {
			const answer = await fetch(`http://${url}/dotnetify?id=${name}.123.abc.def`);
			assert.equal(answer.headers.get("x-server"), name);
			assert.equal(answer.headers.get("x-path"), `/dotnetify?id=${name}.123.abc.def`);
		}
	});

	it("gives equal shares to proxies whether clients negotiate or not", async () => {
		for (let nth = 0; nth < 10; nth++) {
			await fetch(`http://${url}/dotnetify/negotiate?negotiateVersion=1`, { method: "POST" });
			await open("/dotnetify");
		}
		assert.deepEqual([p1.upgrades, p2.upgrades], [5, 5]);
		for (let nth = 0; nth < 10; nth++) await open("/dotnetify");
		assert.deepEqual([p1.upgrades, p2.upgrades], [10, 10]);
	});

	it("counts a proxy's connections down when they end", async () => {
		const [one, , third] = [
			await open("/dotnetify?id=p1.a"),
			await open("/dotnetify?id=p2.a"),
			await open("/dotnetify?id=p1.b"),
		];
		for (const socket of [one, third]) {
			socket.close();
			await once(socket, "close");
		}
		const before = p1.upgrades;
		await open("/dotnetify");
		assert.equal(p1.upgrades, before + 1);
	});

	it("carries bodies of any size both ways", async () => {
		const body = Buffer.alloc(3_000_000, "trunkline");
		const answer = await fetch(`http://${url}/dotnetify/x`, { method: "POST", body });
		assert.ok(Buffer.from(await answer.arrayBuffer()).equals(body));
	});

	it("carries WebSocket messages both ways, the bytes sent along with the upgrade included", async () => {
		const socket = await open("/dotnetify");
		const large = Buffer.alloc(2_000_000, 7);
		socket.send(large);
		const [echo] = await once(socket, "message");
		assert.ok((echo as Buffer).equals(large));
		const early = await rawExchange(
			front.port,
			Buffer.concat([
				Buffer.from(
					`GET /dotnetify HTTP/1.1\r\nHost: ${url}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
				),
				// Masked "hi" (mask 0), then a close frame.
				Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69, 0x88, 0x80, 0, 0, 0, 0]),
			]),
		);
		assert.match(early, /^HTTP\/1\.1 101 /);
		assert.ok(early.includes("\x81\x02hi"), JSON.stringify(early));
	});

	it("says who the client is, and drops what the client says about that", async () => {
		await fetch(`http://${url}/dotnetify`, {
			headers: {
				"x-forwarded-for": "6.6.6.6",
				forwarded: "for=6.6.6.6",
				"x-forwarded-proto": "https",
				"x-forwarded-host": "evil",
			},
		});
		await open("/dotnetify", { "x-forwarded-for": "6.6.6.6", "x-real-ip": "6.6.6.6" });
		const seen = [...p1.seen, ...p2.seen];
		assert.equal(seen.length, 2);
		for (const { headers } of seen) {
			assert.equal(headers["x-forwarded-for"], "127.0.0.1");
			assert.equal(headers["x-forwarded-proto"], "http");
			assert.equal(headers["x-forwarded-host"], url);
			assert.equal(headers.host, url);
			assert.equal(headers.forwarded, undefined);
			assert.equal(headers["x-real-ip"], undefined);
		}
	});

	it("keeps headers of one hop to itself, also those that Connection names", async () => {
		const answer = request(`http://${url}/`, {
			headers: { connection: "keep-alive, x-secret", "x-secret": "1", "x-other": "2", te: "trailers" },
		}).end();
		const [received] = (await once(answer, "response")) as [IncomingMessage];
		received.resume();
		await once(received, "end");
		answer.destroy();
		const [{ headers } = assert.fail("nothing seen")] = pages.seen;
		const { te } = headers;
		assert.deepEqual([headers["x-secret"], te, headers["x-other"]], [undefined, undefined, "2"]);
	});

	it("passes a refused upgrade on and ends the connection, so that nothing can follow it", async () => {
		const answer = await rawExchange(
			front.port,
			`GET /dotnetify/refused HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /dotnetify/smuggled HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n`,
		);
		assert.match(answer, /^HTTP\/1\.1 401 Unauthorized\r\n/);
		assert.match(answer, /no$/);
		assert.deepEqual(
			[...p1.seen, ...p2.seen].map((message) => message.url),
			["/dotnetify/refused"],
		);
	});

	it("answers 502 where nobody listens, to requests and upgrades", async () => {
		await stopBackend(p1);
		const answer = await fetch(`http://${url}/dotnetify?id=p1.x`);
		assert.equal(answer.status, 502);
		assert.equal(await answer.text(), "No answer from p1.\n");
		const socket = new WebSocket(`ws://${url}/dotnetify?id=p1.x`);
		const [error] = (await once(socket, "error")) as [Error];
		assert.match(error.message, /502/);
		assert.equal((await fetch(`http://${url}/`)).status, 200);
	});

	it("answers 502 where a server talks nonsense or hangs up", async () => {
		const nonsense = createTcpServer((socket) => {
			socket.on("error", () => undefined);
			socket.once("data", (data) =>
				data.includes("hang") ? socket.destroy() : socket.end("Hello.\r\n\r\n"),
			);
		});
		nonsense.listen(0, "127.0.0.1");
		await once(nonsense, "listening");
		const target = { name: "bad", port: (nonsense.address() as AddressInfo).port };
		const other = new Front({ proxies: [target], pages: target });
		await other.listen(0);
		assert.equal((await fetch(`http://127.0.0.1:${other.port}/`)).status, 502);
		assert.equal((await fetch(`http://127.0.0.1:${other.port}/hang`)).status, 502);
		const upgrade = `GET /dotnetify HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
		assert.match(await rawExchange(other.port, upgrade), /^HTTP\/1\.1 502 /);
		await other.close();
		nonsense.close();
	});

	it("ends both sides when either one goes", async () => {
		const socket = await open("/dotnetify?id=p1.x");
		const [far] = p1.sockets.clients;
		socket.terminate();
		await once(far as WebSocket, "close");
		const next = await open("/dotnetify?id=p2.x");
		for (const one of p2.sockets.clients) one.terminate();
		await once(next, "close");
	});

	it("refuses targets that are no path, and upgrades to something else", async () => {
		assert.match(
			await rawExchange(front.port, "GET http://evil/ HTTP/1.1\r\nHost: a\r\n\r\n"),
			/^HTTP\/1\.1 400 /,
		);
		const h2c = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
		assert.match(await rawExchange(front.port, h2c), /^HTTP\/1\.1 400 /);
		assert.equal(p1.seen.length + p2.seen.length + pages.seen.length, 0);
	});

	it("survives any bytes and goes on serving others", async () => {
		await fc.assert(
			fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 400 }), fc.string()), async (bytes) => {
				await rawExchange(front.port, bytes);
			}),
			{ numRuns: 40 },
		);
		assert.equal((await fetch(`http://${url}/`)).status, 200);
	});

	it("closes with requests and upgraded connections in flight", async () => {
		const socket = await open("/dotnetify");
		const closed = once(socket, "close");
		await front.close();
		await closed;
		await front.listen(0);
	});
});
