import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { BlockList, isIP, isIPv4, SocketAddress } from "node:net";
import { TrunklineError } from "../../errors/index.js";
import type { ConnectionRequest } from "../connection.js";
import { type ClientCertificate, certificateOf } from "./client-certificate.js";

/**
 * Which peers' forwarding headers (`X-Forwarded-For`, `-Proto`, `-Host`) are believed; Express's meaning.
 * `false`: nobody's. A number: that many hops from the socket on. A list: addresses, CIDR ranges, or the names
 * `loopback`, `linklocal`, `uniquelocal`. A function: asked for each address, `hop` 0 being the socket's own.
 * `true` believes everything, so that any client can name any address: only behind a proxy that overwrites the headers.
 */
export type TrustProxy = boolean | number | readonly string[] | ((address: string, hop: number) => boolean);

/** Whether the forwarding headers that `address` wrote are believed. */
export type Trust = (address: string, hop: number) => boolean;

/** What {@link resolveClientAddress} looks at. */
export interface AddressFacts {
	/** The address of the socket's other end; empty for a socket that has none (a Unix socket). */
	readonly remoteAddress: string;
	/** True when the socket itself is TLS. */
	readonly encrypted: boolean;
	readonly forwardedFor?: string | undefined;
	readonly forwardedProto?: string | undefined;
	readonly forwardedHost?: string | undefined;
	/** The `Host` header (`:authority` in HTTP/2). */
	readonly host?: string | undefined;
}

/** Where a request came from, as far as it can be believed. */
export type ClientAddress = Pick<ConnectionRequest, "ip" | "ips" | "protocol" | "secure" | "host">;

const NAMED_RANGES: Readonly<Record<string, readonly string[]>> = {
	loopback: ["127.0.0.1/8", "::1/128"],
	linklocal: ["169.254.0.0/16", "fe80::/10"],
	uniquelocal: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};
/** Most clients come without a proxy: one list serves them all. */
const NONE: readonly string[] = Object.freeze([]);
const HOST = /^(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;
const WITH_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d{1,5})?$/;

/** `address` in its one canonical spelling, IPv4-mapped IPv6 as IPv4; undefined when it is not an IP address. */
export function normalizeAddress(address: string): string | undefined {
	if (isIPv4(address)) return address;
	const bare = address.split("%", 1)[0] ?? "";
	if (isIP(bare) !== 6) return undefined;
	const canonical = new SocketAddress({ address: bare, family: "ipv6" }).address;
	return canonical.startsWith("::ffff:") && canonical.includes(".") ? canonical.slice(7) : canonical;
}

/** Compiles the option `trustProxy`. @throws TrunklineError `ERR_OPTION` for a range or count that makes no sense. */
export function compileTrust(option: TrustProxy | undefined): Trust {
	if (option === undefined || option === false) return () => false;
	if (option === true) return () => true;
	if (typeof option === "function") return option;
	if (typeof option === "number") {
		if (!Number.isSafeInteger(option) || option < 0) throw badTrust(String(option));
		return (_address, hop) => hop < option;
	}
	if (!Array.isArray(option)) throw badTrust(String(option));
	return trustRanges(option);
}

function trustRanges(ranges: readonly string[]): Trust {
	const list = new BlockList();
	for (const range of ranges.flatMap((name) => NAMED_RANGES[name] ?? [name])) addRange(list, range);
	return (address) => {
		const family = isIP(address);
		return family !== 0 && list.check(address, family === 4 ? "ipv4" : "ipv6");
	};
}

function addRange(list: BlockList, range: string): void {
	const [address = "", bits, ...rest] = range.split("/");
	const family = isIP(address) === 4 ? "ipv4" : "ipv6";
	const most = family === "ipv4" ? 32 : 128;
	const prefix = bits === undefined ? most : Number(bits);
	const isWhole = bits === undefined || /^\d{1,3}$/.test(bits);
	if (isIP(address) === 0 || rest.length > 0 || !isWhole || prefix > most) throw badTrust(range);
	list.addSubnet(address, prefix, family);
}

function badTrust(found: string): TrunklineError {
	const expected = "false, true, a count of hops, a list of addresses and CIDR ranges, or a function";
	return new TrunklineError("ERR_OPTION", `Option "trustProxy" must be ${expected}; found "${found}".`);
}

/**
 * Finds the client behind trusted proxies. The addresses are walked from the socket outwards (`X-Forwarded-For` from
 * right to left) for as long as `trust` holds; the first one that is not trusted is the client. What stands further
 * left was written by somebody unknown and is never looked at; an entry that is no address ends the walk before it.
 * Proto and Host are believed only from a trusted socket, and only the value that the outermost trusted proxy wrote.
 */
export function resolveClientAddress(facts: AddressFacts, trust: Trust): ClientAddress {
	const socketAddress = normalizeAddress(facts.remoteAddress) ?? facts.remoteAddress;
	const isTrusted = trust(socketAddress, 0);
	const walked = isTrusted ? walk(socketAddress, facts.forwardedFor, trust) : [socketAddress];
	const proxies = isTrusted ? Math.max(1, walked.length - 1) : 0;
	const protocol = forwardedProtocol(facts.forwardedProto, proxies) ?? (facts.encrypted ? "https" : "http");
	return {
		ip: walked.at(-1) ?? "",
		ips: walked.length > 1 ? walked.slice(1).reverse() : NONE,
		protocol,
		secure: protocol === "https",
		host: forwardedHost(facts.forwardedHost, proxies) ?? facts.host ?? "",
	};
}

