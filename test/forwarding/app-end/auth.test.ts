import assert from "node:assert/strict";
import { createServer as createHttpServer, request } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { acceptLinks, LINK_HEADER } from "../../../lib/forwarding/index.js";
import { ProofChecker, writeProof } from "../../../lib/forwarding/link-proof.js";
import { ManualClock } from "../../../lib/index.js";
import { Scene, SECRET, type Station } from "../support/scene.js";

const UNKNOWN =
	"Failed to invoke 'Invoke' due to an error on the server. HubException: Method does not exist.";
const OTHER = "another secret of the tests, long";

/** What a forger sends: an Invoke in the name of `victim`. */
function forged(victim: string): unknown[] {
	const context = JSON.stringify({ HubId: "forged", ConnectionId: victim });
	return ["Update_VM", ["V", '{"stolen":true}'], { $fwdConnContext: context }];
}

async function assertRefused(scene: Scene, url: string, headers: Record<string, string> = {}): Promise<void> {
	const client = await scene.client(url, { headers });
	await assert.rejects(
		client.invoke("Invoke", ...forged(client.id)),
		(error: Error) => error.message === UNKNOWN,
	);
	await assert.rejects(
		client.invoke("nothing"),
		(error: Error) => error.message === UNKNOWN.replace("Invoke", "nothing"),
	);
	assert.equal(await client.invoke("echo", "still a client"), "still a client");
}

