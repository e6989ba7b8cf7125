import assert from "node:assert/strict";
import { once } from "node:events";
import { request as ask, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { HttpTransportType, type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { deferred } from "../../lib/base/index.js";
import { type CreateHubOptions, HubException, method } from "../../lib/index.js";
import { type AnyClient, failureOf, type Live, live, until } from "./live.js";

const METHODS: CreateHubOptions<AnyClient>["methods"] = {
	echo: (_ctx, value: unknown) => value,
	Add: (_ctx, a: number, b: number) => a + b,
	nothing: () => {},
	sendAll: (ctx, ...args: readonly unknown[]) => ctx.clients.all.send("told", ...args),
	sendOthers: (ctx, text: string) => ctx.clients.others.send("told", text),
	sendUser: (ctx, id: string, text: string) => ctx.clients.user(id).send("told", text),
	sendGroup: (ctx, group: string, text: string) => ctx.clients.group(group).send("told", text),
	sendOthersInGroup: (ctx, group: string, text: string) =>
		ctx.clients.othersInGroup(group).send("told", text),
	sendCaller: (ctx, text: string) => ctx.clients.caller.send("told", text),
	join: (ctx, group: string) => ctx.groups.add(ctx.connectionId, group),
	leave: (ctx, group: string) => ctx.groups.remove(ctx.connectionId, group),
	whoAmI: (ctx) => [ctx.connectionId, ctx.user?.id ?? null],
	abort: (ctx) => ctx.connection.abort(),
	boom() {
		throw new Error("secret");
	},
	hubBoom() {
		throw new HubException("boo");
	},
	refuseAll: method({ args: [] }, () => "ok"),
	cycle() {
		const cycle: Record<string, unknown> = {};
		return Object.assign(cycle, { cycle });
	},
	sendCycle: (ctx) => {
		const cycle: unknown[] = [];
		cycle.push(cycle);
		return ctx.clients.all.send("told", cycle);
	},
	big: () => 2n ** 60n,
	bytes: () => Buffer.from([1, 2, 3]),
};

const USERS: CreateHubOptions<AnyClient> = {
	methods: METHODS,
	authenticate: ({ headers }) => {
		const id = headers["x-user"];
		return typeof id === "string" ? { id } : undefined;
	},
};

/** What a client was told, in order. */
function tellings(client: HubConnection): unknown[][] {
	const told: unknown[][] = [];
	client.on("told", (...args: unknown[]) => void told.push(args));
	return told;
}

for (const messagePack of [false, true]) {
	describe(`hub, with @microsoft/signalr over ${messagePack ? "messagepack" : "json"}`, () => {
		let server: Live;
		beforeEach(async () => {
			server = await live(USERS);
		});
		afterEach(() => server.close());

		const connect = (user?: string): Promise<HubConnection> =>
			server.client({ messagePack, ...(user === undefined ? {} : { user }) });

		it("answers invocations with what the method returns", async () => {
			const client = await connect();
			for (const value of [{ a: [1, "é", null, true] }, [], "", 0, null, "\u001e"]) {
				assert.deepEqual(await client.invoke("echo", value), value);
			}
			assert.equal(await client.invoke("nothing"), null);
			assert.equal(await client.invoke("aDD", 1, 2), 3);
		});

		it("takes a send without an answer", async () => {
			const client = await connect();
			const told = tellings(client);
			await client.send("sendCaller", "x");
			await client.send("boom");
			await client.send("nope");
			assert.equal(await client.invoke("echo", 1), 1);
			assert.deepEqual(told, [["x"]]);
		});

		it("reports the connection id that the client knows", async () => {
			const client = await connect("ann");
			assert.deepEqual(await client.invoke("whoAmI"), [client.connectionId, "ann"]);
		});

		it("fails with ASP.NET Core's texts", async () => {
			const client = await connect();
			const texts: readonly (readonly [string, readonly unknown[], string])[] = [
				["BOOM", [], "An unexpected error occurred invoking 'boom' on the server."],
				["hubboom", [], "An unexpected error occurred invoking 'hubBoom' on the server. HubException: boo"],
				[
					"Nope",
					[],
					"Failed to invoke 'Nope' due to an error on the server. HubException: Method does not exist.",
				],
				["add", [1], "Failed to invoke 'Add' due to an error on the server."],
				["refuseAll", [1], "Failed to invoke 'refuseAll' due to an error on the server."],
				["cycle", [], "An unexpected error occurred invoking 'cycle' on the server."],
				["sendCycle", [], "An unexpected error occurred invoking 'sendCycle' on the server."],
			];
			for (const [target, args, text] of texts)
				assert.equal(await failureOf(client.invoke(target, ...args)), text);
			assert.equal(await client.invoke("echo", "still here"), "still here");
		});

		it("calls nothing that was not declared", async () => {
			const client = await connect();
			for (const name of [
				"constructor",
				"__proto__",
				"toString",
				"hasOwnProperty",
				"valueOf",
				"onConnected",
				"_x",
			]) {
				assert.equal(
					await failureOf(client.invoke(name)),
					`Failed to invoke '${name}' due to an error on the server. HubException: Method does not exist.`,
				);
			}
		});

		it("refuses streams with the text that fits", async () => {
			const client = await connect();
			const failure = deferred<Error>();
			client.stream("echo", 1).subscribe({ next() {}, complete() {}, error: failure.resolve });
			const { message } = await failure.promise;
			assert.equal(
				message,
				"The client attempted to invoke the non-streaming 'echo' method with a streaming invocation.",
			);
		});

		it("reaches all, others, users and groups", async () => {
			const clients = await Promise.all([connect("ann"), connect("ann"), connect("bob")]);
			const [first] = clients;
			assert(first);
			const told = clients.map(tellings);
			for (const client of clients.slice(1)) await client.invoke("join", "g");
			await clients[2]?.invoke("join", "g");
			await first.invoke("sendAll", "all", 1);
			await first.invoke("sendOthers", "others");
			await first.invoke("sendUser", "ann", "user");
			await first.invoke("sendUser", "Ann", "nobody");
			await first.invoke("sendGroup", "g", "group");
			await first.invoke("sendGroup", "none", "nobody");
			await clients[1]?.invoke("sendOthersInGroup", "g", "othersInGroup");
			await clients[2]?.invoke("leave", "g");
			await first.invoke("sendGroup", "g", "again");
			for (const client of clients) await client.invoke("echo", 1);
			assert.deepEqual(told, [
				[["all", 1], ["user"]],
				[["all", 1], ["others"], ["user"], ["group"], ["again"]],
				[["all", 1], ["others"], ["group"], ["othersInGroup"]],
			]);
		});

		it("rejects arguments that cannot be written, and disconnects nobody", async () => {
			const client = await connect();
			const told = tellings(client);
			const cyclic: unknown[] = [];
			cyclic.push(cyclic);
			await assert.rejects(server.hub.clients.all.send("told", cyclic), { code: "ERR_SERIALIZATION" });
			await server.hub.clients.all.send("told", "fine");
			await until(() => told.length > 0);
			assert.deepEqual(told, [["fine"]]);
		});

		it("writes big integers and bytes", async () => {
			const client = await connect();
			assert.equal(Number(await client.invoke("big")), 2 ** 60);
			const bytes: unknown = await client.invoke("bytes");
			assert.deepEqual(messagePack ? [...(bytes as Uint8Array)] : bytes, messagePack ? [1, 2, 3] : "AQID");
		});

		it("keeps the order of answers and messages", async () => {
			const client = await connect();
			const told = tellings(client);
			const answers = await Promise.all(
				Array.from({ length: 200 }, async (_, at) => {
					await client.send("sendCaller", String(at));
					return client.invoke<number>("echo", at);
				}),
			);
			assert.deepEqual(
				answers,
				Array.from({ length: 200 }, (_, at) => at),
			);
			assert.deepEqual(
				told,
				Array.from({ length: 200 }, (_, at) => [String(at)]),
			);
		});

		it("ends a client that is aborted, without an error and without a reconnect", async () => {
			const client = await connect();
			const closed = deferred<Error | undefined>();
			client.onclose(closed.resolve);
			await client.send("abort");
			assert.equal(await closed.promise, undefined);
			await until(() => server.hub.lifetime.size === 0);
		});

		it("hears of a client that stops", async () => {
			const reasons: unknown[] = [];
			server.hub.on(
				"disconnected",
				(ctx, { kind, error }) => void reasons.push(ctx.connectionId, kind, error),
			);
			const client = await connect();
			const { connectionId } = client;
			await client.stop();
			await until(() => server.hub.lifetime.size === 0);
			assert.deepEqual(reasons, [connectionId, "closed", undefined]);
		});

		it("makes a client that reconnects by itself do so when the hub closes", async () => {
			const client = await server.client({ messagePack, reconnect: true });
			const reconnecting = deferred();
			client.onreconnecting(() => reconnecting.resolve());
			await server.hub.close();
			await reconnecting.promise;
		});
	});
}

describe("hub, with @microsoft/signalr otherwise", () => {
	let server: Live;
	afterEach(() => server.close());

	it("takes clients that skip negotiation", async () => {
		server = await live(USERS);
		const client = new HubConnectionBuilder()
			.withUrl(server.url, { skipNegotiation: true, transport: HttpTransportType.WebSockets })
			.configureLogging(LogLevel.None)
			.build();
		await client.start();
		const [id] = await client.invoke<string[]>("whoAmI");
		assert.match(id ?? "", /^[A-Za-z0-9_-]{22}$/);
		await client.stop();
	});

	it("takes a client that falls back to Server-Sent Events behind a proxy without WebSockets, and forgets its attempt", async () => {
		server = await live({ ...USERS, disconnectTimeoutMs: 20 });
		const { port } = server;
		const left: string[] = [];
		server.hub.observe({ handshakeFailed: ({ transport }) => void left.push(transport) });
		const seen: string[] = [];
		const proxy = createServer((request, response) => {
			// As nginx does it by default: an upgrade goes on as a plain GET.
			const { connection: _connection, upgrade, ...headers } = request.headers;
			const { method = "GET", url = "/" } = request;
			seen.push(`${upgrade ?? method} ${url.replace(/\?.*/, "")}`);
			const onward = ask({ port, method, path: url, headers }, (answer) => {
				response.writeHead(answer.statusCode ?? 0, answer.headers);
				answer.pipe(response);
			});
			response.on("close", () => onward.destroy());
			request.pipe(onward.on("error", () => response.destroy()));
		});
		await once(proxy.listen(0, "127.0.0.1"), "listening");
		const client = new HubConnectionBuilder()
			.withUrl(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}/chat`)
			.configureLogging(LogLevel.None)
			.build();
		await client.start();
		assert.equal(await client.invoke("add", 1, 2), 3);
		const negotiate = "POST /chat/negotiate";
		assert.deepEqual(seen.slice(0, 4), [negotiate, "websocket /chat", negotiate, "GET /chat"]);
		assert.equal([...server.hub.lifetime][0]?.transport, "ServerSentEvents");
		// The plain GET was a first poll, behind which no other came.
		await until(() => left.length > 0);
		assert.deepEqual(left, ["LongPolling"]);
		await client.stop();
		proxy.closeAllConnections();
		proxy.close();
	});

	it("shows the errors with detailedErrors", async () => {
		server = await live({ ...USERS, detailedErrors: true });
		const client = await server.client();
		assert.equal(
			await failureOf(client.invoke("boom")),
			"An unexpected error occurred invoking 'boom' on the server. Error: secret",
		);
		assert.equal(
			await failureOf(client.invoke("add", 1)),
			"Failed to invoke 'Add' due to an error on the server. InvalidDataException: Invocation provides 1 argument(s) but target expects 2.",
		);
		assert.match(
			await failureOf(client.invoke("cycle")),
			/invoking 'cycle' on the server\. TrunklineError: /,
		);
	});

	it("tells a client why a connected listener refused it, and runs no disconnected", async () => {
		server = await live(USERS);
		let disconnects = 0;
		server.hub.on("connected", () => {
			throw new HubException("refused by hub");
		});
		server.hub.on("disconnected", () => void disconnects++);
		assert.equal(
			await failureOf(server.client()),
			"Server returned an error on close: Connection closed with an error. HubException: refused by hub",
		);
		await until(() => server.hub.lifetime.size === 0);
		assert.deepEqual([disconnects, server.hub.counters.get("refusals")], [0, 1]);
	});

	it("refuses clients that authenticate does not know", async () => {
		server = await live({
			authenticate() {
				throw "anything";
			},
		});
		const client = new HubConnectionBuilder().withUrl(server.url).configureLogging(LogLevel.None).build();
		assert.match(await failureOf(client.start()), /401/);
	});

	it("takes messages of several MiB where maxMessageBytes allows them", async () => {
		for (const maxMessageBytes of [8 * 1024 * 1024, null]) {
			server = await live({ methods: { size: (_ctx, text: string) => text.length }, maxMessageBytes });
			const client = await server.client();
			assert.equal(await client.invoke("size", "a".repeat(3_000_000)), 3_000_000);
			await server.close();
		}
	});

	it("ends clients whose connected listener hangs when it closes", async () => {
		const signals: AbortSignal[] = [];
		server = await live({ listenerTimeoutMs: 20 });
		server.hub.on("connected", (ctx) => {
			signals.push(ctx.signal);
			return new Promise(() => {});
		});
		await server.raw();
		await server.close();
		assert.equal(signals[0]?.aborted, true);
		assert.equal(server.hub.lifetime.size, 0);
	});
});
