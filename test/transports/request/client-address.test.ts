import assert from "node:assert/strict";
import fc from "fast-check";
import {
	type AddressFacts,
	compileTrust,
	normalizeAddress,
	queryValue,
	resolveClientAddress,
	type TrustProxy,
} from "../../../lib/transports/index.js";
import { ask, negotiated, openWebSocket, serve } from "../serve.js";

interface SpoofingCase {
	readonly what: string;
	readonly trust: TrustProxy;
	readonly facts: Partial<AddressFacts>;
	readonly ip: string;
	readonly ips?: readonly string[];
	readonly protocol?: string;
	readonly host?: string;
}

const PROXY = "10.0.0.1";

const cases: readonly SpoofingCase[] = [
	{ what: "false believes no header", trust: false, facts: { forwardedFor: "1.1.1.1" }, ip: PROXY },
	{ what: "0 hops believe no header", trust: 0, facts: { forwardedFor: "1.1.1.1" }, ip: PROXY },
	{ what: "an empty list believes no header", trust: [], facts: { forwardedFor: "1.1.1.1" }, ip: PROXY },
	{ what: "no header: the proxy is the client", trust: 1, facts: {}, ip: PROXY },
	{
		what: "one hop takes the last entry",
		trust: 1,
		facts: { forwardedFor: "2.2.2.2" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2"],
	},
	{
		what: "one hop never sees what the client wrote in front",
		trust: 1,
		facts: { forwardedFor: "6.6.6.6, 2.2.2.2" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2"],
	},
	{
		what: "two hops take the last but one",
		trust: 2,
		facts: { forwardedFor: "6.6.6.6, 2.2.2.2, 10.0.0.2" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2", "10.0.0.2"],
	},
	{
		what: "more hops than entries end at the left-most",
		trust: 9,
		facts: { forwardedFor: "2.2.2.2" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2"],
	},
	{
		what: "true believes everything",
		trust: true,
		facts: { forwardedFor: "6.6.6.6, 2.2.2.2" },
		ip: "6.6.6.6",
		ips: ["6.6.6.6", "2.2.2.2"],
	},
	{
		what: "a CIDR range is walked to the first address outside it",
		trust: ["10.0.0.0/8"],
		facts: { forwardedFor: "10.6.6.6, 2.2.2.2, 10.1.2.3" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2", "10.1.2.3"],
	},
	{
		what: "a socket outside the range is the client",
		trust: ["192.168.0.0/16"],
		facts: { forwardedFor: "2.2.2.2" },
		ip: PROXY,
	},
	{
		what: "a single address is a range of one",
		trust: [PROXY],
		facts: { forwardedFor: "2.2.2.2" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2"],
	},
	{
		what: "named ranges work",
		trust: ["loopback", "uniquelocal"],
		facts: { remoteAddress: "::1", forwardedFor: "2.2.2.2, 172.16.3.4" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2", "172.16.3.4"],
	},
	{
		what: "a function is asked with the hop",
		trust: (address, hop) => address === PROXY && hop === 0,
		facts: { forwardedFor: "10.0.0.1, 10.0.0.1" },
		ip: PROXY,
		ips: [PROXY],
	},
	{
		what: "garbage ends the walk before it",
		trust: 5,
		facts: { forwardedFor: "2.2.2.2, <script>, 10.0.0.2" },
		ip: "10.0.0.2",
		ips: ["10.0.0.2"],
	},
	{
		what: "garbage next to the socket leaves the socket",
		trust: 5,
		facts: { forwardedFor: "2.2.2.2, unknown" },
		ip: PROXY,
	},
	{
		what: "an empty entry is garbage",
		trust: 5,
		facts: { forwardedFor: "2.2.2.2,,10.0.0.2" },
		ip: "10.0.0.2",
		ips: ["10.0.0.2"],
	},
	{ what: "an empty header is no entry", trust: 1, facts: { forwardedFor: "" }, ip: PROXY },
	{ what: "an octal-looking address is garbage", trust: 1, facts: { forwardedFor: "010.0.0.1" }, ip: PROXY },
	{
		what: "a port is dropped",
		trust: 1,
		facts: { forwardedFor: "2.2.2.2:5678" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2"],
	},
	{
		what: "IPv6 with brackets and port",
		trust: 1,
		facts: { forwardedFor: "[2001:DB8::1]:443" },
		ip: "2001:db8::1",
		ips: ["2001:db8::1"],
	},
	{
		what: "IPv6 is written in one way",
		trust: 1,
		facts: { forwardedFor: "2001:db8:0:0:0:0:0:1" },
		ip: "2001:db8::1",
		ips: ["2001:db8::1"],
	},
	{
		what: "an IPv4-mapped socket matches an IPv4 range",
		trust: ["10.0.0.0/8"],
		facts: { remoteAddress: "::ffff:10.0.0.1", forwardedFor: "::ffff:2.2.2.2" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2"],
	},
	{
		what: "a mapped address in hexadecimal cannot slip past an IPv4 range",
		trust: ["10.0.0.0/8"],
		facts: { forwardedFor: "6.6.6.6, ::ffff:0a00:0002" },
		ip: "6.6.6.6",
		ips: ["6.6.6.6", "10.0.0.2"],
	},
	{
		what: "an IPv6 range",
		trust: ["fc00::/7"],
		facts: { remoteAddress: "fd00::5", forwardedFor: "2.2.2.2" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2"],
	},
	{
		what: "a zone is dropped",
		trust: ["fe80::/10"],
		facts: { remoteAddress: "fe80::1%eth0", forwardedFor: "2.2.2.2" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2"],
	},
	{
		what: "a Unix socket counts as a hop",
		trust: 1,
		facts: { remoteAddress: "", forwardedFor: "2.2.2.2" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2"],
	},
	{
		what: "proto and host of an untrusted peer are ignored",
		trust: false,
		facts: { forwardedProto: "https", forwardedHost: "evil" },
		ip: PROXY,
	},
	{
		what: "proto and host of a trusted peer are believed",
		trust: 1,
		facts: { forwardedProto: "https", forwardedHost: "shop.example:8443" },
		ip: PROXY,
		protocol: "https",
		host: "shop.example:8443",
	},
	{
		what: "the scheme of an upgrade counts as http's",
		trust: 1,
		facts: { forwardedProto: "WSS" },
		ip: PROXY,
		protocol: "https",
	},
	{
		what: "one hop takes the proto and host that the proxy appended, not the client's",
		trust: 1,
		facts: {
			forwardedFor: "6.6.6.6, 2.2.2.2",
			forwardedProto: "https, http",
			forwardedHost: "evil, real.example",
		},
		ip: "2.2.2.2",
		ips: ["2.2.2.2"],
		protocol: "http",
		host: "real.example",
	},
	{
		what: "two hops take the outermost trusted proxy's proto",
		trust: 2,
		facts: { forwardedFor: "2.2.2.2, 10.0.0.2", forwardedProto: "gopher, https, http" },
		ip: "2.2.2.2",
		ips: ["2.2.2.2", "10.0.0.2"],
		protocol: "https",
	},
	{ what: "an unknown proto is ignored", trust: 1, facts: { forwardedProto: "javascript" }, ip: PROXY },
	{ what: "a host that is none is ignored", trust: 1, facts: { forwardedHost: "evil/path" }, ip: PROXY },
];

describe("transports/request/client-address", () => {
	for (const { what, trust, facts, ip, ips = [], protocol = "http", host = "own.example" } of cases) {
		it(`spoofing: ${what}`, () => {
			const found = resolveClientAddress(
				{ remoteAddress: PROXY, encrypted: false, host: "own.example", ...facts },
				compileTrust(trust),
			);
			assert.deepEqual(found, { ip, ips, protocol, secure: protocol === "https", host });
		});
	}

	it("takes https from a TLS socket", () => {
		const facts = { remoteAddress: "2.2.2.2", encrypted: true, host: "a" };
		assert.equal(resolveClientAddress(facts, compileTrust(false)).secure, true);
	});

	it("refuses a trustProxy that makes no sense", () => {
		for (const bad of [
			["10.0.0.0/33"],
			["10.0.0.0/"],
			["::/129"],
			["nowhere"],
			["10.0.0.0/8/8"],
			[""],
			-1,
			1.5,
			"127.0.0.1",
			{},
		]) {
			assert.throws(
				() => compileTrust(bad as TrustProxy),
				{ code: "ERR_OPTION", message: /"trustProxy"/ },
				String(bad),
			);
		}
	});

	it("never reports what stands left of the first untrusted address, whatever stands there", () => {
		fc.assert(
			fc.property(fc.string(), fc.ipV4(), (written, client) => {
				const facts = { remoteAddress: PROXY, encrypted: false, forwardedFor: `${written}, ${client}` };
				const found = resolveClientAddress(facts, compileTrust([PROXY]));
				return client === PROXY || (found.ip === client && found.ips.length === 1);
			}),
		);
	});

	it("resolves any header text to an address, without throwing", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), fc.nat(5), (text, hops) => {
				const facts = {
					remoteAddress: PROXY,
					encrypted: false,
					forwardedFor: text,
					forwardedHost: text,
					forwardedProto: text,
				};
				const found = resolveClientAddress(facts, compileTrust(hops));
				return normalizeAddress(found.ip) === found.ip;
			}),
		);
	});

	it("finds query values without regard to the case of their names", () => {
		const query = new URLSearchParams("ID=1&id=2&NegotiateVersion=1");
		assert.equal(queryValue(query, "id"), "2");
		assert.equal(queryValue(query, "negotiateVersion"), "1");
		assert.equal(queryValue(query, "access_token"), undefined);
	});

	it("parses the query of a request when it is read, once", async () => {
		const queries: unknown[] = [];
		const served = await serve({
			authenticate(request) {
				assert.equal(request.query, request.query);
				queries.push([...request.query]);
				return undefined;
			},
		});
		await ask(served.port, "/chat/negotiate?a=%20b&A=2");
		await ask(served.port, "/chat/negotiate");
		assert.deepEqual(queries, [
			[
				["a", " b"],
				["A", "2"],
			],
			[],
		]);
		await served.close();
	});

	it("is the same for negotiate and for an upgrade", async () => {
		const seen: unknown[] = [];
		const served = await serve({
			trustProxy: ["loopback"],
			authenticate(request) {
				const { ip, ips, protocol, secure, host, remoteAddress } = request;
				seen.push({ ip, ips, protocol, secure, host, remoteAddress });
				return undefined;
			},
		});
		const headers = {
			"X-Forwarded-For": "6.6.6.6, 2.2.2.2",
			"X-Forwarded-Proto": "https",
			"X-Forwarded-Host": "shop.example",
		};
		await negotiated(served.port, "negotiateVersion=1", headers);
		(await openWebSocket(served.port, "", headers)).terminate();
		const expected = {
			ip: "2.2.2.2",
			ips: ["2.2.2.2"],
			protocol: "https",
			secure: true,
			host: "shop.example",
			remoteAddress: "127.0.0.1",
		};
		assert.deepEqual(seen, [expected, expected]);
		await served.close();
	});

	it("trusts nobody when the function throws", async () => {
		const served = await serve({
			trustProxy() {
				throw new Error("user's mistake");
			},
			authenticate: (request) => {
				assert.equal(request.ip, "127.0.0.1");
				return undefined;
			},
		});
		const { status } = await ask(served.port, "/chat/negotiate", {
			headers: { "X-Forwarded-For": "2.2.2.2" },
		});
		assert.equal(status, 200);
		await served.close();
	});
});
