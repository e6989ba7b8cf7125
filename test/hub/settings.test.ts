import assert from "node:assert/strict";
import type { HubOptions } from "../../lib/hub/options.js";
import { resolveHubOptions } from "../../lib/hub/settings.js";

describe("hub/settings", () => {
	it("has ASP.NET Core's defaults", () => {
		const options = resolveHubOptions({});
		assert.deepEqual(
			[
				options.handshakeTimeoutMs,
				options.keepAliveIntervalMs,
				options.clientTimeoutMs,
				options.maxMessageBytes,
			],
			[15_000, 15_000, 30_000, 32_768],
		);
		assert.deepEqual([options.maximumParallelInvocations, options.detailedErrors], [1, false]);
		assert.deepEqual([options.listenerTimeoutMs, options.maxGroupsPerConnection], [10_000, 1_000]);
		assert.match(options.serverId, /^[A-Za-z0-9_-]+$/);
		assert(Object.isFrozen(options));
	});

	it("closes clients whose server is gone, unless it is told otherwise", () => {
		assert.equal(resolveHubOptions({}).recovery, "close");
		assert.equal(resolveHubOptions({ recovery: "reopen" }).recovery, "reopen");
	});

	it("takes null for a message of any size", () => {
		assert.equal(resolveHubOptions({ maxMessageBytes: null }).maxMessageBytes, Number.POSITIVE_INFINITY);
	});

	it("takes console for a log", () => {
		assert.equal(resolveHubOptions({ log: console }).log, console);
	});

	it("refuses a name that no option has, with a hint where one is like it", () => {
		const refuse = (options: object, message: RegExp): void =>
			assert.throws(() => resolveHubOptions(options), { code: "ERR_OPTION", message });
		refuse({ keepAliveInterval: 5 }, /"keepAliveInterval": did you mean "keepAliveIntervalMs"\?/);
		refuse({ authentication: () => undefined }, /did you mean "authenticate"\?/);
		refuse({ method: {} }, /did you mean "methods"\?/);
		refuse({ cors: true }, /A hub has no option "cors": docs\/hubs\.md#options/);
		resolveHubOptions({ cors: undefined } as HubOptions);
	});

	it("refuses what is of another type, where it would show at the first client or never", () => {
		const bad: Record<string, unknown> = {
			...{ route: "x", authenticate: {}, authorize: true, redirect: "/other", log: "info" },
			...{ detailedErrors: "false", closeOnAuthenticationExpiration: 1, allowStatefulReconnects: "yes" },
			...{ allowedOrigins: "https://app.example", trustProxy: "127.0.0.1" },
		};
		for (const [name, value] of Object.entries(bad)) {
			assert.throws(() => resolveHubOptions({ [name]: value } as HubOptions), {
				code: "ERR_OPTION",
				message: new RegExp(`"${name}" must be .*; found `),
			});
		}
	});

	it("refuses what makes no sense, by name", () => {
		const bad: HubOptions[] = [
			{ handshakeTimeoutMs: 0 },
			{ keepAliveIntervalMs: -1 },
			{ clientTimeoutMs: Number.NaN },
			{ listenerTimeoutMs: 2 ** 31 },
			{ maxMessageBytes: 0 },
			{ maximumParallelInvocations: 0.5 },
			{ maxGroupsPerConnection: -1 },
			{ maxBufferedBytes: 0 },
			{ maxConnections: Number.NaN },
			{ tokenSecrets: ["too short"] },
			{ tokenSecrets: [] },
			{ serverId: "a.b" },
			{ serverId: "" },
			{ recovery: "sometimes" as "close" },
		];
		for (const options of bad) {
			const [name] = Object.keys(options);
			assert.throws(() => resolveHubOptions(options), {
				code: "ERR_OPTION",
				message: new RegExp(`"${name}"`),
			});
		}
	});
});
