import assert from "node:assert/strict";
import { ManualClock } from "../../lib/base/index.js";
import type { EndpointOptions, Redirection, User } from "../../lib/transports/index.js";
import { LongPollingClient, ServerSentEventsClient } from "./carriers/http-clients.js";
import { ask, negotiated, openWebSocket, type Served, serve, upgradeRaw } from "./serve.js";

const byHeader: EndpointOptions["authenticate"] = ({ headers }) => {
	const id = headers["x-user"];
	return typeof id === "string" ? { id } : undefined;
};

async function withServed<T>(
	options: Partial<EndpointOptions>,
	use: (served: Served) => Promise<T>,
): Promise<T> {
	const served = await serve(options);
	try {
		return await use(served);
	} finally {
		await served.close();
	}
}

describe("transports/gatekeeper: authorize", () => {
	const authorize = (user: User | undefined): boolean => user?.id === "ann";

	it("lets in who it names, and answers 401 to nobody and 403 to somebody, at every door", () =>
		withServed({ authenticate: byHeader, authorize }, async ({ port, owners }) => {
			const ann = { "X-User": "ann" };
			const { connectionToken } = await negotiated(port, "negotiateVersion=1", ann);
			for (const [headers, expected] of [
				[{}, 401],
				[{ "X-User": "bob" }, 403],
			] as const) {
				for (const path of ["/chat/negotiate", `/chat?id=${connectionToken}`]) {
					const { status, body } = await ask(port, path, { headers });
					assert.deepEqual([status, body], [expected, ""], path);
				}
				const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
				assert.match(await upgradeRaw(port, "/chat", lines), new RegExp(`^HTTP/1\\.1 ${expected} `));
			}
			await openWebSocket(port, `?id=${connectionToken}`, ann);
			assert.equal(owners[0]?.connection.user?.id, "ann");
		}));

	it("is asked for each request, may take its time, and is 500 when it throws, 503 when it hangs", async () => {
		const clock = new ManualClock();
		const answers: (() => Promise<boolean>)[] = [
			async () => true,
			async () => false,
			async () => {
				throw new Error("the application's mistake");
			},
			() => {
				queueMicrotask(() => clock.advance(10_000));
				return new Promise(() => {});
			},
		];
		await withServed({ clock, authorize: () => answers.shift()?.() ?? true }, async ({ port }) => {
			for (const expected of [200, 401, 500, 503, 200]) {
				assert.equal((await ask(port, "/chat/negotiate")).status, expected);
			}
			assert.equal(clock.pending, 0);
		});
	});
});

describe("transports/gatekeeper: redirect", () => {
	it("sends a client elsewhere, refuses it with a text, or lets it be", async () => {
		const seen: unknown[] = [];
		const redirect = (
			{ query }: { query: URLSearchParams },
			user: User | undefined,
		): Redirection | undefined => {
			seen.push(user?.id);
			if (query.get("to") === "other") return { url: "http://other/chat?a=b", accessToken: "t" };
			return query.get("to") === "none" ? { error: "Not here." } : undefined;
		};
		await withServed({ authenticate: byHeader, redirect }, async ({ port }) => {
			const to = async (where: string): Promise<unknown> => {
				const path = `/chat/negotiate?negotiateVersion=1&to=${where}`;
				const { status, body } = await ask(port, path, { headers: { "X-User": "ann" } });
				assert.equal(status, 200);
				return JSON.parse(body);
			};
			assert.deepEqual(await to("other"), { url: "http://other/chat?a=b", accessToken: "t" });
			assert.deepEqual(await to("none"), { error: "Not here." });
			assert.equal(((await to("here")) as { negotiateVersion?: number }).negotiateVersion, 1);
			assert.deepEqual(seen, ["ann", "ann", "ann"]);
		});
	});
});

