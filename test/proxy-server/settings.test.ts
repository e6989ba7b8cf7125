import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { TrunklineError } from "../../lib/index.js";
import { type ChainEntry, matchesPattern } from "../../proxy-server/chain.js";
import { type Environment, readSettings } from "../../proxy-server/settings.js";

const APP = "http://127.0.0.1:5001";
const SECRET = "0123456789abcdef";

/** The message of the refusal of an environment. */
function refusalOf(environment: Environment): string {
	let found: unknown;
	try {
		readSettings(environment);
	} catch (error) {
		found = error;
	}
	assert.ok(found instanceof TrunklineError, `not refused: ${JSON.stringify(environment)}`);
	assert.equal(found.code, "ERR_CONFIGURATION");
	return found.message;
}

describe("proxy-server/settings", () => {
	it("has a default for everything but the app server", () => {
		assert.deepEqual(readSettings({ APPSERVER_URL: APP }), {
			port: 5000,
			host: "127.0.0.1",
			hubPath: "/dotnetify",
			chain: [{ urls: [APP] }],
			linkSecrets: [],
			tokenSecrets: [],
			logLevel: "info",
			drainMs: 3000,
			closeSpreadMs: 5000,
		});
	});

	it("takes several equal app servers", () => {
		const other = "http://127.0.0.1:5002";
		const { chain } = readSettings({ APPSERVER_URLS: `${APP}, ${other}`, CONNECTION_POOL_SIZE: "2" });
		assert.deepEqual(chain, [{ connectionPoolSize: 2, urls: [APP, other], isShared: true }]);
	});

	it("reads every variable", () => {
		const settings = readSettings({
			...{
				PORT: "8080",
				HOST: "0.0.0.0",
				APPSERVER_URL: APP,
				CONNECTION_POOL_SIZE: "9",
				USE_MESSAGE_PACK: "true",
			},
			...{
				LINK_SECRET: `${SECRET},another-secret-of-16`,
				HUB_PATH: "/a/hub",
				TRUST_PROXY: "10.0.0.0/8, loopback",
			},
			...{
				ALLOWED_ORIGINS: "https://example.org, http://localhost:3000",
				LOG_LEVEL: "warn",
				SERVER_ID: "p1",
			},
			...{ TOKEN_SECRET: "the-secret-of-tokens", DRAIN_MS: "0", CLOSE_SPREAD_MS: "0" },
		});
		assert.deepEqual(settings, {
			...{
				port: 8080,
				host: "0.0.0.0",
				hubPath: "/a/hub",
				serverId: "p1",
				logLevel: "warn",
				drainMs: 0,
				closeSpreadMs: 0,
			},
			chain: [{ urls: [APP], connectionPoolSize: 9, useMessagePack: true }],
			linkSecrets: [SECRET, "another-secret-of-16"],
			tokenSecrets: ["the-secret-of-tokens"],
			trustProxy: ["10.0.0.0/8", "loopback"],
			allowedOrigins: ["https://example.org", "http://localhost:3000"],
		});
	});

	it("takes an empty variable for one that is not set, and a number of hops for TRUST_PROXY", () => {
		const settings = readSettings({ APPSERVER_URL: APP, PORT: "", LINK_SECRET: " ", TRUST_PROXY: "2" });
		assert.equal(settings.port, 5000);
		assert.deepEqual(settings.linkSecrets, []);
		assert.equal(settings.trustProxy, 2);
	});

	it("derives the same token secret in every process that has the same link secret", () => {
		const [one, other] = [1, 2].map(
			() => readSettings({ APPSERVER_URL: APP, LINK_SECRET: SECRET }).tokenSecrets,
		);
		assert.deepEqual(one, other);
		assert.equal(one?.length, 1);
		assert.notEqual(one?.[0], SECRET);
	});

	const wrong: readonly (readonly [Environment, RegExp])[] = [
		[{}, /^APPSERVER_URL: found nothing, expected one http or https url.*\(or PROXY_CONFIG\)$/],
		[{ APPSERVER_URL: "app:5001" }, /^APPSERVER_URL: found "app:5001", expected one http or https url/],
		[{ APPSERVER_URL: "http://" }, /^APPSERVER_URL: found "http:\/\/", expected one/],
		[
			{ APPSERVER_URL: "http://me:pw@app" },
			/^APPSERVER_URL: found "http:\/\/…@app", expected .* without user name/,
		],
		[
			{ APPSERVER_URL: `${APP},${APP}` },
			/^APPSERVER_URL: found .*, expected exactly one url; several .* APPSERVER_URLS, and PROXY_CONFIG.*"copy": true/,
		],
		[{ APPSERVER_URL: `${APP} ${APP}` }, /PROXY_CONFIG.*"copy": true/],
		[
			{ APPSERVER_URLS: `${APP}, ${APP}` },
			/^APPSERVER_URLS: found .*, expected http or https urls .* each once/,
		],
		[{ APPSERVER_URLS: `${APP}, app` }, /^APPSERVER_URLS: found .*, expected http or https urls/],
		[{ APPSERVER_URLS: APP, APPSERVER_URL: APP }, /^APPSERVER_URLS: found urls beside APPSERVER_URL/],
		[{ APPSERVER_URLS: APP, PROXY_CONFIG: "x.json" }, /^PROXY_CONFIG: found a path beside APPSERVER_URLS/],
		[{ APPSERVER_URL: APP, PROXY_CONFIG: "x.json" }, /^PROXY_CONFIG: found a path beside APPSERVER_URL/],
		[{ APPSERVER_URL: APP, PORT: "65536" }, /^PORT: found "65536", expected a whole number from 0 to 65535$/],
		[{ APPSERVER_URL: APP, PORT: "80a" }, /^PORT: found "80a", expected a whole number from 0 to 65535$/],
		[{ APPSERVER_URL: APP, PORT: "-1" }, /^PORT: found "-1"/],
		[{ APPSERVER_URL: APP, PORT: "1e3" }, /^PORT: found "1e3"/],
		[{ APPSERVER_URL: APP, HOST: "a b" }, /^HOST: found "a b", expected a host name or an address$/],
		[
			{ APPSERVER_URL: APP, CONNECTION_POOL_SIZE: "0" },
			/^CONNECTION_POOL_SIZE: found "0", expected a whole number/,
		],
		[
			{ APPSERVER_URL: APP, USE_MESSAGE_PACK: "yes" },
			/^USE_MESSAGE_PACK: found "yes", expected true or false$/,
		],
		[{ APPSERVER_URL: APP, HUB_PATH: "hub" }, /^HUB_PATH: found "hub", expected a path/],
		[{ APPSERVER_URL: APP, HUB_PATH: "/hub/" }, /^HUB_PATH: found "\/hub\/"/],
		[
			{ APPSERVER_URL: APP, TRUST_PROXY: "true" },
			/^TRUST_PROXY: found "true", expected the number of proxies/,
		],
		[{ APPSERVER_URL: APP, TRUST_PROXY: "10.0.0.0/33" }, /^TRUST_PROXY: found "10.0.0.0\/33"/],
		[{ APPSERVER_URL: APP, TRUST_PROXY: "10.0.0" }, /^TRUST_PROXY: found "10.0.0"/],
		[{ APPSERVER_URL: APP, ALLOWED_ORIGINS: "*" }, /^ALLOWED_ORIGINS: found "\*", expected origins/],
		[{ APPSERVER_URL: APP, ALLOWED_ORIGINS: "https://a/b" }, /^ALLOWED_ORIGINS: found "https:\/\/a\/b"/],
		[
			{ APPSERVER_URL: APP, LOG_LEVEL: "loud" },
			/^LOG_LEVEL: found "loud", expected one of trace, debug, info/,
		],
		[{ APPSERVER_URL: APP, SERVER_ID: "p.1" }, /^SERVER_ID: found "p.1", expected 1 to 32/],
		[{ APPSERVER_URL: APP, DRAIN_MS: "soon" }, /^DRAIN_MS: found "soon"/],
		[
			{ APPSERVER_URL: APP, LINK_SECRET: "hunter2" },
			/^LINK_SECRET: found a value that is not shown, expected a secret/,
		],
		[
			{ APPSERVER_URL: APP, TOKEN_SECRET: "a,b" },
			/^TOKEN_SECRET: found a value that is not shown, expected a secret/,
		],
	];
	for (const [environment, expected] of wrong) {
		it(`refuses ${JSON.stringify(environment)}`, () => {
			const message = refusalOf(environment);
			assert.match(message, expected);
			assert.doesNotMatch(message, /\n/);
		});
	}

	it("names every wrong variable, each in one line", () => {
		const lines = refusalOf({ APPSERVER_URL: "x", PORT: "y", LOG_LEVEL: "z" }).split("\n");
		assert.deepEqual(
			lines.map((line) => line.split(":")[0]),
			["PORT", "APPSERVER_URL", "LOG_LEVEL"],
		);
	});

	it("shows neither a secret nor more than the beginning of a long value", () => {
		const message = refusalOf({ APPSERVER_URL: APP, LINK_SECRET: "hunter2", LOG_LEVEL: "x".repeat(10_000) });
		assert.doesNotMatch(message, /hunter2/);
		assert.ok(message.length < 500, `${message.length} characters`);
	});

	it("answers any environment with settings or ERR_CONFIGURATION", () => {
		const names = [
			"PORT",
			"HOST",
			"APPSERVER_URL",
			"TRUST_PROXY",
			"ALLOWED_ORIGINS",
			"HUB_PATH",
			"LINK_SECRET",
		] as const;
		const text = fc.oneof(
			fc.string(),
			fc.webUrl(),
			fc.ipV4(),
			fc.constantFrom("0", "-1", "1e9", "\u0000", "::1", "//"),
		);
		fc.assert(
			fc.property(fc.dictionary(fc.constantFrom(...names), text), (environment) => {
				try {
					readSettings(environment);
				} catch (error) {
					assert.ok(error instanceof TrunklineError && error.code === "ERR_CONFIGURATION", String(error));
				}
			}),
		);
	});
});

