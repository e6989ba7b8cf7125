import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolveAcceptLinksOptions } from "../../lib/forwarding/app-end/accept-options.js";
import {
	acceptLinks,
	forViewModels,
	forVmIds,
	useForwarding as forwardTo,
	replicas,
} from "../../lib/forwarding/index.js";
import { resolveForwardingOptions } from "../../lib/forwarding/proxy-end/options.js";
import type { InvocationContext } from "../../lib/hub/index.js";

const callOf = (vmId: string | undefined): InvocationContext => ({ vmId }) as unknown as InvocationContext;

/** The options of a table in docs/forwarding.md. */
function documented(title: string): string[] {
	const page = readFileSync("docs/forwarding.md", "utf8");
	const [, section = ""] = page.split(`\n## \`${title}`);
	const [table = ""] = section.split("\n## ");
	return Array.from(table.matchAll(/^\| `(\w+)` \|/gm), ([, name = ""]) => name).sort();
}

describe("forwarding/options", () => {
	it("has every option in docs/forwarding.md, and no other", () => {
		const resolvedAs: Record<string, string> = { trusts: "trusted", isEager: "open" };
		const internal = ["nativeLinks", "hasFilter"];
		const namesOf = (resolved: object): string[] =>
			Object.keys(resolved)
				.filter((name) => !internal.includes(name))
				.map((name) => resolvedAs[name] ?? name)
				.sort();
		assert.deepEqual(documented("useForwarding"), namesOf(resolveForwardingOptions({})));
		assert.deepEqual(documented("acceptLinks"), namesOf(resolveAcceptLinksOptions({})));
		const { pick, maxDelayMs, refreshMs } = replicas(["http://app"]);
		assert.deepEqual(documented("replicas"), Object.keys({ maxDelayMs, pick, refreshMs }));
	});

	it("refuses what nobody would notice to be wrong", () => {
		const refused: readonly (readonly [() => unknown, RegExp])[] = [
			[
				() => resolveForwardingOptions({ secrets: "x" } as object),
				/no option "secrets": did you mean "secret"/,
			],
			[
				() => resolveForwardingOptions({ haltPipeline: "false" } as object),
				/"haltPipeline" must be true or false/,
			],
			[() => resolveForwardingOptions({ filter: true } as object), /"filter" must be a function/],
			[
				() => resolveAcceptLinksOptions({ trust: ["10.0.0.0/8"] } as object),
				/no option "trust": did you mean "trusted"/,
			],
			[
				() => replicas(["http://app"], { pick: "roundrobin" } as object),
				/"pick" must be one of rendezvous, round-robin/,
			],
			[
				() => replicas(["http://app"], { refresh: 1 } as object),
				/no option "refresh": did you mean "refreshMs"/,
			],
		];
		for (const [resolve, message] of refused) assert.throws(resolve, { code: "ERR_OPTION", message });
		assert.equal(typeof replicas(["http://app"], { pick: (_key, [first]) => first }).pick, "function");
	});

	it("has dotNetify's defaults, and limits as documented", () => {
		const { filter, ...rest } = resolveForwardingOptions({});
		assert.equal(filter(callOf("anything")), true);
		assert.deepEqual(rest, {
			...{
				connectionPoolSize: 5,
				useMessagePack: false,
				haltPipeline: true,
				secret: undefined,
				tls: undefined,
				ordered: true,
			},
			...{ maxQueuedPerClient: 1_000, maxQueued: 10_000, maxQueuedBytes: 67_108_864, maxWaitMs: 30_000 },
			...{ maxLinkMessageBytes: 1_048_576, maxUnconfirmedPerClient: 100, maxUnconfirmedBytes: 67_108_864 },
			...{ maxUnconfirmedBytesPerClient: 262_144, maxRetainedBytes: 67_108_864 },
			...{ reconnect: {}, flushTimeoutMs: 2_000, sessionTimeoutMs: 15_000 },
			...{ isEager: true, nativeLinks: true, windowBytes: 8_388_608, windowShareBytes: 16_384 },
		});
	});

	it("has the documented defaults of acceptLinks", () => {
		const { trusts, certificates, ...rest } = resolveAcceptLinksOptions({});
		assert.equal(certificates.isUsed, false);
		assert.equal(trusts("127.0.0.1"), false);
		assert.deepEqual(rest, {
			...{
				secrets: [],
				maxLinkMessageBytes: 1_048_576,
				maxLinkBufferedBytes: 67_108_864,
				proxyGraceMs: 15_000,
			},
			...{ maxInbox: 1_000, maxInboxTotal: 100_000, maxHeldMessages: 10_000 },
			...{ maxWaitingPerClient: 64, maxWaitingBytesPerClient: 262_144, maxClientsPerProxy: 200_000 },
			...{ flushTimeoutMs: 2_000, nativeLinks: true, windowBytes: 8_388_608 },
		});
	});

	it("tells an app server of all clients at once, and with a filter of those that call it", () => {
		const filter = (): boolean => true;
		for (const [options, isEager] of [
			[{}, true],
			[{ filter }, false],
			[{ filter, open: "eager" }, true],
			[{ open: "lazy" }, false],
		] as const)
			assert.equal(resolveForwardingOptions(options).isEager, isEager);
		const open = "early" as "eager";
		assert.throws(() => resolveForwardingOptions({ open }), {
			code: "ERR_OPTION",
			message: /"open".*"early"/,
		});
	});

	it("trusts exactly the addresses of its ranges, IPv4 in IPv6 included", () => {
		const { trusts } = resolveAcceptLinksOptions({ trusted: ["10.0.3.0/24", "192.0.2.1", "2001:db8::/32"] });
		for (const address of ["10.0.3.0", "10.0.3.255", "::ffff:10.0.3.7", "192.0.2.1", "2001:db8::1"])
			assert.ok(trusts(address), address);
		for (const address of [
			"10.0.4.0",
			"192.0.2.2",
			"2001:db9::1",
			"",
			"10.0.3.7, 10.0.3.8",
			"example.com",
			"fe80::1%eth0",
		])
			assert.ok(!trusts(address), address);
	});

	for (const options of [
		{ connectionPoolSize: 0 },
		{ connectionPoolSize: 1.5 },
		{ maxQueued: -1 },
		{ maxQueuedPerClient: 0 },
		{ maxQueuedBytes: Number.NaN },
		{ maxWaitMs: 0 },
		{ maxLinkMessageBytes: 0 },
		{ maxUnconfirmedPerClient: 0 },
		{ maxUnconfirmedBytes: 0 },
		{ flushTimeoutMs: -1 },
		{ sessionTimeoutMs: 0 },
		{ secret: "" },
		{ secret: "short" },
	]) {
		it(`refuses ${JSON.stringify(options)} with the option's name`, () => {
			assert.throws(
				() => forwardTo("http://app", options),
				(error: Error & { code: string }) => {
					return error.code === "ERR_OPTION" && error.message.includes(Object.keys(options)[0] as string);
				},
			);
		});
	}

	for (const url of ["", "app:5001", "/dotnetify", "ftp://app", [], ["http://app", "nonsense"]]) {
		it(`refuses the url ${JSON.stringify(url)}`, () => {
			assert.throws(() => forwardTo(url), { code: "ERR_OPTION" });
		});
	}

	it("says what is missing where nothing is given", () => {
		const bare = (call: unknown) => (call as () => unknown)();
		assert.throws(() => bare(forwardTo), { code: "ERR_OPTION", message: /needs one url at least/ });
		assert.throws(() => bare(acceptLinks), { code: "ERR_OPTION", message: /acceptLinks needs secrets/ });
	});

	it("has filters by exact id and by the type of the root", () => {
		const exact = forVmIds("chatroom", "a.b");
		const root = forViewModels("chatroom");
		const taken = (filter: typeof exact): string[] =>
			["chatroom", "chatroom.List", "chatroom$7", "chatroom$7.List", "chatrooms", "a.b", "x.chatroom"].filter(
				(vmId) => filter(callOf(vmId)),
			);
		assert.deepEqual(taken(exact), ["chatroom", "a.b"]);
		assert.deepEqual(taken(root), ["chatroom", "chatroom.List", "chatroom$7", "chatroom$7.List"]);
		for (const filter of [exact, root]) assert.equal(filter(callOf(undefined)), false);
	});
});
