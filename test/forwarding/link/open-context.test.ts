import assert from "node:assert/strict";
import { checkOpenContext, openContextOf } from "../../../lib/forwarding/link/open-context.js";
import { OpenedRequest } from "../../../lib/forwarding/link/opened-request.js";
import type { ClientConnection, ConnectionRequest, User } from "../../../lib/hub/index.js";
import { readMessagePack, writeMessagePack } from "../../../lib/protocols/index.js";

const REQUEST: ConnectionRequest = {
	...{ method: "POST", url: "/hub?id=token&access_token=secret&room=1&room=2", path: "/hub", headers: {} },
	query: new URLSearchParams("id=token&access_token=secret&room=1&room=2"),
	...{ remoteAddress: "127.0.0.1", remotePort: 4_711, localAddress: "10.0.0.1", localPort: 443 },
	...{ ip: "203.0.113.7", ips: ["203.0.113.7", "10.0.0.2"], protocol: "https", secure: true, host: "shop" },
};

function clientOf(change: Partial<ConnectionRequest>, user?: User, protocolName = "json"): ClientConnection {
	const request = { ...REQUEST, ...change };
	return { connectionId: "c1", protocolName, user, request, pushed: [] } as unknown as ClientConnection;
}

/** A client's context as the other end reads it. */
const crossed = (client: ClientConnection): ReturnType<typeof checkOpenContext> =>
	checkOpenContext(readMessagePack(writeMessagePack(openContextOf(client, "p.u1.", "p1"))));

/** What is right in every way. */
const right = (): Record<string, unknown> => ({
	...{ connectionId: "c", protocol: "json", ids: "x", user: { id: "ann" } },
	request: {
		...{ url: "/", headers: { a: ["b"] }, ip: "::1", ips: [], remotePort: 1 },
		...{ localAddress: "::1", localPort: 2, secure: false, host: "h" },
	},
});