describe("proxy-server/chain", () => {
	let folder: string;
	before(() => {
		folder = mkdtempSync(join(tmpdir(), "trunkline-settings-"));
	});
	after(() => rmSync(folder, { recursive: true }));

	function fileOf(content: unknown): string {
		const path = join(folder, "proxy.json");
		writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
		return path;
	}

	function chainOf(content: unknown, environment: Environment = {}): readonly ChainEntry[] {
		return readSettings({ ...environment, PROXY_CONFIG: fileOf(content) }).chain;
	}

	/** The lines of the refusal, without the file's name. */
	function linesOf(content: unknown): string[] {
		const path = fileOf(content);
		return refusalOf({ PROXY_CONFIG: path })
			.split("\n")
			.map((line) => line.replace(`${path}: `, ""));
	}

	it("reads a chain in its order", () => {
		const chain = chainOf([
			{ url: "http://a:1", viewModels: ["chatroom", "Master"], connectionPoolSize: 2 },
			{ url: "http://b:2/hub", vmIds: ["broadcast"], useMessagePack: true },
			{ urls: ["http://c:3", "https://d:4"], copy: true, vmIdPattern: "room[$]\\d+", haltPipeline: false },
			{ url: "http://e:5" },
		]);
		assert.deepEqual(chain, [
			{
				urls: ["http://a:1"],
				filter: { kind: "viewModels", roots: ["chatroom", "Master"] },
				connectionPoolSize: 2,
			},
			{
				urls: ["http://b:2/hub"],
				filter: { kind: "vmIds", ids: ["broadcast"] },
				useMessagePack: true,
			},
			{
				urls: ["http://c:3", "https://d:4"],
				filter: { kind: "vmIdPattern", pattern: /^(?:room[$]\d+)$/u },
				haltPipeline: false,
			},
			{ urls: ["http://e:5"] },
		]);
	});

	it("takes CONNECTION_POOL_SIZE and USE_MESSAGE_PACK as defaults of the entries", () => {
		const file = [
			{ url: "http://a:1", vmIds: ["x"], connectionPoolSize: 1 },
			{ url: "http://b:2", useMessagePack: false },
		];
		const chain = chainOf(file, { CONNECTION_POOL_SIZE: "7", USE_MESSAGE_PACK: "1" });
		assert.deepEqual(
			chain.map(({ connectionPoolSize, useMessagePack }) => [connectionPoolSize, useMessagePack]),
			[
				[1, true],
				[7, false],
			],
		);
	});

	const U = "http://a:1";
	const wrong: readonly (readonly [content: unknown, line: RegExp])[] = [
		["{", /^PROXY_CONFIG: found ".*proxy\.json", which is not JSON/],
		["", /which is not JSON/],
		["null", /^found null, expected a list of at least one entry$/],
		[{ url: U }, /^found an object, expected a list of at least one entry$/],
		[[], /^found an empty list, expected a list of at least one entry$/],
		[[7], /^\[0\]: found 7, expected an object such as/],
		[[null], /^\[0\]: found null, expected an object/],
		[[{}], /^\[0\]\.url: found nothing, expected one http or https url/],
		[[{ url: 5 }], /^\[0\]\.url: found 5, expected one http or https url/],
		[[{ url: "ftp://a" }], /^\[0\]\.url: found "ftp:\/\/a", expected one http/],
		[[{ url: [U, U] }], /^\[0\]\.url: found a list of 2, expected one .*"urls" with "copy": true/],
		[[{ url: U, urls: [U] }], /^\[0\]\.urls: found a list of 1, expected nothing beside "url"/],
		[[{ urls: [] }], /^\[0\]\.urls: found an empty list, expected a list of at least one url$/],
		[[{ urls: [U, "b"], copy: true }], /^\[0\]\.urls\[1\]: found "b", expected one http or https url/],
		[
			[{ urls: [U, U] }],
			/^\[0\]\.copy: found nothing, expected true: every one of several "urls" gets a copy/,
		],
		[[{ urls: [U, U], copy: false }], /^\[0\]\.copy: found false, expected true/],
		[[{ url: U, copy: "yes" }], /^\[0\]\.copy: found "yes", expected true or false$/],
		[
			[{ url: U, viewModels: "chat" }],
			/^\[0\]\.viewModels: found "chat", expected a list of at least one view-model id/,
		],
		[[{ url: U, viewModels: [] }], /^\[0\]\.viewModels: found an empty list, expected a list/],
		[[{ url: U, vmIds: ["a", ""] }], /^\[0\]\.vmIds\[1\]: found "", expected a list/],
		[
			[{ url: U, vmIds: ["a"], viewModels: ["b"] }],
			/^\[0\]\.vmIds: found a list of 1, expected nothing beside "viewModels"/,
		],
		[
			[{ url: U, vmIds: ["a"], vmIdPattern: "b" }],
			/^\[0\]\.vmIdPattern: found "b", expected nothing beside "vmIds"/,
		],
		[[{ url: U, vmIdPattern: "(" }], /^\[0\]\.vmIdPattern: found "\(", expected a regular expression/],
		[
			[{ url: U, vmIdPattern: "a)|(b" }],
			/^\[0\]\.vmIdPattern: found "a\)\|\(b", expected a regular expression/,
		],
		[
			[{ url: U, vmIdPattern: "a".repeat(201) }],
			/^\[0\]\.vmIdPattern: found "a+… \(203 characters\), expected .* at most 200/,
		],
		[
			[{ url: U, connectionPoolSize: "5" }],
			/^\[0\]\.connectionPoolSize: found "5", expected a whole number from 1 to 1000$/,
		],
		[
			[{ url: U, connectionPoolSize: 1.5 }],
			/^\[0\]\.connectionPoolSize: found 1\.5, expected a whole number/,
		],
		[[{ url: U, connectionPoolSize: 0 }], /^\[0\]\.connectionPoolSize: found 0, expected a whole number/],
		[[{ url: U, useMessagePack: 1 }], /^\[0\]\.useMessagePack: found 1, expected true or false$/],
		[[{ url: U, haltPipeline: null }], /^\[0\]\.haltPipeline: found null, expected true or false$/],
		[[{ url: U, poolSize: 5 }], /^\[0\]\.poolSize: found 5, expected only url, urls, viewModels, vmIds/],
		[
			[{ url: U }, { url: U }],
			/^\[1\]: found an object, expected nothing behind \[0\], which takes every message/,
		],
	];
	for (const [content, expected] of wrong) {
		it(`refuses ${JSON.stringify(content).slice(0, 80)}`, () => {
			const lines = linesOf(content);
			assert.equal(lines.length, 1, lines.join("\n"));
			assert.match(lines[0] ?? "", expected);
		});
	}

	it("names every wrong field of every entry", () => {
		const lines = linesOf([
			{ url: "x", copy: 1, a: 1, b: 2 },
			{ url: U, vmIds: 3 },
		]);
		assert.deepEqual(
			lines.map((line) => line.split(":")[0]).sort(),
			["[0].a", "[0].b", "[0].copy", "[0].url", "[1].vmIds"].sort(),
		);
	});

	it("refuses a file that is not there or is a folder", () => {
		assert.match(
			refusalOf({ PROXY_CONFIG: join(folder, "none.json") }),
			/^PROXY_CONFIG: found .*cannot be read \(ENOENT\)/,
		);
		assert.match(refusalOf({ PROXY_CONFIG: folder }), /cannot be read \(EISDIR\)/);
	});

	it("lets an entry that goes on stand before others", () => {
		assert.equal(chainOf([{ url: U, haltPipeline: false }, { url: U }]).length, 2);
	});

	it("matches a pattern on the whole id, and on no id that is too long", () => {
		const patterns = chainOf([
			{ url: U, vmIdPattern: "a|bc" },
			{ url: U, vmIdPattern: "a*" },
		]).map(({ filter }) => (filter?.kind === "vmIdPattern" ? filter.pattern : assert.fail("no pattern")));
		const [choice = /^/, many = /^/] = patterns;
		assert.deepEqual(
			["a", "bc", "abc", "ab", ""].map((vmId) => matchesPattern(choice, vmId)),
			[true, true, false, false, false],
		);
		assert.deepEqual(
			[256, 257].map((length) => matchesPattern(many, "a".repeat(length))),
			[true, false],
		);
	});

	it("answers any JSON with a chain or ERR_CONFIGURATION", () => {
		fc.assert(
			fc.property(fc.jsonValue(), (value) => {
				try {
					chainOf(JSON.stringify(value));
				} catch (error) {
					assert.ok(error instanceof TrunklineError && error.code === "ERR_CONFIGURATION", String(error));
				}
			}),
			{ numRuns: 50 },
		);
	});
});
