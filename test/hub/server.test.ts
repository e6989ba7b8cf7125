import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { connect as connectTls } from "node:tls";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { deferred } from "../../lib/base/index.js";
import { createHub, createServer, type Hub, type Server } from "../../lib/index.js";
import { CertificateAuthority } from "../forwarding/support/certificates.js";
import { RawClient } from "./live.js";

const HOST = "127.0.0.1";

describe("hub/server", () => {
	it("tells where it listens", async () => {
		const server = createServer();
		const { port, url } = await server.listen(0, HOST);
		assert.equal(url, `http://127.0.0.1:${port}`);
		assert.equal((await fetch(`${url}/nothing`)).status, 404);
		await server.close();
	});

	it("serves TLS, and does not wait at its end for sockets over which nothing has come", async () => {
		const authority = new CertificateAuthority("CA of the tests");
		const tls = authority.issue({ names: [HOST] });
		const server = createServer({ tls, closeTimeoutMs: 60_000 }).map("/chat", createHub()());
		const { port, url } = await server.listen(0, HOST);
		assert.equal(url, `https://${HOST}:${port}`);
		const accepted = once(server.http, "secureConnection");
		const silent = connectTls({ port, host: HOST, ca: authority.cert });
		await Promise.all([accepted, once(silent, "secureConnect")]);
		const gone = once(silent, "close");
		silent.resume();
		await server.close();
		await gone;
		assert.throws(() => createServer({ tls: { cert: "none", key: "none" } }), {
			code: "ERR_OPTION",
			message: /^Option "tls" cannot be used: /,
		});
	});

	it("refuses a port in use with a message that names it", async () => {
		const other = createTcpServer().listen(0, HOST);
		await once(other, "listening");
		const { port } = other.address() as AddressInfo;
		const server = createServer();
		await assert.rejects(server.listen(port, HOST), {
			code: "ERR_ADDRESS_IN_USE",
			message: `Another program listens on 127.0.0.1, port ${port} already. Stop it, or choose another port.`,
		});
		assert.equal(server.http.listenerCount("error"), 0);
		const { port: free } = await server.listen(0, HOST);
		assert.notEqual(free, port);
		await server.close();
		other.close();
	});

	it("refuses a port or host that cannot be listened on", async () => {
		for (const [port, host] of [
			[70_000, HOST],
			[0, "192.0.2.1"],
		] as const) {
			await assert.rejects(createServer().listen(port, host), {
				code: "ERR_OPTION",
				message: /^Cannot listen on/,
			});
		}
	});

	it("leaves no listener for errors behind", async () => {
		const server = createServer();
		const count = (): number[] => ["error", "listening"].map((name) => server.http.listenerCount(name));
		const before = count();
		await server.listen(0, HOST);
		assert.deepEqual(count(), before);
		await server.close();
	});

	it("refuses a second hub on a path, and a path that is none", () => {
		const server = createServer().map("/chat", createHub()());
		assert.throws(() => server.map("/Chat/", createHub()()), {
			code: "ERR_OPTION",
			message: /"\/Chat\/" has a hub/,
		});
		assert.throws(() => server.map("chat", createHub()()), { code: "ERR_OPTION" });
		assert.throws(() => createServer({ closeTimeoutMs: 0 }), { code: "ERR_OPTION" });
	});

	it("refuses what is no hub, such as the function that createHub() gives", () => {
		const half: unknown = createHub();
		assert.throws(() => createServer().map("/chat", half as Hub), {
			code: "ERR_OPTION",
			message: /with two calls; found function/,
		});
	});

	it("cannot listen twice at once", async () => {
		const server = createServer();
		await server.listen(0, HOST);
		await assert.rejects(server.listen(0, HOST), { code: "ERR_OPTION", message: /without closing\.$/ });
		await server.close();
	});

	it("can be closed before it ever listened, and twice", async () => {
		const server = createServer().map("/chat", createHub()());
		await server.close();
		const running = createServer();
		await running.listen(0, HOST);
		await Promise.all([running.close(), running.close()]);
	});

	it("puts one hub on several paths, with clients of each among all", async () => {
		const hub = createHub()();
		const server = createServer().map("/a", hub).map("/b", hub);
		const { port } = await server.listen(0, HOST);
		const raws = [await RawClient.open(port, "/a"), await RawClient.open(port, "/b")];
		for (const raw of raws) await raw.handshake();
		assert.deepEqual([hub.paths, hub.lifetime.size], [["/a", "/b"], 2]);
		await hub.clients.all.send("told");
		for (const raw of raws) assert.deepEqual(await raw.next(), { type: 1, target: "told", arguments: [] });
		await server.close();
		for (const raw of raws) assert.equal(await raw.closed, 1000);
	});

	it("closes a hub at each server that it is mapped on", async () => {
		const hub = createHub()();
		const servers = [createServer().map("/chat", hub), createServer().map("/chat", hub)];
		const urls = await Promise.all(servers.map(async (server) => (await server.listen(0, HOST)).url));
		await hub.close();
		for (const url of urls) {
			assert.equal((await fetch(`${url}/chat/negotiate`, { method: "POST" })).status, 503);
		}
		await Promise.all(servers.map((server) => server.close()));
	});

	it("answers the upgrade of another path with 404 and ends the socket", async () => {
		const server = createServer().map("/chat", createHub()());
		const { port } = await server.listen(0, HOST);
		// A client that never ends its own half must not keep the socket open.
		const socket = connect({ port, host: HOST, allowHalfOpen: true });
		socket.on("error", () => {});
		socket.write("GET /other HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
		const [data] = (await once(socket, "data")) as [Buffer];
		assert.match(data.toString(), /^HTTP\/1\.1 404 /);
		assert.equal(await connections(server), 0);
		await server.close();
		socket.destroy();
	});

	it("leaves nothing open: sockets that said nothing, half a request, a hanging answer, idle ones", async () => {
		const server = createServer({ closeTimeoutMs: 50 }).map("/chat", createHub()());
		const hanging = deferred();
		server.app.use((ctx) => {
			if (ctx.path !== "/hang") {
				ctx.body = "ok";
				return undefined;
			}
			hanging.resolve();
			return new Promise(() => {});
		});
		const { port, url } = await server.listen(0, HOST);
		const texts = ["", "GET / HTTP/1.1\r\nHo", "GET /hang HTTP/1.1\r\nHost: x\r\n\r\n"];
		const sockets = texts.map((text) => {
			const socket = connect(port, HOST);
			socket.on("error", () => {});
			socket.resume();
			if (text) socket.write(text);
			return once(socket, "close");
		});
		await hanging.promise;
		assert.equal(await (await fetch(url)).text(), "ok");
		const raw = await RawClient.open(port);
		await raw.handshake();
		await server.close();
		await Promise.all(sockets);
		assert.equal(await raw.closed, 1000);
		assert.equal(await connections(server), 0);
	});

	it("does not wait for sockets over which nothing has come", async () => {
		// More than the time of this test: only what is not waited for can end in it.
		const server = createServer({ closeTimeoutMs: 60_000 }).map("/chat", createHub()());
		const { port } = await server.listen(0, HOST);
		const accepted = once(server.http, "connection");
		const silent = connect(port, HOST);
		silent.on("error", () => {});
		await accepted;
		const client = new HubConnectionBuilder()
			.withUrl(`http://${HOST}:${port}/chat`, { transport: HttpTransportType.LongPolling })
			.configureLogging(LogLevel.None)
			.build();
		await client.start();
		await client.stop();
		const gone = once(silent, "close");
		silent.resume();
		await server.close();
		await gone;
		assert.equal(await connections(server), 0);
	});

	it("lets a request that is being answered end", async () => {
		const server = createServer();
		const [started, gate] = [deferred(), deferred()];
		server.app.use(async (ctx) => {
			started.resolve();
			await gate.promise;
			ctx.body = "done";
		});
		const { url } = await server.listen(0, HOST);
		const answer = fetch(url);
		await started.promise;
		const closed = server.close();
		gate.resolve();
		assert.equal(await (await answer).text(), "done");
		await closed;
	});
});

async function connections(server: Server): Promise<number> {
	const count = (): Promise<number> =>
		new Promise((resolve, reject) => {
			server.http.getConnections((error, found) => (error ? reject(error) : resolve(found)));
		});
	for (let turn = 0; turn < 100 && (await count()) > 0; turn++)
		await new Promise((resolve) => setImmediate(resolve));
	return count();
}