describe("forwarding/link/open-context", () => {
	it("shows the client's request over there: address, host, path, query and headers", () => {
		const context = crossed(clientOf({ headers: { "user-agent": "Firefox", "x-a": "1, 2" } }));
		const request = new OpenedRequest(context.request);
		assert.deepEqual(
			[context.connectionId, context.protocol, context.ids, context.user],
			["c1", "json", "p.u1.", undefined],
		);
		assert.deepEqual(
			[request.ip, request.ips, request.remoteAddress, request.remotePort, request.localPort],
			["203.0.113.7", ["203.0.113.7", "10.0.0.2"], "203.0.113.7", 4_711, 443],
		);
		assert.deepEqual(
			[request.method, request.path, request.protocol, request.secure, request.host],
			["GET", "/hub", "https", true, "shop"],
		);
		assert.deepEqual(request.query.getAll("room"), ["1", "2"]);
		assert.equal(request.headers["user-agent"], "Firefox");
		assert.equal(request.headers["x-a"], "1, 2");
		assert.equal(Object.getPrototypeOf(request.headers), null);
	});

	it("hands on the items that were pushed, and refuses what cannot be some", () => {
		const pushed = [{ name: "__proto__", value: writeMessagePack(1) }];
		const client = { ...clientOf({}), pushed } as unknown as ClientConnection;
		const items = crossed(client).items?.map(({ name, value }) => [name, value && readMessagePack(value)]);
		assert.deepEqual(items, [["__proto__", 1]]);
		assert.equal(crossed(clientOf({})).items, undefined);
		const big = Buffer.concat([Buffer.from([0xc5, 0x40, 0]), Buffer.alloc(0x40_00)]);
		for (const items of [{}, [["a"]], [[1, pushed[0]?.value]], [["a", Buffer.from([0xc1])]], [["a", big]]])
			assert.throws(() => checkOpenContext({ ...right(), items }), /ERR_|items|MessagePack/);
	});

	it("hands on what proves who the client is where nobody has found out, but never its connection token", () => {
		const headers = { cookie: "session=1", authorization: "Bearer x", upgrade: "websocket" };
		const request = new OpenedRequest(crossed(clientOf({ headers })).request);
		assert.equal(request.headers.cookie, "session=1");
		assert.equal(request.headers.authorization, "Bearer x");
		assert.equal(request.headers.upgrade, undefined);
		assert.equal(request.query.get("access_token"), "secret");
		assert.equal(request.query.has("id"), false);
		assert.ok(!request.url.includes("=token"));
	});

	it("keeps that back where the proxy knows the client, and says who it is", () => {
		const user = { id: "ann", claims: { role: ["a", "b"] }, expiresAt: 1_700_000_000_000 };
		const headers = { cookie: "session=1", authorization: "Bearer x", accept: "y" };
		const context = crossed(clientOf({ headers }, user, "messagepack"));
		const request = new OpenedRequest(context.request);
		assert.deepEqual([context.user, context.protocol], [user, "messagepack"]);
		assert.deepEqual([request.headers.cookie, request.headers.authorization], [undefined, undefined]);
		assert.equal(request.headers.accept, "y");
		assert.equal(request.query.has("access_token"), false);
		assert.ok(!request.url.includes("secret"));
	});

	it("takes a user without an id, and one without claims", () => {
		assert.deepEqual(crossed(clientOf({}, {})).user, {});
		assert.deepEqual(crossed(clientOf({}, { claims: { a: 1 } })).user, { claims: { a: 1 } });
	});

	it("bounds the url and the addresses that cross", () => {
		const url = `/hub?q=${"x".repeat(20_000)}`;
		const ips = Array.from({ length: 100 }, (_, at) => `10.0.0.${at}`);
		const { request } = crossed(clientOf({ url, ips }));
		assert.equal(request.url.length, 8_192);
		assert.equal(request.ips.length, 32);
	});

	for (const [what, change] of [
		["no map", () => []],
		["nothing", () => undefined],
		["no request", (fields: object) => ({ ...fields, request: undefined })],
		["a request that is a list", (fields: object) => ({ ...fields, request: [] })],
		["no id", (fields: object) => ({ ...fields, connectionId: undefined })],
		["an id that is a number", (fields: object) => ({ ...fields, connectionId: 1 })],
		["an id that is too long", (fields: object) => ({ ...fields, connectionId: "x".repeat(129) })],
		["ids that are no text", (fields: object) => ({ ...fields, ids: 1 })],
		["a user that is text", (fields: object) => ({ ...fields, user: "ann" })],
		["a user id that is a number", (fields: object) => ({ ...fields, user: { id: 1 } })],
		["claims that are a list", (fields: object) => ({ ...fields, user: { claims: [] } })],
	] as const) {
		it(`refuses a context with ${what}`, () => {
			assert.throws(() => checkOpenContext(change(right())), { code: "ERR_LINK_PROTOCOL" });
		});
	}

	for (const [name, value] of [
		["url", 1],
		["url", "x".repeat(8_193)],
		["headers", []],
		["headers", { a: "b" }],
		["headers", { a: [1] }],
		["ip", undefined],
		["ips", "10.0.0.1"],
		["ips", [1]],
		["localAddress", null],
		["host", {}],
	] as const) {
		it(`refuses a request whose ${name} is ${JSON.stringify(value)?.slice(0, 20)}`, () => {
			const fields = right();
			const request = { ...(fields["request"] as object), [name]: value };
			assert.throws(() => checkOpenContext({ ...fields, request }), {
				code: "ERR_LINK_PROTOCOL",
				message: new RegExp(`"${name}`),
			});
		});
	}

	it("reads a port that is none as 0, and whatever is not true as not secure", () => {
		const fields = right();
		const odd = { remotePort: "1", localPort: 1.5, secure: 1 };
		const { request } = checkOpenContext({
			...fields,
			request: { ...(fields["request"] as object), ...odd },
		});
		assert.deepEqual([request.remotePort, request.localPort, request.secure], [0, 0, false]);
	});
});
