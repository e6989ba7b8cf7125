import assert from "node:assert/strict";
import { contextTextOf, requestOf } from "../../lib/forwarding/client-context.js";
import type { ClientConnection, ConnectionRequest } from "../../lib/hub/index.js";
import { CONTEXT_KEY, parseForwardedContext } from "../../lib/protocols/index.js";
import { Scene } from "./support/scene.js";

/** As the C# original (dotNetify 5.4) wrote it, recorded. */
const RECORDED =
	'{"HubId":"8t4mHbo1_kesFP3XaN__jQ","TimeStamp":"2026-11-20T21:42:31.0354476+00:00","ConnectionId":"fzZsVPZy2dnFkQn0waigdA","HttpConnection":{"ConnectionId":"0HNQ79S89E15Q","LocalIpAddressString":"127.0.0.1","RemoteIpAddressString":"127.0.0.1","LocalPort":15001,"RemotePort":42410},"HttpRequestHeaders":{"AllHeaders":{"Connection":["Upgrade"],"Host":["127.0.0.1:15001"],"User-Agent":["Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; 20.20.2)"],"Upgrade":["websocket"],"Sec-WebSocket-Version":["13"],"Sec-WebSocket-Key":["BT3J5C7ptRfBZgB1pTSlRA=="]},"UserAgent":"Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; 20.20.2)"},"Items":{}}';

const LINK: ConnectionRequest = {
	...{
		method: "GET",
		url: "/hub?id=secret",
		path: "/hub",
		query: new URLSearchParams("id=secret"),
		headers: { host: "app", cookie: "link" },
	},
	...{
		remoteAddress: "10.0.0.9",
		remotePort: 1,
		localAddress: "10.0.0.1",
		localPort: 2,
		ip: "10.0.0.9",
		ips: [],
	},
	...{ protocol: "http", secure: false, host: "app" },
};

function clientWith(
	headers: ConnectionRequest["headers"],
	user?: ClientConnection["user"],
): ClientConnection {
	const request: ConnectionRequest = {
		...LINK,
		...{
			headers,
			ip: "203.0.113.7",
			remoteAddress: "127.0.0.1",
			remotePort: 4_711,
			protocol: "https",
			secure: true,
			host: "shop.example",
		},
	};
	return { connectionId: "the client", request, user, items: new Map() } as unknown as ClientConnection;
}

const FORWARDER = { hubId: "hub", serverId: "p1" };
const crossing = (headers: ConnectionRequest["headers"], user?: ClientConnection["user"]) => {
	const context = parseForwardedContext(contextTextOf(clientWith(headers, user), FORWARDER, 0));
	return { context, request: requestOf(context, LINK) };
};

