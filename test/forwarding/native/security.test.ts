import assert from "node:assert/strict";
import { HubConnectionBuilder, HubConnectionState, LogLevel } from "@microsoft/signalr";
import { LINK_HEADER, useForwarding } from "../../../lib/forwarding/index.js";
import { answerProof } from "../../../lib/forwarding/link/link-greeting.js";
import { writeProof } from "../../../lib/forwarding/link-proof.js";
import { MAX_TURNED_AWAY } from "../../../lib/forwarding/peer/peer-clients.js";
import {
	MAX_CONTEXT_BYTES,
	MAX_FRAME_BYTES,
	MAX_NAME_BYTES,
	MAX_SEGMENT_BYTES,
} from "../../../lib/forwarding/wire/index.js";
import type { ConnectionRequest, User } from "../../../lib/index.js";
import { MessageType, type RawMessage, writeLengthPrefix } from "../../../lib/protocols/index.js";
import { until } from "../../hub/live.js";
import { type Client, Scene, SECRET, type Station, type StationOptions } from "../support/scene.js";
import { PlayedApp } from "./played-app.js";
import { PlayedProxy } from "./played-proxy.js";
import { bytesOf, dataOf, helloOf, opening } from "./played-segments.js";

const OTHER = "another secret of the tests, long";
const REFUSED = '{"error":"The proof of the link was refused."}';

/** A frame as it stands on the wire, whatever is wrong with it. */
const frameOf = (type: number, body: Buffer): Buffer =>
	Buffer.concat([Buffer.of(type), writeLengthPrefix(body.length), body]);

const warningsOf = ({ logs }: Station, pattern: RegExp): string[] =>
	logs.flatMap(({ level, message, fields }) => {
		const line = `${message} ${String(fields["reason"] ?? "")}`;
		return level === "warn" && pattern.test(line) ? [line] : [];
	});