describe("transports/gatekeeper: the client's address", () => {
	const cases: readonly [string, Partial<EndpointOptions>, Record<string, string>, readonly unknown[]][] = [
		["believes no header by default", {}, { "X-Forwarded-For": "6.6.6.6" }, ["127.0.0.1", [], "http"]],
		[
			"takes the right-most of a list that the client began",
			{ trustProxy: 1 },
			{ "X-Forwarded-For": "6.6.6.6, 2.2.2.2", "X-Forwarded-Proto": "https" },
			["2.2.2.2", ["2.2.2.2"], "https"],
		],
		[
			"walks over trusted addresses only",
			{ trustProxy: ["loopback", "10.0.0.0/8"] },
			{ "X-Forwarded-For": "6.6.6.6, 2.2.2.2, 10.0.0.7" },
			["2.2.2.2", ["2.2.2.2", "10.0.0.7"], "http"],
		],
		[
			"stops in front of what is no address",
			{ trustProxy: true },
			{ "X-Forwarded-For": "6.6.6.6, nonsense, 2.2.2.2" },
			["2.2.2.2", ["2.2.2.2"], "http"],
		],
	];
	for (const [what, options, headers, expected] of cases) {
		it(`${what}: the same for negotiate, stream, poll, POST and upgrade`, async () => {
			const seen: [string, unknown][] = [];
			const authenticate: EndpointOptions["authenticate"] = ({ method, ip, ips, protocol }) => {
				seen.push([method, [ip, ips, protocol]]);
				return undefined;
			};
			await withServed({ ...options, authenticate }, async ({ port }) => {
				const path = async (): Promise<string> =>
					`/chat?id=${(await negotiated(port, "negotiateVersion=1", headers)).connectionToken}`;
				const stream = await path();
				await new ServerSentEventsClient({ port, path: stream }).open(headers);
				await ask(port, stream, { headers, body: "x" });
				await ask(port, await path(), { method: "GET", headers });
				(await openWebSocket(port, (await path()).slice(5), headers)).terminate();
			});
			assert.deepEqual(
				seen.map(([method]) => method),
				["POST", "GET", "POST", "POST", "GET", "POST", "GET"],
			);
			for (const [, found] of seen) assert.deepEqual(found, expected);
		});
	}
});

describe("transports/gatekeeper: pages of other origins", () => {
	it("read streams, polls and POSTs only where they are allowed to", () =>
		withServed({ allowedOrigins: ["https://shop.example"] }, async ({ port }) => {
			for (const [origin, isAllowed] of [
				["https://shop.example", true],
				["https://evil.example", false],
			] as const) {
				const headers = { Origin: origin };
				const { connectionToken } = await negotiated(port);
				const path = `/chat?id=${connectionToken}`;
				const stream = await new ServerSentEventsClient({ port, path }).open(headers);
				const post = await ask(port, path, { headers, body: "x" });
				const { connectionToken: polled } = await negotiated(port);
				const poll = await ask(port, `/chat?id=${polled}`, { method: "GET", headers });
				for (const answer of [stream.response, post, poll]) {
					const allowed = answer?.headers["access-control-allow-origin"];
					assert.equal(allowed, isAllowed ? origin : undefined);
					assert.equal(answer?.headers["vary"], "Origin");
				}
			}
		}));
});

describe("transports/gatekeeper: what is known of a user", () => {
	it("is renewed by each poll and POST", () =>
		withServed(
			{ authenticate: ({ headers }) => ({ id: "ann", expiresAt: Number(headers["x-expires"] ?? 0) }) },
			async ({ port, owners }) => {
				const { connectionToken } = await negotiated(port);
				const path = `/chat?id=${connectionToken}`;
				await ask(port, path, { method: "GET", headers: { "X-Expires": "1" } });
				assert.equal(owners[0]?.connection.user?.expiresAt, 1);
				await ask(port, path, { headers: { "X-Expires": "2" }, body: "x" });
				assert.equal(owners[0]?.connection.user?.expiresAt, 2);
			},
		));
});

describe("transports/gatekeeper: limits", () => {
	it("maxConnections holds for streams and polls", () =>
		withServed({ maxConnections: 2 }, async ({ port, owners }) => {
			const paths = [];
			for (let at = 0; at < 3; at++) paths.push(`/chat?id=${(await negotiated(port)).connectionToken}`);
			const [first = "", second = "", third = ""] = paths;
			await new ServerSentEventsClient({ port, path: first }).open();
			const polling = await new LongPollingClient({ port, path: second }).open();
			const refused = await ask(port, third, { method: "GET" });
			assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "1"]);
			owners[1]?.connection.close();
			await polling.ended;
			await new LongPollingClient({ port, path: third }).open();
		}));

	it("a POST that pretends to be an upgrade is refused rather than taken for empty", () =>
		withServed({}, async ({ port, owners }) => {
			const path = `/chat?id=${(await negotiated(port)).connectionToken}`;
			await ask(port, path, { method: "GET" });
			const headers = { Connection: "Upgrade, HTTP2-Settings", Upgrade: "h2c", "HTTP2-Settings": "AAMAAABk" };
			assert.equal((await ask(port, path, { headers, body: "lost" })).status, 400);
			assert.equal(owners[0]?.bytes.length, 0);
		}));

	it("a stream over an ignored upgrade ends when its client goes", () =>
		withServed({}, async ({ port, owners }) => {
			const path = `/chat?id=${(await negotiated(port)).connectionToken}`;
			const client = new ServerSentEventsClient({ port, path });
			await client.open({ Connection: "Upgrade", Upgrade: "h2c" });
			client.vanish();
			assert.equal(await owners[0]?.closedWith, undefined);
		}));
});