describe("forwarding/client-context", () => {
	it("reads what the C# original wrote", () => {
		const request = requestOf(parseForwardedContext(RECORDED), LINK);
		assert.equal(request.ip, "127.0.0.1");
		assert.equal(request.remotePort, 42_410);
		assert.equal(request.host, "127.0.0.1:15001");
		assert.equal(request.headers["user-agent"], "Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; 20.20.2)");
	});

	it("shows the browser's request at the app server: address, host, protocol, user agent; nothing of the link", () => {
		const { context, request } = crossing({
			"user-agent": "Firefox",
			"accept-language": "de",
			host: "inner",
		});
		assert.equal(context.userAgent, "Firefox");
		assert.equal(context.timeStamp, "1970-01-01T00:00:00.000Z");
		assert.deepEqual(
			[
				request.ip,
				request.remoteAddress,
				request.ips,
				request.remotePort,
				request.protocol,
				request.secure,
				request.host,
			],
			["203.0.113.7", "203.0.113.7", ["203.0.113.7"], 4_711, "https", true, "shop.example"],
		);
		assert.equal(request.headers["accept-language"], "de");
		assert.equal(request.headers.cookie, undefined);
		assert.equal(request.url, "/hub");
		assert.equal(request.query.size, 0);
	});

	it("writes header names as ASP.NET Core spells them", () => {
		const { context } = crossing({ "user-agent": "x", "x-custom": "y" });
		assert.deepEqual(context.headers["User-Agent"], ["x"]);
		assert.deepEqual(context.headers["X-Custom"], ["y"]);
	});

	it("drops hop-by-hop headers, those that Connection names, and a proof", () => {
		const { request } = crossing({
			...{
				connection: "Upgrade, X-Mine",
				"x-mine": "1",
				upgrade: "websocket",
				"keep-alive": "1",
				te: "1",
				trailer: "1",
			},
			...{
				"transfer-encoding": "chunked",
				"proxy-authorization": "p",
				"sec-websocket-key": "k",
				"trunkline-link": "proof",
			},
			...{ "sec-websocket-protocol": "p", "x-kept": "yes" },
		});
		assert.deepEqual(Object.keys(request.headers).sort(), [
			"via",
			"x-forwarded-host",
			"x-forwarded-proto",
			"x-kept",
		]);
	});

	it("keeps credentials of a client that nobody has authenticated, and drops those of one that we have", () => {
		const headers = { cookie: "session=1", authorization: "Bearer x" };
		assert.equal(crossing(headers).request.headers.cookie, "session=1");
		assert.equal(crossing(headers).request.headers.authorization, "Bearer x");
		const { request, context } = crossing(headers, { id: "ann", claims: { role: "admin" } });
		assert.equal(request.headers.cookie, undefined);
		assert.equal(request.headers.authorization, undefined);
		assert.deepEqual(context.user, { id: "ann", claims: { role: "admin" } });
	});

	it("adds itself to Via behind those who are there", () => {
		assert.equal(crossing({ via: "1.1 edge" }).request.headers.via, "1.1 edge, 1.1 p1");
	});

	describe("through proxies", () => {
		let scene: Scene;
		beforeEach(() => {
			scene = new Scene("dotNetify");
		});
		afterEach(() => scene.close());

		it("carries address, headers, user id and claims; nests the context of the hop before in a chain", async () => {
			const seen: { request: ConnectionRequest; user: unknown; nested: unknown; transport: string }[] = [];
			const app = await scene.app();
			app.hub.on("connected", ({ connection, user }) => {
				const { request, transport } = connection;
				seen.push({ request, user, nested: connection.items.get(CONTEXT_KEY), transport });
			});
			const inner = await scene.app({
				serverId: "inner",
				setUp: (hub) => void hub.use(scene.forwarding(app.url)),
			});
			const outer = await scene.proxy(
				inner.url,
				{},
				{
					...{ serverId: "outer", trustProxy: true },
					authenticate: ({ headers }) => ({ id: String(headers["x-user"]), claims: { from: "outer" } }),
				},
			);
			const client = await scene.client(outer.url, {
				headers: {
					"X-User": "ann",
					"X-Forwarded-For": "203.0.113.7",
					Cookie: "session=1",
					"User-Agent": "Test",
				},
			});
			assert.equal(await client.invoke("echo", 1), 1);
			assert.equal(seen.length, 1);
			const [{ request, user, nested, transport }] = seen as [(typeof seen)[number]];
			assert.equal(transport, "Link");
			assert.equal(request.ip, "203.0.113.7");
			assert.equal(request.headers.via, "1.1 outer, 1.1 inner");
			assert.equal(request.headers.cookie, undefined);
			assert.equal(request.headers["x-user"], "ann");
			assert.deepEqual(user, { id: "ann", claims: { from: "outer" } });
			const nearest = parseForwardedContext(nested);
			assert.equal(nearest.connectionId, client.id);
			const first = parseForwardedContext(nearest.items[CONTEXT_KEY]);
			assert.equal(first.connectionId, client.id);
			assert.notEqual(first.hubId, nearest.hubId);
			assert.equal(requestOf(first, LINK).headers.via, "1.1 outer");
		});

		it("finds clients by the user id that their proxy gave them", async () => {
			const app = await scene.app();
			const proxy = await scene.proxy(
				app.url,
				{},
				{ authenticate: ({ headers }) => ({ id: String(headers["x-user"]) }) },
			);
			const [ann, bob] = await Promise.all(
				["ann", "bob"].map((user) => scene.client(proxy.url, { headers: { "X-User": user } })),
			);
			assert.ok(ann && bob);
			for (const client of [ann, bob]) await client.invoke("echo", 1);
			await app.hub.clients.user("ann").send("Response_VM", ["V", "1"]);
			await app.hub.clients.all.send("Response_VM", ["W", "2"]);
			await scene.until(() => ann.responses.length === 2 && bob.responses.length === 1);
			assert.deepEqual(bob.responses, [["W", 2]]);
		});
	});
});