describe("forwarding/native/security", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	async function proxyTo(
		url: string,
		{ secret = SECRET, ...options }: StationOptions & { secret?: string | null } = {},
	): Promise<Station> {
		const link = { reconnect: { delaysMs: [0, 10], jitter: 0 }, connectionPoolSize: 2, maxWaitMs: 200 };
		const proven = { ...link, ...(secret === null ? {} : { secret }) };
		return scene.station({ ...options, setUp: (hub) => void hub.use(useForwarding(url, proven)) });
	}

	async function played(url: string, proof?: string, handshake?: string): Promise<PlayedProxy> {
		const options = handshake === undefined ? { proof } : { proof, handshake };
		const proxy = await PlayedProxy.open(url, scene.watch, options);
		scene.keep(proxy);
		return proxy;
	}

	const wireOf = ({ hub }: Station): unknown =>
		hub.links().map(({ wire, links }) => (links > 0 ? wire : "none"));

	describe("who may be a link", () => {
		it("a wrong secret, a proof used twice, and one of yesterday are refused; the log names the setting", async () => {
			const app = await scene.app();
			const proof = writeProof(SECRET, Date.now());
			assert.equal((await played(app.url, proof)).handshake, "{}");
			const wrong = writeProof(OTHER, Date.now());
			for (const refused of [wrong, proof, writeProof(SECRET, Date.now() - 86_400_000), "v1.x"])
				assert.equal((await played(app.url, refused)).handshake, REFUSED);
			const warnings = warningsOf(app, /LINK_SECRET/);
			assert.deepEqual(
				warnings.map((line) => /\((.*?)\)/.exec(line)?.[1]),
				["wrong secret", "used before", "expired", "malformed"],
			);
			assert.equal(app.hub.counters.get("linkRefusals"), 4);
			const proxy = await proxyTo(app.url, { secret: OTHER });
			await scene.until(() => warningsOf(proxy, /LINK_SECRET/).length > 0);
			assert.deepEqual(wireOf(proxy), ["none"]);
		});

		it("anybody else's handshake is answered as one of a protocol that does not exist, letter by letter", async () => {
			const asked = (name: string): string => `{"protocol":"${name}","version":1}\u001e`;
			const stations = [
				await scene.app(),
				await scene.app({ accept: { trusted: ["10.0.0.0/8"] } }),
				await scene.station(),
			];
			for (const { url } of stations) {
				const forged = await played(url, undefined, asked("trunkline-link"));
				const unknown = await played(url, undefined, asked("trunkline-lint"));
				assert.match(forged.handshake ?? "", /is not supported/);
				assert.equal(forged.handshake, unknown.handshake?.replace("lint", "link"));
				await scene.until(() => forged.isClosed && unknown.isClosed);
				assert.deepEqual(forged.told, []);
			}
		});

		it("a proxy without a secret is none: its calls fail, and the app server's log names the settings", async () => {
			const app = await scene.app();
			const proxy = await proxyTo(app.url, { secret: null });
			const client = await scene.client(proxy.url);
			await assert.rejects(client.invoke("echo", 1), /ERR_FORWARD_REFUSED/);
			assert.ok(warningsOf(app, /LINK_SECRET.*LINK_TRUSTED/).length > 0);
			assert.deepEqual(app.calls, []);
		});

		it("either of two secrets is taken, and proven back by the same one: rotation in both directions", async () => {
			for (const secrets of [
				[SECRET, OTHER],
				[OTHER, SECRET],
			]) {
				const app = await scene.app({ accept: { secrets } });
				for (const secret of secrets) {
					const proxy = await proxyTo(app.url, { secret });
					assert.equal(await (await scene.client(proxy.url)).invoke("echo", secret), secret);
					assert.deepEqual(wireOf(proxy), ["native"]);
				}
			}
		});

		it("a trusted range needs no secret at either end", async () => {
			const app = await scene.app({ accept: { trusted: ["127.0.0.0/8"] } });
			const proxy = await proxyTo(app.url, { secret: null });
			assert.equal(await (await scene.client(proxy.url)).invoke("echo", 1), 1);
			assert.deepEqual(wireOf(proxy), ["native"]);
		});

		it("a proof of the secret, and nothing else, passes by authenticate and authorize: to be a link, never a client", async () => {
			const app = await scene.app({ authorize: (user) => user !== undefined });
			for (const proof of [writeProof(OTHER, Date.now()), "v1.x", ""]) {
				const client = scene.client(app.url, { headers: { [LINK_HEADER]: proof } });
				await assert.rejects(client, /401/, proof);
			}
			await assert.rejects(scene.client(app.url), /401/);
			const old = writeProof(SECRET, Date.now() - 86_400_000);
			assert.equal((await played(app.url, old)).handshake, REFUSED);
			const asClient = await played(
				app.url,
				writeProof(SECRET, Date.now()),
				'{"protocol":"json","version":1}\u001e',
			);
			assert.equal(asClient.handshake, "{}");
			assert.deepEqual([app.connected, app.hub.lifetime.size], [[], 0]);
		});

		it("an app server that cannot prove the secret is told nothing; the log names the setting", async () => {
			let last = "";
			for (const features of [
				() => [],
				(proof: string) => [answerProof(OTHER, proof)],
				// The answer to another link's proof, seen on the network.
				() => [answerProof(SECRET, last)],
			]) {
				const app = await PlayedApp.open(scene.watch, (headers) => {
					const proof = String(headers[LINK_HEADER]);
					const hello = helloOf("app", { features: features(proof) });
					last = proof;
					return hello;
				});
				scene.keep(app);
				const proxy = await proxyTo(app.url);
				const client = await scene.client(proxy.url);
				await assert.rejects(client.invoke("echo", "secret text"), /ERR_FORWARD_EXPIRED/);
				assert.deepEqual([app.bye?.code, app.bye?.text], [1, "ERR_LINK_REFUSED"]);
				const said = new Set<string>(app.told.map(({ segment }) => segment.kind));
				said.delete("ping");
				assert.deepEqual([...said], ["bye"]);
				assert.equal(warningsOf(proxy, /LINK_SECRET/).length, 1, "once, however often it is tried");
				await proxy.close();
			}
		});
	});

	describe("who a client is", () => {
		interface Seen {
			readonly request: ConnectionRequest;
			readonly user: User | undefined;
		}

		/** What the app server knows of a client that claims a lot. */
		async function seen(atProxy: StationOptions, atApp: StationOptions = {}): Promise<Seen> {
			const app = await scene.app(atApp);
			const proxy = await proxyTo(app.url, atProxy);
			const client: Client = await scene.client(proxy.url, {
				headers: {
					...{ "X-Forwarded-For": "10.9.9.9", "X-Forwarded-Host": "evil.example", Forwarded: "for=10.9.9.9" },
					...{ "X-Forwarded-Proto": "https", "Trunkline-Link": "v1.forged", Via: "1.1 nobody" },
					...{ Cookie: "session=1", Authorization: "Bearer t", "X-Kept": "yes" },
				},
				path: "/dotnetify?access_token=t&room=7",
			});
			await client.invoke("echo", 1);
			const connection = app.hub.lifetime.get(client.id);
			assert.ok(connection);
			return { request: connection.request, user: connection.user };
		}

		it("is what its proxy says, whatever its own headers claim", async () => {
			const { request, user } = await seen({});
			assert.equal(user, undefined);
			assert.deepEqual([request.ip, request.ips, request.secure], ["127.0.0.1", [], false]);
			const { headers } = request;
			assert.equal(headers[LINK_HEADER], undefined);
			assert.equal(headers["x-forwarded-proto"], "http");
			assert.notEqual(headers["x-forwarded-host"], "evil.example");
			assert.match(String(headers.via), /^1\.1 nobody, 1\.1 \S+$/);
			assert.equal(headers["x-kept"], "yes");
			assert.deepEqual([headers.cookie, headers.authorization], ["session=1", "Bearer t"]);
			assert.deepEqual([request.query.get("room"), request.query.get("id")], ["7", null]);
		});

		it("once the proxy has authenticated it, what it proved itself with stays there, and its claims cross", async () => {
			const { request, user } = await seen(
				{ authenticate: () => ({ id: "ada", claims: { role: "admin" } }) },
				{
					// Who is nobody may not connect: asked about a client, and not about a link.
					authenticate: () => {
						throw new Error("asked again");
					},
				},
			);
			assert.deepEqual([user?.id, user?.claims], ["ada", { role: "admin" }]);
			const { headers, query } = request;
			assert.deepEqual(
				[headers.cookie, headers.authorization, query.get("access_token")],
				[undefined, undefined, null],
			);
			assert.doesNotMatch(request.url, /access_token/);
			assert.equal(query.get("room"), "7");
		});

		it("where the proxy does not, the app server's own authenticate finds out at OPEN, and may refuse", async () => {
			const authenticate = ({ headers }: ConnectionRequest): User | undefined =>
				headers.authorization === "Bearer t" ? { id: "grace" } : undefined;
			assert.equal((await seen({}, { authenticate })).user?.id, "grace");
			const app = await scene.app({ authenticate: () => undefined, authorize: (user) => user !== undefined });
			const proxy = await proxyTo(app.url);
			const client = await scene.client(proxy.url);
			await assert.rejects(client.invoke("echo", 1));
			await scene.until(() => proxy.disconnected.length === 1);
			assert.deepEqual([app.connected, app.hub.counters.get("refusals")], [[], 1]);
		});
	});

	describe("limits", () => {
		/** Sends bytes behind HELLO, and says how the link ended. */
		async function ends(
			bytes: readonly Buffer[],
			accept = {},
		): Promise<{ readonly code: number; readonly reason: string }> {
			const app = await scene.app({ accept: { secrets: [SECRET], ...accept } });
			const witness = await scene.client((await proxyTo(app.url)).url);
			const proxy = await played(app.url, writeProof(SECRET, Date.now()));
			proxy.send(helloOf("proxy"));
			for (const each of bytes) proxy.send(each);
			await scene.until(() => proxy.isClosed);
			await scene.until(() => app.undeliverable.some(({ code }) => code === "ERR_LINK_PROTOCOL"));
			assert.equal(await witness.invoke("echo", "alive"), "alive");
			const found = app.undeliverable.find(({ code }) => code === "ERR_LINK_PROTOCOL");
			return { code: proxy.bye?.code ?? -1, reason: found?.reason ?? "" };
		}

		it("a segment of more than 1 MiB ends its link", async () => {
			const { code, reason } = await ends([writeLengthPrefix(MAX_SEGMENT_BYTES + 1), Buffer.of(2)]);
			assert.equal(code, 1);
			assert.match(reason, /length of a segment/);
		});

		it("a frame of more than 16 MiB, put together, ends the session", async () => {
			const part = Buffer.alloc(1_000_000);
			const count = Math.floor(MAX_FRAME_BYTES / part.length) + 1;
			const app = await scene.app();
			const proxy = await played(app.url, writeProof(SECRET, Date.now()));
			proxy.send(helloOf("proxy"));
			for (let at = 1; at <= count; at++) {
				proxy.send(dataOf(frameOf(0x52, part), at));
				// A proxy keeps to the window: the next one follows when this one was handed on.
				await scene.until(() => proxy.delivered === at || at === count);
			}
			await scene.until(() => proxy.isClosed && app.undeliverable.length > 0);
			assert.match(app.undeliverable[0]?.reason ?? "", new RegExp(String(MAX_FRAME_BYTES)));
			assert.deepEqual([proxy.bye?.code, app.hub.counters.get("linkProtocolErrors")], [3, 1]);
		});

		it("a context of more than 32 KiB ends the session", async () => {
			const body = Buffer.concat([Buffer.of(1, 0), Buffer.alloc(MAX_CONTEXT_BYTES + 1)]);
			const { code, reason } = await ends([dataOf(frameOf(0x10, body))]);
			assert.equal(code, 3);
			assert.match(reason, /context of a client/);
		});

		it("names of more than 256 bytes end the session", async () => {
			const name = Buffer.alloc(MAX_NAME_BYTES + 1, "n");
			const text = Buffer.concat([writeLengthPrefix(name.length), name]);
			const message = Buffer.concat([Buffer.of(1, 1, 0), text, Buffer.from("[]")]);
			for (const [type, body] of [
				[0x12, message],
				[0x15, Buffer.concat([Buffer.of(1), text])],
			] as const) {
				const { code, reason } = await ends([dataOf(frameOf(type, body))]);
				assert.equal(code, 3);
				assert.match(reason, new RegExp(`${MAX_NAME_BYTES}`));
			}
			const features = ["f".repeat(MAX_NAME_BYTES + 1)];
			const app = await scene.app();
			const proxy = await played(app.url, writeProof(SECRET, Date.now()));
			proxy.send(helloOf("proxy", { features }));
			await scene.until(() => proxy.isClosed);
			assert.deepEqual([proxy.bye?.code, proxy.bye?.text], [1, "ERR_LINK_PROTOCOL"]);
		});

		it("one client more than a proxy may have is refused alone, is told nothing internal, and comes back when there is room", async () => {
			const app = await scene.app({ accept: { secrets: [SECRET], maxClientsPerProxy: 1 } });
			const proxy = await proxyTo(app.url);
			const first = await scene.client(proxy.url);
			assert.equal(await first.invoke("echo", 1), 1);
			const errors: string[] = [];
			const second = new HubConnectionBuilder()
				.withUrl(`${proxy.url}/dotnetify`)
				.withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 10 })
				.configureLogging(LogLevel.None)
				.build();
			second.onreconnecting((error) => void errors.push(error?.message ?? ""));
			await second.start();
			scene.keep({ close: () => second.stop() });
			await scene.until(() => app.hub.counters.get("refusals") >= 3);
			assert.deepEqual(
				[...new Set(errors)],
				["Server returned an error on close: The connection was refused."],
			);
			assert.equal(await first.invoke("echo", 2), 2, "nobody else notices");
			assert.deepEqual([app.hub.counters.get("linkSessionsLost"), app.undeliverable], [0, []]);
			await first.stop();
			await scene.until(() => app.connected.length === 2);
			await until(() => second.state === HubConnectionState.Connected);
			assert.equal(await second.invoke("echo", 3), 3);
			const told = app.logs.filter(({ fields }) => fields["code"] === "ERR_LIMIT");
			assert.equal(told.length, 1, "once a minute");
			assert.match(told[0]?.message ?? "", /maxClientsPerProxy/);
		});

		it("a client that is opened twice ends the session, also where it was refused for want of room", async () => {
			for (const numbers of [
				[1, 1],
				[1, 2, 2],
			]) {
				const frames = bytesOf(...numbers.map((number, at) => opening(number, `c${at}`)));
				const { code, reason } = await ends([dataOf(frames)], { secrets: [SECRET], maxClientsPerProxy: 1 });
				assert.equal(code, 3);
				assert.match(reason, /opened twice/);
			}
		});

		it("a proxy that opens more and more clients than it may have, and closes none, ends its session", async () => {
			const frames = Array.from({ length: MAX_TURNED_AWAY + 2 }, (_, at) =>
				frameOf(0x10, Buffer.concat([writeLengthPrefix(at + 1), Buffer.of(0)])),
			);
			const size = 50_000;
			const segments = [0, 1, 2].map((at) =>
				dataOf(Buffer.concat(frames.slice(at * size, (at + 1) * size)), at + 1),
			);
			const { code, reason } = await ends(segments, { maxClientsPerProxy: 1 });
			assert.equal(code, 3);
			assert.match(reason, /closed none of them/);
		});

		it("a client of another link, or a direct one, cannot be claimed", async () => {
			const app = await scene.app();
			const direct = await scene.client(app.url);
			const proxy = await played(app.url, writeProof(SECRET, Date.now()));
			proxy.send(helloOf("proxy"));
			const message: RawMessage = {
				...{ type: MessageType.Invocation, encoding: "json" as const, target: "Update_VM" },
				invocationId: undefined,
				...{ arguments: Buffer.from('["V","stolen"]'), streamIds: undefined, headers: undefined },
			};
			proxy.send(dataOf(bytesOf(opening(1, direct.id), { type: "message", client: 1, message })));
			await scene.until(() => app.hub.counters.get("refusals") === 1);
			assert.equal(await direct.invoke("echo", 1), 1);
			assert.deepEqual(app.calls, []);
			assert.deepEqual(app.connected, [direct.id]);
			proxy.close();
			// The app server does not wait for a proxy that it knows to be gone.
			await until(() => app.hub.links().every(({ links }) => links === 0));
		});
	});
});
