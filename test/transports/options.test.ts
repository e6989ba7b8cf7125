import assert from "node:assert/strict";
import { Endpoint, type EndpointOptions } from "../../lib/transports/index.js";

function endpoint(options: Partial<EndpointOptions> = {}): Endpoint {
	return new Endpoint({ path: "/chat", serverId: "s1", onConnection() {}, ...options });
}

describe("transports/options: an endpoint matches", () => {
	it("its path and that of negotiate, whatever the query", () => {
		const own = endpoint();
		const matching = [
			"/chat",
			"/chat?id=1",
			"/chat/",
			"/chat/?id=/x",
			"/CHAT",
			"/ch%61t",
			"/chat/negotiate",
			"/chat/negotiate/",
			"/Chat/Negotiate?x",
			"http://host:1/chat?id=2",
		];
		for (const url of matching) assert.equal(own.matches(url), true, url);
	});

	it("nothing else", () => {
		const others = [
			undefined,
			"",
			"/",
			"/chatter",
			"/chat/x",
			"/chat//",
			"//chat",
			"/x?/chat",
			"/chat%2Fnegotiate",
			"/chat%",
			"*",
			"chat",
		];
		for (const url of others) assert.equal(endpoint().matches(url), false, url);
	});

	it("a hub at the root, and one whose path needs encoding", () => {
		assert.equal(endpoint({ path: "/" }).matches("/negotiate?a"), true);
		assert.equal(endpoint({ path: "/" }).matches("/?id=1"), true);
		assert.equal(endpoint({ path: "/straße" }).matches("/stra%C3%9Fe/negotiate"), true);
		assert.equal(endpoint({ path: "/a%20b/" }).matches("/a%20b"), true);
	});

	it("refuses options that make no sense", () => {
		const bad: Partial<EndpointOptions>[] = [
			{ path: "chat" },
			{ path: "/chat?x" },
			{ path: "/%" },
			{ serverId: "a.b" },
			{ tokenSecrets: [] },
			{ maxBufferedBytes: 0 },
			{ maxFrameBytes: 1.5 },
			{ closeTimeoutMs: -1 },
			{ maxConnections: 0 },
			{ trustProxy: ["x"] },
			{ allowedOrigins: ["x"] },
			{ authenticateTimeoutMs: Number.NaN },
			{ tokenLifetimeMs: 0 },
			{ transports: [] },
			{ transports: ["websockets" as "WebSockets"] },
			{ maxConnectsPerSecond: 0 },
			{ maxWaitingConnects: -1 },
			{ disconnectTimeoutMs: 0 },
			{ longPollTimeoutMs: Number.NaN },
		];
		for (const options of bad)
			assert.throws(() => endpoint(options), { code: "ERR_OPTION" }, JSON.stringify(options));
	});
});
