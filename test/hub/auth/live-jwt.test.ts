import assert from "node:assert/strict";
import { once } from "node:events";
import { inspect } from "node:util";
import {
	HttpTransportType,
	type HubConnection,
	HubConnectionBuilder,
	type IHttpConnectionOptions,
	LogLevel,
} from "@microsoft/signalr";
import { deferred, ManualClock } from "../../../lib/base/index.js";
import {
	type CreateHubOptions,
	createHub,
	createServer,
	type Hub,
	type InvocationContext,
	jwtAuthentication,
	type Log,
	method,
	type Server,
} from "../../../lib/index.js";
import { ask, rawSocket, readAll, upgradeRequest } from "../../transports/serve.js";
import { type AnyClient, failureOf, RawClient, until } from "../live.js";
import { AUDIENCE, ISSUER, issuerKey, NOW, SECRET, tokenOf } from "./tokens.js";

/** Keeps all that is logged, at every level, as text. */
class KeptLog implements Log {
	readonly lines: string[] = [];
	readonly debug = this.#keep;
	readonly info = this.#keep;
	readonly warn = this.#keep;
	readonly error = this.#keep;

	get #keep(): (fields: object, message: string) => void {
		return (fields, message) => {
			this.lines.push(inspect([message, fields], { depth: Number.POSITIVE_INFINITY, showHidden: true }));
		};
	}
}

function isAdmin({ user }: InvocationContext<AnyClient>): boolean {
	const roles = user?.claims?.["roles"];
	return Array.isArray(roles) && roles.includes("admin");
}

const TRANSPORTS = ["WebSockets", "ServerSentEvents", "LongPolling"] as const;

const OPTIONS: CreateHubOptions<AnyClient> = {
	authenticate: jwtAuthentication({ secret: SECRET, issuer: ISSUER, audience: AUDIENCE }),
	methods: {
		whoAmI: ({ user }) => ({ id: user?.id, roles: user?.claims?.["roles"] }),
		tell: ({ clients }, id: string, text: string) => clients.user(id).send("told", text),
		reset: method({ authorize: isAdmin }, () => "done"),
	},
};