describe("forwarding/app-end/auth", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("dotNetify");
	});
	afterEach(() => scene.close());

	describe("proofs", () => {
		const clock = new ManualClock(1_000_000_000);
		const check = (proof: string, ...secrets: string[]) => new ProofChecker(secrets, clock).check(proof);

		it("are valid with any of the secrets", () => {
			for (const secret of [SECRET, OTHER])
				assert.equal(check(writeProof(secret, clock.now()), SECRET, OTHER), "valid");
		});

		it("are refused with another secret, and where anything of them was changed", () => {
			const proof = writeProof(SECRET, clock.now());
			assert.equal(check(proof, OTHER), "wrong secret");
			assert.equal(check(proof), "wrong secret");
			for (let at = 3; at < proof.length; at++) {
				const letter = proof[at] === "A" ? "B" : "A";
				const changed = proof.slice(0, at) + letter + proof.slice(at + 1);
				// The last letter of 256 bits in base64 has two bits to spare.
				if (at < proof.length - 1) assert.notEqual(check(changed, SECRET), "valid", changed);
			}
		});

		it("are refused a second time, for as long as they could be valid", () => {
			const checker = new ProofChecker([SECRET], clock);
			const proof = writeProof(SECRET, clock.now() + 60_000);
			assert.equal(checker.check(proof), "valid");
			assert.equal(checker.check(proof), "used before");
			clock.advance(120_000);
			assert.equal(checker.check(writeProof(SECRET, clock.now())), "valid");
			assert.equal(checker.check(proof), "used before");
			clock.advance(1);
			assert.equal(checker.check(proof), "expired");
		});

		it("are refused when they are a minute old, or ahead", () => {
			assert.equal(check(writeProof(SECRET, clock.now() - 60_001), SECRET), "expired");
			assert.equal(check(writeProof(SECRET, clock.now() - 60_000), SECRET), "valid");
			assert.equal(check(writeProof(SECRET, clock.now() + 60_001), SECRET), "expired");
		});

		it("are refused where they are none", () => {
			for (const text of [
				"",
				"v1",
				"v1...",
				SECRET,
				`v2${writeProof(SECRET, clock.now()).slice(2)}`,
				"x".repeat(100_000),
			]) {
				assert.equal(check(text, SECRET), "malformed");
			}
		});
	});

	it("needs a secret or a range, and refuses bad ones", () => {
		for (const options of [
			{},
			{ secrets: [] },
			{ secrets: [undefined] },
			{ secrets: [""] },
			{ secrets: ["short"] },
			{ trusted: ["10.0.0.0/33"] },
			{ trusted: ["example.com"] },
			{ trusted: ["10.0.0.0/8/8"] },
			{ trusted: ["::/129"] },
			{ trusted: [""] },
			{ secrets: [SECRET], maxInbox: 0 },
			{ secrets: [SECRET], proxyGraceMs: -1 },
		]) {
			assert.throws(() => acceptLinks(options), { code: "ERR_OPTION" }, JSON.stringify(options));
		}
	});

	it("takes links with either of two secrets", async () => {
		const app = await scene.app({ accept: { secrets: [OTHER, SECRET] } });
		for (const secret of [SECRET, OTHER]) {
			const proxy = await scene.proxy(app.url, { secret });
			assert.equal(await (await scene.client(proxy.url)).invoke("echo", secret), secret);
		}
	});

	it("leaves a proxy without a secret a client, tells callers, and tells the operator what to set", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url, { secret: undefined, connectionPoolSize: 1 });
		const client = await scene.client(proxy.url);
		await assert.rejects(client.invoke("echo", 1), /could not be delivered \(ERR_FORWARD_REFUSED\)/);
		assert.equal(await client.invoke("Update_VM", "V", 1), null);
		await scene.until(() => client.responses.length === 1);
		const Message = "The message could not be delivered (ERR_FORWARD_REFUSED).";
		assert.deepEqual(client.responses, [["V", { ExceptionType: "ForwardingException", Message }]]);
		assert.deepEqual(
			proxy.undeliverable.map(({ code }) => code),
			["ERR_FORWARD_REFUSED", "ERR_FORWARD_REFUSED"],
		);
		assert.equal(proxy.hub.counters.get("undeliverable.ERR_FORWARD_REFUSED"), 2);
		assert.match(proxy.undeliverable[0]?.reason ?? "", /LINK_SECRET.*LINK_TRUSTED/);
		const warnings = app.logs.filter(({ level, message }) => level === "warn" && /LINK_SECRET/.test(message));
		assert.equal(warnings.length, 1, "said once per connection, however often it tries");
		assert.equal(app.hub.counters.get("linkRefusals"), 2);
		assert.deepEqual(app.calls, []);
	});

	it("refuses the handshake of a link with a wrong secret, and tells both operators what to set", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url, { secret: OTHER, connectionPoolSize: 3, maxWaitMs: 50 });
		const client = await scene.client(proxy.url);
		await assert.rejects(client.invoke("echo", 1), /could not be delivered \(ERR_FORWARD_EXPIRED\)/);
		assert.equal(proxy.hub.ready, false);
		const warningsOf = ({ logs }: typeof app): string[] =>
			logs.flatMap(({ level, message }) =>
				level === "warn" && /LINK_SECRET/.test(message) ? [message] : [],
			);
		assert.match(warningsOf(app)[0] ?? "", /wrong secret/);
		assert.equal(warningsOf(proxy).length, 1, "said once for all links of a pool");
		assert.deepEqual([app.calls, app.connected], [[], []]);
	});

	it("takes a proof once: one that was seen on the network opens no second link", async () => {
		const app = await scene.app();
		const proof = writeProof(SECRET, Date.now());
		const headers = { [LINK_HEADER]: proof };
		const victim = await scene.client(app.url);
		const first = await scene.client(app.url, { headers });
		await first.invoke("Invoke", "Update_VM", ["V", "1"], {
			$fwdConnContext: JSON.stringify({ HubId: "h", ConnectionId: "c" }),
		});
		assert.deepEqual(
			app.calls.map(({ client }) => client),
			["c"],
		);
		for (const refused of [proof, "v1.nonsense", writeProof(SECRET, Date.now() - 120_000)]) {
			const opened = scene.client(app.url, { headers: { [LINK_HEADER]: refused } });
			await assert.rejects(opened, /The proof of the link was refused/);
		}
		assert.equal(await victim.invoke("echo", 1), 1);
	});

	it("takes links from a trusted range of the socket's own address, and from no other", async () => {
		for (const [trusted, isTaken] of [
			[["127.0.0.1/32"], true],
			[["10.0.0.0/8", "127.0.0.0/8"], true],
			[["127.0.0.1"], true],
			[["10.0.0.0/8"], false],
			[["127.0.0.2/32"], false],
			[["::1/128"], false],
		] as const) {
			const app = await scene.app({ accept: { trusted: [...trusted] } });
			const proxy = await scene.proxy(app.url, { secret: undefined });
			const client = await scene.client(proxy.url);
			if (isTaken) assert.equal(await client.invoke("echo", 1), 1);
			else await assert.rejects(client.invoke("echo", 1), /ERR_FORWARD_REFUSED/);
		}
	});

	it("makes a client of a trusted address a link by its first Invoke: gone for the hub as migrated", async () => {
		const app = await scene.app({ accept: { trusted: ["127.0.0.1/32"] } });
		const client = await scene.client(app.url);
		await client.invoke("Invoke", "Update_VM", ["V", "1"], {
			$fwdConnContext: JSON.stringify({ HubId: "h", ConnectionId: "c" }),
		});
		await scene.until(() => app.disconnected.length === 1);
		assert.deepEqual(app.connected, [client.id, "c"]);
		assert.deepEqual(app.disconnected, [{ id: client.id, kind: "migrated" }]);
		await assert.rejects(client.invoke("echo", 1), /Method does not exist/);
	});

	it("takes a first message from a trusted address that only a link may send in that size", async () => {
		const app = await scene.app({ accept: { trusted: ["127.0.0.1/32"] } });
		const proxy = await scene.proxy(app.url, { secret: undefined });
		const client = await scene.client(proxy.url);
		await client.invoke("Update_VM", "V", { text: '"'.repeat(15_000) });
		await scene.until(() => app.calls.length === 1);
		assert.equal(app.hub.counters.get("linksLost"), 0);
	});

	it("believes no forwarding header, whatever the hub's trustProxy says", async () => {
		const app = await scene.app({ accept: { trusted: ["10.1.2.3/32"] }, trustProxy: true });
		await assertRefused(scene, app.url, {
			"X-Forwarded-For": "10.1.2.3",
			"X-Real-IP": "10.1.2.3",
			Forwarded: "for=10.1.2.3",
		});
	});

	it("answers a browser's Invoke as an unknown method: with secrets, with ranges, and with neither", async () => {
		const stations: Station[] = [
			await scene.app(),
			await scene.app({ accept: { trusted: ["10.0.0.0/8"] } }),
			await scene.station(),
		];
		for (const { url } of stations) await assertRefused(scene, url);
	});

	it("answers a browser behind a local reverse proxy as an unknown method", async () => {
		const app = await scene.app({ trustProxy: ["127.0.0.1"] });
		const front = await reverseProxy(app.port);
		try {
			await assertRefused(scene, front.url);
			assert.deepEqual(app.calls, []);
		} finally {
			await front.close();
		}
	});

	it("lets a forged context harm nobody: neither a direct client nor one behind a proxy", async () => {
		const app = await scene.app();
		const proxy = await scene.proxy(app.url);
		const direct = await scene.client(app.url);
		const behind = await scene.client(proxy.url);
		await behind.invoke("Update_VM", "V", 1);
		for (const url of [app.url, proxy.url]) {
			const forger = await scene.client(url);
			for (const victim of [direct.id, behind.id]) {
				await assert.rejects(
					forger.invoke("Invoke", ...forged(victim)),
					(error: Error) => error.message === UNKNOWN,
				);
				await assert.rejects(
					forger.invoke("invoke", "OnDisconnectedAsync", [null], forged(victim)[2]),
					/Method does not exist/,
				);
			}
		}
		await scene.until(() => app.calls.length === 1);
		assert.deepEqual(app.disconnected, []);
		assert.equal(await direct.invoke("echo", 1), 1);
		assert.equal(await behind.invoke("echo", 1), 1);
	});
});

