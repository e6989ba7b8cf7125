import { BlockList, isIP } from "node:net";
import { booleanOption, countOption, durationOption, refuseUnknown } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import { DEFAULT_MAX_LINK_MESSAGE_BYTES, secretOption } from "../link-terms.js";
import { DEFAULT_WINDOW_BYTES } from "../session/index.js";
import { type CertificateNames, ProxyCertificates } from "./proxy-certificates.js";

/** How long the clients of a proxy without any link are kept, in milliseconds. */
export const DEFAULT_PROXY_GRACE_MS = 15_000;
/** Messages of one forwarded client that wait for their turn. */
export const DEFAULT_MAX_INBOX = 1_000;
/** Messages of all forwarded clients that wait for their turn. */
export const DEFAULT_MAX_INBOX_TOTAL = 100_000;
/** Messages for a proxy that wait for a link to it. */
export const DEFAULT_MAX_HELD_MESSAGES = 10_000;
/** Bytes that may wait in a link's socket. */
export const DEFAULT_MAX_LINK_BUFFERED_BYTES: number = 64 * 1024 * 1024;

/** Messages of one client of a native link that wait for their turn before its proxy reads no more of it. */
export const DEFAULT_MAX_WAITING_PER_CLIENT = 64;
/** Bytes of one client of a native link that wait for their turn before its proxy reads no more of it. */
export const DEFAULT_MAX_WAITING_BYTES_PER_CLIENT: number = 256 * 1024;
/** Clients that one proxy may have here. */
export const DEFAULT_MAX_CLIENTS_PER_PROXY = 200_000;
/** How long closing waits for proxies to take what is on its way to them, in milliseconds. */
export const DEFAULT_LINK_FLUSH_TIMEOUT_MS = 2_000;

/** Settings of `acceptLinks`. Without a secret, a name of a certificate or a trusted range no link is ever taken. */
export interface AcceptLinksOptions {
	/** Secrets that proxies prove; two while one replaces the other. @defaultValue none */
	readonly secrets?: readonly (string | undefined)[] | undefined;
	/**
	 * Names of proxies' certificates, which the TLS server asks for (`requestCert`) and verifies (`ca`): their alternative
	 * names (DNS or URI), or the common name of one that has none of any kind; no wildcards. `"any"`: whatever the server
	 * verifies, for a CA that signs nothing but proxies. @defaultValue none
	 */
	readonly certificates?: CertificateNames | undefined;
	/**
	 * Address ranges of proxies that cannot prove a secret (ASP.NET Core's), as CIDRs of the socket's own address. Never
	 * a range that holds a load balancer, or loopback behind a local reverse proxy: every browser comes from there.
	 * @defaultValue none
	 */
	readonly trusted?: readonly string[] | undefined;
	/** Largest message on a link. @defaultValue 1_048_576 bytes */
	readonly maxLinkMessageBytes?: number | undefined;
	/**
	 * Bytes that may wait for a proxy that reads slowly before its link is ended, and for one that has no link at the
	 * moment before more are refused. @defaultValue 67_108_864 bytes
	 */
	readonly maxLinkBufferedBytes?: number | undefined;
	/** Messages of one client that wait for their turn before its proxy reads no more of it (native links). @defaultValue 64 */
	readonly maxWaitingPerClient?: number | undefined;
	/** Bytes of one client that wait for their turn before its proxy reads no more of it (native links). @defaultValue 262_144 bytes */
	readonly maxWaitingBytesPerClient?: number | undefined;
	/**
	 * Bytes that may be on their way between one proxy and this app server, in each direction, and not handed on at the
	 * other end (native links); the proxy may allow less. Beyond, clients of the proxy take turns, calls wait to be started,
	 * and state is left out. @defaultValue 8_388_608 bytes
	 */
	readonly windowBytes?: number | undefined;
	/** Clients that one proxy may have here; those beyond are refused, and may come back (native links). @defaultValue 200_000 */
	readonly maxClientsPerProxy?: number | undefined;
	/** How long closing waits for proxies to take what is on its way to them (native links). @defaultValue 2_000 ms */
	readonly flushTimeoutMs?: number | undefined;
	/** How long the clients of a proxy are kept that has no link any more. @defaultValue 15_000 ms */
	readonly proxyGraceMs?: number | undefined;
	/** Messages of one forwarded client that wait for their turn; more are refused. @defaultValue 1_000 */
	readonly maxInbox?: number | undefined;
	/** Messages of all forwarded clients that wait for their turn; more are refused. @defaultValue 100_000 */
	readonly maxInboxTotal?: number | undefined;
	/** Messages for a proxy that wait for one of its links to come back. @defaultValue 10_000 */
	readonly maxHeldMessages?: number | undefined;
	/** False for an app server as dotNetify's, that knows no native link; for tests. @internal */
	readonly nativeLinks?: boolean | undefined;
}

