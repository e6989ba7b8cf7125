import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import Koa from "koa";
import { WebSocket, WebSocketServer } from "ws";
import { createHub, type Hub } from "../../lib/index.js";
import { RawClient } from "./live.js";

async function listen(server: Server): Promise<{ readonly port: number; readonly url: string }> {
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	return { port, url: `http://127.0.0.1:${port}` };
}

async function end(server: Server, ...hubs: Hub[]): Promise<void> {
	await Promise.all(hubs.map((hub) => hub.close()));
	server.close();
	server.closeAllConnections();
	await once(server, "close");
}

function named(name: string): Hub {
	return createHub()({ methods: { name: () => name } });
}

async function nameBehind(port: number, path: string): Promise<unknown> {
	const raw = await RawClient.open(port, path);
	await raw.handshake();
	raw.invoke("1", "name");
	return ((await raw.next()) as { result: unknown }).result;
}

async function post(url: string): Promise<number> {
	return (await fetch(url, { method: "POST" })).status;
}

describe("hub/mount", () => {
	it("lives beside another hub, somebody else's WebSockets and Koa routes", async () => {
		const app = new Koa();
		app.use(async (ctx, next) => {
			ctx.set("X-App", "mine");
			await next();
		});
		app.use((ctx) => {
			ctx.body = "koa";
		});
		const server = createServer(app.callback());
		const sockets = new WebSocketServer({ noServer: true });
		server.on("upgrade", (request, socket, head) => {
			if (request.url !== "/theirs") return;
			sockets.handleUpgrade(request, socket, head, (webSocket) => webSocket.send("theirs"));
		});
		const [chat, news] = [named("chat"), named("news")];
		chat.mount({ app, server, path: "/chat" });
		news.mount({ app, server, path: "/news" });
		const { port, url } = await listen(server);

		assert.deepEqual(await Promise.all([nameBehind(port, "/chat"), nameBehind(port, "/news")]), [
			"chat",
			"news",
		]);
		assert.equal(await post(`${url}/chat/negotiate?negotiateVersion=1`), 200);
		const page = await fetch(`${url}/chatter`);
		assert.deepEqual([await page.text(), page.headers.get("x-app")], ["koa", "mine"]);
		const theirs = new WebSocket(`ws://127.0.0.1:${port}/theirs`);
		const [greeting] = (await once(theirs, "message")) as [Buffer];
		assert.equal(greeting.toString(), "theirs");
		theirs.terminate();
		await end(server, chat, news);
	});

	it("keeps a Koa application quiet that comes to the server later, or runs on another one", async () => {
		const app = new Koa();
		const server = createServer();
		const hub = named("chat");
		hub.mount({ app, server, path: "/chat" });
		app.use((ctx) => {
			ctx.body = "koa";
		});
		server.on("request", app.callback());
		const other = createServer(app.callback());
		const urls = [(await listen(server)).url, (await listen(other)).url];
		for (const url of urls) {
			const answer = await fetch(`${url}/chat/negotiate?negotiateVersion=1`, { method: "POST" });
			assert.deepEqual(Object.keys((await answer.json()) as object).includes("connectionToken"), true);
			assert.equal(await (await fetch(`${url}/page`)).text(), "koa");
		}
		await end(other);
		await end(server, hub);
	});

	it("takes its path's requests away from those who listened before", async () => {
		let asked = 0;
		const app: RequestListener = (_request, response) => {
			asked++;
			response.end("app");
		};
		const server = createServer(app);
		const [chat, news] = [named("chat"), named("news")];
		chat.mount({ server, path: "/chat" });
		news.mount({ server, path: "/news" });
		const { port, url } = await listen(server);
		for (const path of ["chat", "news"]) {
			assert.equal(await post(`${url}/${path}/negotiate?negotiateVersion=1`), 200);
			assert.equal(await nameBehind(port, `/${path}`), path);
		}
		assert.equal(asked, 0);
		assert.equal(await (await fetch(`${url}/other`)).text(), "app");
		await end(server, chat, news);
	});

	it("answers what is nobody's with 404, upgrades too", async () => {
		const server = createServer();
		const hub = named("chat");
		hub.mount({ server, path: "/chat" });
		const { port, url } = await listen(server);
		assert.equal((await fetch(`${url}/other`)).status, 404);
		const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
		socket.on("error", () => {});
		socket.write("GET /other HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
		const [data] = (await once(socket, "data")) as [Buffer];
		assert.match(data.toString(), /^HTTP\/1\.1 404 /);
		socket.destroy();
		await end(server, hub);
	});

	it("adds one upgrade listener to a server, however many hubs there are", async () => {
		const server = createServer();
		const hubs = Array.from({ length: 15 }, (_, at) => named(String(at)).mount({ server, path: `/${at}` }));
		assert.equal(server.listenerCount("upgrade"), 1);
		const { port } = await listen(server);
		assert.equal(await nameBehind(port, "/14"), "14");
		await end(server, ...hubs);
	});

	it("refuses what is no server, an application above all: it would be taken, and no WebSocket would open", () => {
		const express = Object.assign(() => {}, { on() {}, listen() {} });
		for (const server of [undefined, null, new Koa(), express, "http://127.0.0.1"]) {
			assert.throws(() => named("x").mount({ server: server as unknown as Server, path: "/x" }), {
				code: "ERR_OPTION",
				message: /"server" must be the Node server that the application runs on.*; found /,
			});
		}
		assert.throws(() => named("x").mount(undefined as never), { code: "ERR_OPTION", message: /"server"/ });
	});

	it("refuses a path that is none", () => {
		for (const path of ["chat", "", "/a?b"]) {
			assert.throws(() => named("x").mount({ server: createServer(), path }), { code: "ERR_OPTION" });
		}
	});
});