/** What stands before a server on one machine: every browser comes to the server from loopback. */
async function reverseProxy(port: number): Promise<{ readonly url: string; close(): Promise<void> }> {
	const headersOf = (headers: object) => ({
		...headers,
		"x-forwarded-for": "203.0.113.7",
		"x-forwarded-proto": "https",
	});
	const server = createHttpServer((incoming, answer) => {
		const { method, url, headers } = incoming;
		const outgoing = request(
			{ host: "127.0.0.1", port, method, path: url, headers: headersOf(headers) },
			(response) => {
				answer.writeHead(response.statusCode ?? 502, response.headers);
				response.pipe(answer);
			},
		);
		incoming.pipe(outgoing);
	});
	server.on("upgrade", ({ method, url, headers }, near) => {
		const outgoing = request({ host: "127.0.0.1", port, method, path: url, headers: headersOf(headers) });
		outgoing.on("upgrade", (response, far) => {
			const lines = Object.entries(response.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
			near.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`);
			near.pipe(far).pipe(near);
			near.on("close", () => far.destroy());
			far.on("close", () => near.destroy());
		});
		outgoing.end();
	});
	const sockets = new Set<Socket>();
	server.on("connection", (socket: Socket) => sockets.add(socket));
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				for (const socket of sockets) socket.destroy();
			}),
	};
}
