import assert from "node:assert/strict";
import { once } from "node:events";
import { type ConnectionOptions, connect } from "node:tls";
import { WebSocket } from "ws";
import {
	type AcceptLinksOptions,
	acceptLinks,
	type ForwardingOptions,
	useForwarding,
} from "../../../lib/forwarding/index.js";
import { CertificateAuthority, type Identity } from "../support/certificates.js";
import { Scene, SECRET, type Station, type StationOptions, WIRES } from "../support/scene.js";
import { PlayedProxy } from "./played-proxy.js";

const HANDSHAKE = { json: '{"protocol":"json","version":1}\u001e' };
const CERTIFICATES = ["proxy1.test", "spiffe://test/proxies/2", "Proxy Three", "proxy4.test"];
const YESTERDAY = Date.now() - 86_400_000;

const proxies = new CertificateAuthority("CA of proxies");
const strangers = new CertificateAuthority("CA of strangers");
const servers = new CertificateAuthority("CA of servers");
const server = servers.issue({ names: ["127.0.0.1"] });
const known = proxies.issue({ names: ["proxy1.test"] });
/** A server that browsers can reach as well: it asks for certificates, and takes who has none. */
const TLS = { ...server, ca: proxies.cert, requestCert: true, rejectUnauthorized: false };

const linesOf = ({ logs }: Station): string[] =>
	logs.flatMap(({ level, message, fields }) =>
		level === "warn" ? `${message} ${fields["reason"] ?? ""}` : [],
	);