/** {@link AcceptLinksOptions} with every default applied. */
export interface ResolvedAcceptLinksOptions {
	readonly secrets: readonly string[];
	readonly certificates: ProxyCertificates;
	readonly trusts: (address: string) => boolean;
	readonly maxLinkMessageBytes: number;
	readonly maxLinkBufferedBytes: number;
	readonly proxyGraceMs: number;
	readonly maxInbox: number;
	readonly maxInboxTotal: number;
	readonly maxHeldMessages: number;
	readonly nativeLinks: boolean;
	readonly maxWaitingPerClient: number;
	readonly maxWaitingBytesPerClient: number;
	readonly windowBytes: number;
	readonly maxClientsPerProxy: number;
	readonly flushTimeoutMs: number;
}

/** Checks the options and applies the defaults. @throws TrunklineError ERR_OPTION */
export function resolveAcceptLinksOptions(options: AcceptLinksOptions): ResolvedAcceptLinksOptions {
	const { trusts, ...resolved } = resolve(options);
	const known = [...Object.keys(resolved), "trusted"];
	refuseUnknown(options, known, { owner: "acceptLinks", help: "docs/forwarding.md has them all." });
	return Object.freeze({ ...resolved, trusts });
}

function resolve(options: AcceptLinksOptions): ResolvedAcceptLinksOptions {
	return {
		secrets: (options.secrets ?? []).map(checkSecret),
		certificates: new ProxyCertificates(options.certificates),
		trusts: compileRanges(options.trusted ?? []),
		maxLinkMessageBytes: countOption(
			"maxLinkMessageBytes",
			options.maxLinkMessageBytes,
			DEFAULT_MAX_LINK_MESSAGE_BYTES,
		),
		maxLinkBufferedBytes: countOption(
			"maxLinkBufferedBytes",
			options.maxLinkBufferedBytes,
			DEFAULT_MAX_LINK_BUFFERED_BYTES,
		),
		proxyGraceMs: durationOption("proxyGraceMs", options.proxyGraceMs, DEFAULT_PROXY_GRACE_MS),
		maxInbox: countOption("maxInbox", options.maxInbox, DEFAULT_MAX_INBOX),
		maxInboxTotal: countOption("maxInboxTotal", options.maxInboxTotal, DEFAULT_MAX_INBOX_TOTAL),
		maxHeldMessages: countOption("maxHeldMessages", options.maxHeldMessages, DEFAULT_MAX_HELD_MESSAGES),
		nativeLinks: booleanOption("nativeLinks", options.nativeLinks, true),
		...resolveNative(options),
	};
}

type Native = Pick<
	ResolvedAcceptLinksOptions,
	"maxWaitingPerClient" | "maxWaitingBytesPerClient" | "windowBytes" | "maxClientsPerProxy" | "flushTimeoutMs"
>;

function resolveNative(options: AcceptLinksOptions): Native {
	const { maxWaitingPerClient, maxWaitingBytesPerClient, maxClientsPerProxy, flushTimeoutMs } = options;
	return {
		maxWaitingPerClient: countOption(
			"maxWaitingPerClient",
			maxWaitingPerClient,
			DEFAULT_MAX_WAITING_PER_CLIENT,
		),
		maxWaitingBytesPerClient: countOption(
			"maxWaitingBytesPerClient",
			maxWaitingBytesPerClient,
			DEFAULT_MAX_WAITING_BYTES_PER_CLIENT,
		),
		windowBytes: countOption("windowBytes", options.windowBytes, DEFAULT_WINDOW_BYTES),
		maxClientsPerProxy: countOption("maxClientsPerProxy", maxClientsPerProxy, DEFAULT_MAX_CLIENTS_PER_PROXY),
		flushTimeoutMs: durationOption("flushTimeoutMs", flushTimeoutMs, DEFAULT_LINK_FLUSH_TIMEOUT_MS),
	};
}

function checkSecret(secret: string | undefined, at: number): string {
	if (secret !== undefined) return secretOption(`secrets[${at}]`, secret);
	throw new TrunklineError(
		"ERR_OPTION",
		`Option "secrets[${at}]" is undefined: is the environment variable set that it comes from?`,
	);
}

function compileRanges(ranges: readonly string[]): (address: string) => boolean {
	const list = new BlockList();
	for (const range of ranges) addRange(list, range);
	return (address) => {
		const family = isIP(address);
		return family !== 0 && list.check(address, family === 6 ? "ipv6" : "ipv4");
	};
}

function addRange(list: BlockList, range: string): void {
	const [address = "", length, ...rest] = range.trim().split("/");
	const family = isIP(address);
	const bits = family === 6 ? 128 : 32;
	const prefix = length === undefined ? bits : Number(length);
	if (family === 0 || rest.length > 0 || !/^\d*$/.test(length ?? "") || !(prefix <= bits)) {
		throw new TrunklineError(
			"ERR_OPTION",
			`Option "trusted" must hold addresses or CIDR ranges such as 10.0.3.0/24; found ${JSON.stringify(range)}.`,
		);
	}
	list.addSubnet(address, prefix, family === 6 ? "ipv6" : "ipv4");
}