describe("hub/auth/live-jwt", () => {
	let server: Server;
	let port: number;
	let log: KeptLog;
	let hub: Hub<AnyClient>;
	let elsewhere: Server | undefined;
	let members: () => number;
	const clients: HubConnection[] = [];

	beforeEach(async () => {
		log = new KeptLog();
		hub = createHub<AnyClient>()({ ...OPTIONS, log });
		members = () => [...hub.lifetime].length;
		server = createServer().map("/chat", hub);
		({ port } = await server.listen(0, "127.0.0.1"));
	});

	afterEach(async () => {
		await Promise.all(clients.splice(0).map((client) => client.stop()));
		await Promise.all([server.close(), elsewhere?.close()]);
		elsewhere = undefined;
	});

	const tokenNow = (claims: Readonly<Record<string, unknown>> = {}): Promise<string> =>
		tokenOf({ claims }, Date.now());

	async function connect(
		accessTokenFactory: () => string | Promise<string>,
		http: IHttpConnectionOptions = { transport: HttpTransportType.WebSockets },
	): Promise<HubConnection> {
		const client = new HubConnectionBuilder()
			.withUrl(`http://127.0.0.1:${port}/chat`, { accessTokenFactory, ...http })
			.configureLogging(LogLevel.None)
			.build();
		clients.push(client);
		await client.start();
		return client;
	}

	for (const transport of TRANSPORTS) {
		it(`knows who a client of ${transport} is`, async () => {
			const token = await tokenNow({ roles: ["reader"] });
			const client = await connect(() => token, { transport: HttpTransportType[transport] });
			assert.deepEqual(await client.invoke("whoAmI"), { id: "ada", roles: ["reader"] });
		});
	}

	it("knows who a WebSocket's client is that does not negotiate", async () => {
		const token = await tokenNow();
		const http = { transport: HttpTransportType.WebSockets, skipNegotiation: true };
		assert.deepEqual(await (await connect(() => token, http)).invoke("whoAmI"), { id: "ada" });
	});

	it("reaches a user by the id in the token", async () => {
		const [ada, bob] = [await tokenNow(), await tokenNow({ sub: "bob" })];
		const [first, second] = [await connect(() => ada), await connect(() => bob)];
		const told = new Promise((resolve) => second.on("told", resolve));
		await first.invoke("tell", "bob", "hello");
		assert.equal(await told, "hello");
	});

	it("lets only those call a method whom its authorize accepts", async () => {
		const [admin, reader] = [await tokenNow({ roles: ["admin"] }), await tokenNow({ roles: ["reader"] })];
		assert.equal(await (await connect(() => admin)).invoke("reset"), "done");
		const failure = await failureOf((await connect(() => reader)).invoke("reset"));
		assert.match(failure, /Failed to invoke 'reset' because user is unauthorized$/);
	});

	it("answers 401, without a body, to a missing and to an expired token", async () => {
		const expired = await tokenNow({ exp: Date.now() / 1_000 - 60 });
		for (const headers of [{}, { authorization: `Bearer ${expired}` }]) {
			const { status, body } = await ask(port, "/chat/negotiate?negotiateVersion=1", { headers });
			assert.deepEqual([status, body], [401, ""]);
		}
		await assert.rejects(
			connect(() => expired),
			/Unauthorized|401/,
		);
		assert.equal(members(), 0);
	});

	it("answers 503 where the issuer's keys cannot be fetched", async () => {
		const jwksUrl = "http://127.0.0.1:1/keys";
		const authenticate = jwtAuthentication({ jwksUrl, issuer: ISSUER, audience: AUDIENCE });
		const hub = createHub<AnyClient>()({ authenticate, log });
		const other = createServer().map("/chat", hub);
		const listening = await other.listen(0, "127.0.0.1");
		const { privateKey } = await issuerKey("first");
		const token = await tokenOf({ alg: "ES256", key: privateKey, kid: "first" });
		const headers = { authorization: `Bearer ${token}` };
		const { status } = await ask(listening.port, "/chat/negotiate", { headers });
		await other.close();
		assert.equal(status, 503);
		assert.match(log.lines.join("\n"), /could not be authenticated/);
	});

	it("takes the token in the query of Server-Sent Events, where the header is missing as in a browser", async () => {
		const token = await tokenNow();
		const headers = { authorization: `Bearer ${token}` };
		const { body } = await ask(port, "/chat/negotiate?negotiateVersion=1", { headers });
		const { connectionToken } = JSON.parse(body) as { connectionToken: string };
		const path = `/chat?id=${connectionToken}`;
		const unknown = await ask(port, path, { method: "GET", headers: { accept: "text/event-stream" } });
		assert.equal(unknown.status, 401);
		const socket = rawSocket(port);
		const lines = ["Host: 127.0.0.1", "Accept: text/event-stream", "", ""];
		socket.write([`GET ${path}&access_token=${token} HTTP/1.1`, ...lines].join("\r\n"));
		const [answer] = (await once(socket, "data")) as [Buffer];
		socket.destroy();
		assert.match(answer.toString(), /^HTTP\/1\.1 200 [\s\S]*text\/event-stream/);
	});

	it("takes the token in the query of an upgrade, and of no negotiate, poll, POST or DELETE", async () => {
		const query = `access_token=${await tokenNow()}`;
		const raw = await RawClient.open(port, `/chat?${query}`);
		await raw.handshake();
		raw.invoke("1", "whoAmI");
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: { id: "ada" } });
		raw.webSocket.terminate();
		await until(() => members() === 0);
		const negotiated = await ask(port, `/chat/negotiate?negotiateVersion=1&${query}`);
		assert.equal(negotiated.status, 401);
		for (const verb of ["GET", "POST", "DELETE"]) {
			assert.equal((await ask(port, `/chat?id=x&${query}`, { method: verb })).status, 401, verb);
		}
	});

	for (const transport of TRANSPORTS) {
		it(`knows a client of ${transport} that another hub's negotiate sent here with a token and a query`, async () => {
			const accessToken = await tokenNow();
			const rooms: unknown[] = [];
			elsewhere = createServer().map(
				"/front",
				createHub<AnyClient>()({
					redirect: ({ query }) =>
						query.get("room") === "7"
							? { url: `http://127.0.0.1:${port}/chat?room=7`, accessToken }
							: { error: "No such room." },
				}),
			);
			const front = await elsewhere.listen(0, "127.0.0.1");
			const build = (query: string): HubConnection =>
				new HubConnectionBuilder()
					.withUrl(`${front.url}/front${query}`, { transport: HttpTransportType[transport] })
					.configureLogging(LogLevel.None)
					.build();
			hub.on("connected", ({ connection }) => void rooms.push(connection.request.query.get("room")));
			const client = build("?room=7");
			clients.push(client);
			await client.start();
			assert.deepEqual(await client.invoke("whoAmI"), { id: "ada" });
			assert.deepEqual(rooms, ["7"]);
			assert.equal([...hub.lifetime][0]?.connectionId, client.connectionId);
			assert.match(await failureOf(build("?room=8").start()), /No such room\.$/);
		});

		it(`sends a client of ${transport} away when its token has expired, and it comes back with a new one`, async () => {
			const clock = new ManualClock(NOW);
			const authenticate = jwtAuthentication({ secret: SECRET, issuer: ISSUER, audience: AUDIENCE, clock });
			const mortal = createHub<AnyClient>()({
				...OPTIONS,
				...{ authenticate, clock, closeOnAuthenticationExpiration: true },
				// No other reason to go while the clock leaps.
				...{ clientTimeoutMs: 3_600_000, disconnectTimeoutMs: 3_600_000 },
			});
			elsewhere = createServer().map("/chat", mortal);
			const { url } = await elsewhere.listen(0, "127.0.0.1");
			const fetched = [60, 3_600].map((seconds) =>
				tokenOf({ claims: { sub: `good for ${seconds}`, exp: NOW / 1_000 + seconds } }),
			);
			const client = new HubConnectionBuilder()
				.withUrl(`${url}/chat`, {
					transport: HttpTransportType[transport],
					accessTokenFactory: async () => (await fetched[clock.now() < NOW + 60_000 ? 0 : 1]) ?? "",
				})
				.withAutomaticReconnect([0])
				.configureLogging(LogLevel.None)
				.build();
			clients.push(client);
			const back = deferred();
			client.onreconnected(() => back.resolve());
			await client.start();
			clock.advance(59_000);
			assert.deepEqual(await client.invoke("whoAmI"), { id: "good for 60" });
			clock.advance(10_000);
			await back.promise;
			assert.deepEqual(await client.invoke("whoAmI"), { id: "good for 3600" });
			// Gives up the last poll of the connection that has ended, which its client does not make.
			clock.advance(5_000);
		});
	}

	it("does not open a connection that another user negotiated", async () => {
		const [ada, bob] = [await tokenNow(), await tokenNow({ sub: "bob" })];
		const headers = { authorization: `Bearer ${ada}` };
		const { body } = await ask(port, "/chat/negotiate?negotiateVersion=1", { headers });
		const { connectionToken } = JSON.parse(body) as { connectionToken: string };
		const socket = rawSocket(port);
		socket.write(upgradeRequest(`/chat?id=${connectionToken}`, [`Authorization: Bearer ${bob}`]));
		assert.match(await readAll(socket), /^HTTP\/1\.1 40[34] /);
	});

	it("has no token, and no part of one, in any line of its log", async () => {
		const good = await tokenNow({ roles: ["reader"] });
		const expired = await tokenNow({ exp: Date.now() / 1_000 - 60 });
		const wrong = await tokenOf({ key: new TextEncoder().encode("x".repeat(40)) }, Date.now());
		for (const transport of TRANSPORTS) {
			const client = await connect(() => good, { transport: HttpTransportType[transport] });
			await failureOf(client.invoke("reset"));
			await failureOf(client.invoke("nothing"));
			await client.stop();
		}
		const long = `${good}${"y".repeat(9_000)}`;
		for (const token of [expired, wrong, long, `${good}.x`, "short.secret.token"]) {
			await ask(port, "/chat/negotiate", { headers: { authorization: `Bearer ${token}` } });
			const socket = rawSocket(port);
			socket.write(upgradeRequest(`/chat?access_token=${token}`));
			assert.match(await readAll(socket), /^HTTP\/1\.1 401 /);
		}
		await until(() => members() === 0);
		assert.ok(log.lines.length >= 10, `${log.lines.length} lines`);
		const parts = [good, expired, wrong, long].flatMap((token) => token.split("."));
		for (const line of log.lines) {
			for (const part of [...parts, "short.secret.token", "access_token"])
				assert.ok(!line.includes(part), line);
		}
	});
});