describe("forwarding/native/certificates", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	function appServer(
		accept: AcceptLinksOptions = { certificates: CERTIFICATES },
		options: StationOptions = {},
	) {
		return scene.app({ tls: TLS, accept, ...options });
	}

	function proxyTo({ url }: Station, tls: ForwardingOptions["tls"], more: ForwardingOptions = {}) {
		const link = { secret: undefined, connectionPoolSize: 2, maxWaitMs: 200 };
		return scene.proxy(url, { ...link, tls, ...more });
	}

	async function played(url: string, tls: ConnectionOptions, handshake?: string): Promise<PlayedProxy> {
		const options = { tls: { ca: servers.cert, ...tls }, ...(handshake === undefined ? {} : { handshake }) };
		const proxy = await PlayedProxy.open(url, scene.watch, options);
		scene.keep(proxy);
		return proxy;
	}

	const wiresOf = ({ hub }: Station): unknown[] =>
		hub.links().flatMap(({ wire, links }) => (links > 0 ? wire : []));

	const ca = servers.cert;

	for (const wire of WIRES) {
		describe(`over ${wire === "native" ? "the native link" : "dotNetify's wire"}`, () => {
			beforeEach(() => {
				scene = new Scene(wire);
			});

			for (const [title, fields] of [
				["a DNS name, whatever its case", { names: ["PROXY1.test"] }],
				["a URI", { names: ["spiffe://test/proxies/2"] }],
				["one of several names", { names: ["10.1.2.3", "other.test", "proxy4.test"] }],
				["the common name of one without alternative names", { commonName: "Proxy Three" }],
			] as const) {
				it(`takes a proxy by its certificate: ${title}`, async () => {
					const app = await appServer();
					const proxy = await proxyTo(app, { ca, ...proxies.issue(fields) });
					const client = await scene.client(proxy.url);
					assert.deepEqual(await client.invoke("echo", { title }), { title });
					assert.deepEqual(wiresOf(app), [wire === "native" ? "native" : "dotnetify"]);
					const request = app.hub.lifetime.get(client.id)?.request;
					assert.ok(request);
					assert.equal(request.certificate, undefined, "the link's is not the client's");
					assert.equal(app.hub.counters.get("linkRefusals"), 0);
				});
			}

			for (const [title, identity, why] of [
				[
					"of another CA",
					strangers.issue({ names: ["proxy1.test"] }),
					/not verified, UNABLE_TO_\w+: .*LINK_CA/,
				],
				[
					"that has expired",
					proxies.issue({ names: ["proxy1.test"], until: YESTERDAY }),
					/not verified, CERT_HAS_EXPIRED: renew it/,
				],
				[
					"of the right CA, and of another name",
					proxies.issue({ names: ["b.test"] }),
					/"b\.test".*LINK_NAMES/,
				],
				[
					"whose common name is right, beside alternative names",
					proxies.issue({ commonName: "Proxy Three", names: ["b.test"] }),
					/of "b\.test"/,
				],
				["of no name at all", proxies.issue({}), /is of "".*LINK_NAMES/],
				[
					"that hides the right name in another one",
					proxies.issue({ names: ["b.test, URI:spiffe://test/proxies/2, DNS:proxy1.test"] }),
					/certificate is of/,
				],
			] as const) {
				it(`refuses a proxy with a certificate ${title}; both logs say what to do`, async () => {
					const app = await appServer();
					const proxy = await proxyTo(app, { ca, ...identity });
					const client = await scene.client(proxy.url);
					await assert.rejects(client.invoke("echo", 1), /ERR_FORWARD_EXPIRED/);
					assert.match(linesOf(app)[0] ?? "", why);
					assert.match(linesOf(proxy)[0] ?? "", /refuses this proxy's certificate.*its log says why/);
					assert.ok(app.hub.counters.get("linkRefusals") > 0);
					assert.deepEqual([wiresOf(app), app.connected], [[], []]);
				});
			}

			it("refuses the calls of a proxy without a certificate, and names the settings", async () => {
				const app = await appServer();
				const proxy = await proxyTo(app, { ca });
				const client = await scene.client(proxy.url);
				await assert.rejects(client.invoke("echo", 1), /ERR_FORWARD_REFUSED/);
				assert.match(linesOf(app)[0] ?? "", /LINK_SECRET.*LINK_TRUSTED.*no certificate.*LINK_CERT/);
				assert.deepEqual(app.calls, []);
			});

			it("takes either of a secret and a certificate, where both are set", async () => {
				const app = await appServer({ secrets: [SECRET], certificates: CERTIFICATES });
				const stranger = strangers.issue({ names: ["proxy1.test"] });
				for (const [tls, secret] of [
					[{ ca, ...known }, undefined],
					[{ ca }, SECRET],
					[{ ca, ...stranger }, SECRET],
					[{ ca, ...known }, SECRET],
				] as const) {
					const proxy = await proxyTo(app, tls, { secret });
					assert.equal(await (await scene.client(proxy.url)).invoke("echo", 1), 1);
					await proxy.close();
				}
			});
		});
	}

	it("takes every certificate that the server verifies where any is asked for, and no other", async () => {
		const app = await appServer({ certificates: "any" });
		const proxy = await proxyTo(app, { ca, ...proxies.issue({}) });
		assert.equal(await (await scene.client(proxy.url)).invoke("echo", 1), 1);
		for (const tls of [strangers.issue({ names: ["proxy1.test"] }), {}]) {
			const { handshake } = await played(app.url, tls);
			assert.match(handshake ?? "", /'trunkline-link' is not supported/);
		}
	});

	it("does not take a resumed TLS session for a certificate", async () => {
		const app = await appServer({ certificates: "any" });
		const first = connect({ port: app.port, host: "127.0.0.1", ca });
		scene.keep({ close: () => first.destroy() });
		const [session] = (await once(first, "session")) as [Buffer];
		const again = connect({ port: app.port, host: "127.0.0.1", ca, session });
		scene.keep({ close: () => again.destroy() });
		await once(again, "secureConnect");
		assert.ok(again.isSessionReused());
		const { handshake } = await played(app.url, { session });
		assert.match(handshake ?? "", /'trunkline-link' is not supported/);
	});

	it("takes a proxy that cannot say that its certificate is the proof, as dotNetify's, by what it does", async () => {
		const app = await appServer();
		const native = await played(app.url, known);
		assert.equal(native.handshake, "{}");
		const url = `${app.url.replace("http", "ws")}/dotnetify`;
		const socket = new WebSocket(url, { ca, ...known });
		scene.keep({ close: () => socket.terminate() });
		await once(socket, "open");
		socket.send(HANDSHAKE.json);
		const context = JSON.stringify({ HubId: "h", ConnectionId: "c", HttpRequestHeaders: {}, Items: {} });
		const args = ["Request_VM", ["V", null], { $fwdConnContext: context }];
		socket.send(`${JSON.stringify({ type: 1, target: "Invoke", arguments: args })}\u001e`);
		await scene.until(() => app.calls.length === 1);
		assert.deepEqual(app.calls[0], { client: "c", method: "Request_VM", vmId: "V", data: null });
	});

	it("lets clients without a certificate in as clients, and says nothing of certificates to them", async () => {
		const app = await appServer();
		const client = await played(app.url, {}, HANDSHAKE.json);
		assert.equal(client.handshake, "{}");
		await scene.until(() => app.connected.length === 1);
		const asLink = await played(app.url, proxies.issue({ names: ["b.test"] }));
		const unknown = await played(app.url, {}, '{"protocol":"trunkline-lint","version":1}\u001e');
		assert.equal(asLink.handshake, unknown.handshake?.replace("lint", "link"));
	});

	it("asks authenticate and authorize about everybody but proxies whose certificate counts", async () => {
		const asked: unknown[] = [];
		const app = await appServer(undefined, {
			authenticate: ({ certificate }) => {
				asked.push(certificate);
				return certificate?.isVerified ? { id: certificate.x509.subject } : undefined;
			},
			authorize: (user) => user?.id === "CN=ada",
		});
		const proxy = await proxyTo(app, { ca, ...known });
		await scene.until(() => proxy.hub.ready);
		assert.deepEqual(asked, []);
		const ada = await played(app.url, proxies.issue({ commonName: "ada" }), HANDSHAKE.json);
		assert.equal(ada.handshake, "{}");
		await scene.until(() => app.connected.length === 1);
		assert.equal(app.hub.lifetime.get(app.connected[0] ?? "")?.user?.id, "CN=ada");
		const other = await proxyTo(app, { ca, ...proxies.issue({ commonName: "bob" }) });
		await scene.until(() => linesOf(other).some((line) => line.includes("403")));
	});

	it("takes renewed certificates from a function, which is asked before each connection", async () => {
		const app = await appServer();
		let now: Identity = proxies.issue({ names: ["proxy1.test"], until: YESTERDAY });
		let isBroken = false;
		const proxy = await proxyTo(app, () => {
			if (isBroken) throw new Error("the file cannot be read");
			return { ca, ...now };
		});
		await scene.until(() => linesOf(app).some((line) => line.includes("CERT_HAS_EXPIRED")));
		isBroken = true;
		await scene.until(() => proxy.logs.some(({ fields }) => /cannot be read/.test(String(fields["reason"]))));
		isBroken = false;
		now = known;
		assert.equal(await (await scene.client(proxy.url)).invoke("echo", 1), 1);
	});

	it("gives no message to an app server that is not verified; the proxy's log says why", async () => {
		for (const [identity, why] of [
			[strangers.issue({ names: ["127.0.0.1"] }), /unable to verify|self.signed|unable to get/],
			[servers.issue({ names: ["app1.test"] }), /does not match certificate's altnames/],
			[servers.issue({ names: ["127.0.0.1"], until: YESTERDAY }), /expired/],
		] as const) {
			const app = await appServer(undefined, { tls: { ...TLS, ...identity } });
			const proxy = await proxyTo(app, { ca, ...known });
			const client = await scene.client(proxy.url);
			await assert.rejects(client.invoke("echo", 1), /ERR_FORWARD_EXPIRED/);
			assert.match(linesOf(proxy)[0] ?? "", why);
			assert.deepEqual(app.calls, []);
		}
		const named = await appServer(undefined, { tls: { ...TLS, ...servers.issue({ names: ["app1.test"] }) } });
		const proxy = await proxyTo(named, { ca, ...known, servername: "app1.test" });
		assert.equal(await (await scene.client(proxy.url)).invoke("echo", 1), 1);
	});

	it("says so where the TLS server itself turns away who has no certificate", async () => {
		const app = await appServer(undefined, { tls: { ...TLS, rejectUnauthorized: true } });
		const proxy = await proxyTo(app, { ca });
		await scene.until(() => linesOf(proxy).length > 0);
		assert.match(
			linesOf(proxy)[0] ?? "",
			/cannot be reached.*(?:certificate required|ECONNRESET|hang up|alert)/,
		);
		const known1 = await proxyTo(app, { ca, ...known });
		assert.equal(await (await scene.client(known1.url)).invoke("echo", 1), 1);
	});

	for (const [certificates, message] of [
		["proxy1.test", /"certificates" must be a list.*"any".*"proxy1\.test"/],
		[[""], /"certificates\[0\]"/],
		[["a.test", undefined], /"certificates\[1\]".*environment/],
		[['"a.test"'], /"certificates\[0\]"/],
	] as const) {
		it(`refuses ${JSON.stringify(certificates)} as names of certificates`, () => {
			const options = { certificates } as unknown as AcceptLinksOptions;
			assert.throws(() => acceptLinks(options), { code: "ERR_OPTION", message });
		});
	}

	for (const [title, url, tls, message] of [
		["a url without TLS", "http://app1:5001", { ca }, /needs a url with https.*http:\/\/app1/],
		["a certificate without its key", "https://app1:5001", { cert: known.cert }, /cert but no key/],
		["a key without its certificate", "https://app1:5001", { key: known.key }, /key but no cert/],
		[
			"the key of another certificate",
			"https://app1:5001",
			{ ...known, key: server.key },
			/"tls" cannot be used/,
		],
		["what is no certificate", "https://app1:5001", { ca: "nothing", cert: "x", key: "y" }, /cannot be used/],
	] as const) {
		it(`refuses TLS options with ${title}`, () => {
			assert.throws(() => useForwarding(url, { tls }), { code: "ERR_OPTION", message });
		});
	}
});