/** The socket's address and what the header adds to it, nearest first. */
function walk(socketAddress: string, forwardedFor: string | undefined, trust: Trust): string[] {
	const walked = [socketAddress];
	const entries = forwardedFor === undefined ? [] : forwardedFor.split(",");
	for (let at = entries.length - 1; at >= 0; at--) {
		const address = entryAddress(entries[at] ?? "");
		if (address === undefined) break;
		walked.push(address);
		if (!trust(address, walked.length - 1)) break;
	}
	return walked;
}

function entryAddress(entry: string): string | undefined {
	const text = entry.trim();
	const ported = WITH_PORT.exec(text);
	return normalizeAddress(ported?.[1] ?? ported?.[2] ?? text);
}

function forwardedProtocol(header: string | undefined, proxies: number): "http" | "https" | undefined {
	switch (outermost(header, proxies)?.toLowerCase()) {
		case "https":
		case "wss": // Some proxies name the scheme of the upgrade.
			return "https";
		case "http":
		case "ws":
			return "http";
		default:
			return undefined;
	}
}

function forwardedHost(header: string | undefined, proxies: number): string | undefined {
	const host = outermost(header, proxies);
	return host !== undefined && HOST.test(host) ? host : undefined;
}

/** A proxy appends to a list or replaces it: of `proxies` trusted ones, the outermost wrote at that place or nearer. */
function outermost(header: string | undefined, proxies: number): string | undefined {
	if (header === undefined || proxies === 0) return undefined;
	const values = header.split(",");
	return values[Math.max(0, values.length - proxies)]?.trim();
}

/** Path and query of a request target; the absolute form (`GET http://host/path`) is reduced to its path. */
export function splitUrl(url: string): { readonly path: string; readonly query: string } {
	const target = url.startsWith("/") ? url : url.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/, "");
	const mark = target.indexOf("?");
	return mark < 0
		? { path: target, query: "" }
		: { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/** The query of a request target. */
export function parseQuery(url: string): URLSearchParams {
	return new URLSearchParams(splitUrl(url).query);
}

/** The first value of a query parameter; its name is compared without regard to case, as ASP.NET Core does. */
export function queryValue(query: URLSearchParams, name: string): string | undefined {
	const exact = query.get(name);
	if (exact !== null) return exact;
	const wanted = name.toLowerCase();
	for (const [key, value] of query) if (key.toLowerCase() === wanted) return value;
	return undefined;
}

function headerText(value: string | string[] | undefined): string | undefined {
	return Array.isArray(value) ? value.join(",") : value;
}

/**
 * What an HTTP request or an upgrade tells of its client: the same for both, since upgrades pass no HTTP framework. A
 * connection keeps it for its whole life, and its query is read seldom: so that is made when it is.
 */
class DescribedRequest implements ConnectionRequest {
	readonly method: string;
	readonly url: string;
	readonly path: string;
	readonly headers: IncomingHttpHeaders;
	readonly remoteAddress: string;
	readonly remotePort: number;
	readonly localAddress: string;
	readonly localPort: number;
	readonly ip: string;
	readonly ips: readonly string[];
	readonly protocol: "http" | "https";
	readonly secure: boolean;
	readonly host: string;
	readonly certificate: ClientCertificate | undefined;
	#query: URLSearchParams | undefined;

	constructor(req: IncomingMessage, trust: Trust) {
		const { socket, headers, url = "/" } = req;
		const remoteAddress = socket.remoteAddress ?? "";
		const address = resolveClientAddress(factsOf(req, remoteAddress), trust);
		this.method = req.method ?? "GET";
		this.url = url;
		this.path = splitUrl(url).path;
		this.headers = headers;
		this.remoteAddress = normalizeAddress(remoteAddress) ?? remoteAddress;
		this.remotePort = socket.remotePort ?? 0;
		this.localAddress = socket.localAddress ?? "";
		this.localPort = socket.localPort ?? 0;
		this.ip = address.ip;
		this.ips = address.ips;
		this.protocol = address.protocol;
		this.secure = address.secure;
		this.host = address.host;
		this.certificate = certificateOf(socket);
	}

	get query(): URLSearchParams {
		this.#query ??= parseQuery(this.url);
		return this.#query;
	}
}

function factsOf({ socket, headers }: IncomingMessage, remoteAddress: string): AddressFacts {
	return {
		remoteAddress,
		encrypted: "encrypted" in socket && socket.encrypted === true,
		forwardedFor: headerText(headers["x-forwarded-for"]),
		forwardedProto: headerText(headers["x-forwarded-proto"]),
		forwardedHost: headerText(headers["x-forwarded-host"]),
		host: headers.host ?? headerText(headers[":authority"]),
	};
}

/** Describes a request by its headers and its socket. */
export function describeRequest(req: IncomingMessage, trust: Trust): ConnectionRequest {
	return new DescribedRequest(req, trust);
}
