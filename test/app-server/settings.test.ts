import assert from "node:assert/strict";
import { readSettings } from "../../app-server/settings.js";

type Environment = Readonly<Record<string, string>>;

describe("app-server/settings", () => {
	it("has a default for everything", () => {
		assert.deepEqual(readSettings({}), {
			port: 5001,
			host: "127.0.0.1",
			hubPath: "/dotnetify",
			linkSecrets: [],
			linkNames: undefined,
			tls: undefined,
			linkTrusted: [],
			trustProxy: false,
			allowedOrigins: [],
			logLevel: "info",
			serverId: undefined,
			tokenSecrets: undefined,
			drainMs: 0,
		});
	});

	it("takes an empty variable for an absent one", () => {
		assert.deepEqual(readSettings({ PORT: "", LINK_SECRET: " ", ALLOWED_ORIGINS: "" }), readSettings({}));
	});

	const right: readonly [Environment, object][] = [
		[{ PORT: "0" }, { port: 0 }],
		[{ HOST: "::1" }, { host: "::1" }],
		[{ HUB_PATH: "/hubs/main" }, { hubPath: "/hubs/main" }],
		[
			{ LINK_SECRET: "first-secret-of-link, second-secret-of-link" },
			{ linkSecrets: ["first-secret-of-link", "second-secret-of-link"] },
		],
		[
			{ LINK_TRUSTED: "10.0.0.0/8,fd00::/8,192.0.2.7" },
			{ linkTrusted: ["10.0.0.0/8", "fd00::/8", "192.0.2.7"] },
		],
		[{ TRUST_PROXY: "2" }, { trustProxy: 2 }],
		[{ TRUST_PROXY: "loopback, 10.0.0.0/8" }, { trustProxy: ["loopback", "10.0.0.0/8"] }],
		[
			{ ALLOWED_ORIGINS: "https://a.example,http://b.example:8080" },
			{ allowedOrigins: ["https://a.example", "http://b.example:8080"] },
		],
		[{ LOG_LEVEL: "debug" }, { logLevel: "debug" }],
		[{ DRAIN_MS: "3000" }, { drainMs: 3000 }],
		[{ SERVER_ID: "app-1" }, { serverId: "app-1" }],
		[{ TOKEN_SECRET: "a-secret-for-the-tokens" }, { tokenSecrets: ["a-secret-for-the-tokens"] }],
	];
	for (const [env, expected] of right) {
		it(`reads ${JSON.stringify(env)}`, () => {
			const settings = readSettings(env);
			assert.deepEqual({ ...settings, ...expected }, settings);
		});
	}

	it("makes token keys of the link secrets when there is no token secret", () => {
		const { tokenSecrets } = readSettings({ LINK_SECRET: "secret-of-the-links,second-of-the-links" });
		assert.equal(new Set(tokenSecrets).size, 2);
		assert.ok(tokenSecrets?.every((key) => /^[\w-]{43}$/.test(key)));
	});

	const wrong: readonly [Environment, string][] = [
		[{ PORT: "abc" }, 'PORT: found "abc", expected a whole number from 0 to 65535'],
		[{ PORT: "65536" }, 'PORT: found "65536", expected a whole number from 0 to 65535'],
		[{ PORT: "-1" }, 'PORT: found "-1", expected a whole number from 0 to 65535'],
		[{ PORT: "5001.5" }, 'PORT: found "5001.5", expected a whole number from 0 to 65535'],
		[{ HOST: "a b" }, 'HOST: found "a b", expected a host name or an address'],
		[
			{ HUB_PATH: "hub" },
			'HUB_PATH: found "hub", expected a path such as /dotnetify, without a / at its end',
		],
		[
			{ HUB_PATH: "/hub/" },
			'HUB_PATH: found "/hub/", expected a path such as /dotnetify, without a / at its end',
		],
		[
			{ HUB_PATH: '/">' },
			'HUB_PATH: found "/\\">", expected a path such as /dotnetify, without a / at its end',
		],
		...["10.0.0.0/33", "example.com", "10.0.0.0/8/8", "10.0.0.0/", "loopback"].map(
			(found): [Environment, string] => [
				{ LINK_TRUSTED: found },
				`LINK_TRUSTED: found "${found}", expected addresses or networks such as 10.0.3.0/24, 192.0.2.7`,
			],
		),
		...["true", "-1", "100", "10.0.0.0/8,here"].map((found): [Environment, string] => [
			{ TRUST_PROXY: found },
			`TRUST_PROXY: found "${found}", expected the number of proxies in front, or their networks such as 10.0.0.0/8, 127.0.0.1`,
		]),
		...["example.com", "https://example.com/path", "ftp://example.com", "*"].map(
			(found): [Environment, string] => [
				{ ALLOWED_ORIGINS: found },
				`ALLOWED_ORIGINS: found "${found}", expected origins such as https://example.org, https://www.example.org:8443`,
			],
		),
		[
			{ LOG_LEVEL: "loud" },
			'LOG_LEVEL: found "loud", expected one of trace, debug, info, warn, error, fatal, silent',
		],
		[{ SERVER_ID: "a.b" }, 'SERVER_ID: found "a.b", expected 1 to 32 letters, digits, - or _'],
		[{ DRAIN_MS: "1s" }, 'DRAIN_MS: found "1s", expected a whole number from 0 to 600000'],
		[
			{ SERVER_ID: "x".repeat(1000) },
			`SERVER_ID: found "${"x".repeat(60)}"… (1000 characters), expected 1 to 32 letters, digits, - or _`,
		],
	];
	for (const [env, message] of wrong) {
		it(`refuses ${JSON.stringify(env)} in one line`, () => {
			assert.throws(() => readSettings(env), { name: "TrunklineError", code: "ERR_CONFIGURATION", message });
		});
	}

	for (const name of ["LINK_SECRET", "TOKEN_SECRET"]) {
		it(`refuses a short, empty or third ${name} and does not repeat it`, () => {
			const long = "x".repeat(20);
			for (const value of ["hunter2", `${long},`, `${long},${long},${long}`]) {
				assert.throws(
					() => readSettings({ [name]: value }),
					(error: Error) =>
						error.message.startsWith(`${name}: found a value that is not shown, expected a secret`) &&
						!error.message.includes(value),
				);
			}
		});
	}

	it("names the first wrong variable only", () => {
		assert.throws(() => readSettings({ PORT: "x", LOG_LEVEL: "y" }), { message: /^PORT: [^\n]*$/ });
	});
});
