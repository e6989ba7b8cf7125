import type { OutgoingHttpHeaders } from "node:http";
import { TrunklineError } from "../../errors/index.js";
import type { ConnectionRequest } from "../connection.js";

const ALLOWED_METHODS = "POST, GET, DELETE";
const ALLOWED_HEADERS = "x-requested-with, x-signalr-user-agent, authorization, content-type";
const PREFLIGHT_SECONDS = 600;

/** Decides which browser pages may connect. CORS does not cover WebSockets, so upgrades ask here too. */
export class Origins {
	readonly #allowed: ReadonlySet<string> | "*";

	/** @throws TrunklineError `ERR_OPTION` for an entry that is no origin */
	constructor(allowed: readonly string[] | "*" = []) {
		if (allowed !== "*" && !Array.isArray(allowed)) throw badList(allowed);
		this.#allowed = allowed === "*" ? allowed : new Set(allowed.map(checkOrigin));
	}

	/**
	 * True when the request has no `Origin` (then it is no browser's), its origin is the host that was asked for, or it
	 * is on the list. A page of plain http is not the same host as one asked for by https.
	 */
	allows(request: ConnectionRequest): boolean {
		const { origin } = request.headers;
		if (origin === undefined || this.#allowed === "*") return true;
		const parsed = parseOrigin(origin);
		// "null" (a sandboxed frame, a file) has no address; the list can still name it.
		if (parsed === undefined) return this.#allowed.has(origin);
		return this.#allowed.has(parsed.origin) || isSameHost(parsed, request);
	}

	/** CORS headers of an answer: those that let the page read it, or only what caches must know. */
	headers(request: ConnectionRequest): OutgoingHttpHeaders {
		const { origin } = request.headers;
		if (origin === undefined) return {};
		if (!this.allows(request)) return { Vary: "Origin" };
		return {
			"Access-Control-Allow-Origin": origin,
			"Access-Control-Allow-Credentials": "true",
			Vary: "Origin",
		};
	}

	/** Headers that answer a preflight (`OPTIONS`). */
	preflightHeaders(request: ConnectionRequest): OutgoingHttpHeaders {
		const headers = this.headers(request);
		if (headers["Access-Control-Allow-Origin"] === undefined) return headers;
		return {
			...headers,
			"Access-Control-Allow-Methods": ALLOWED_METHODS,
			"Access-Control-Allow-Headers": ALLOWED_HEADERS,
			"Access-Control-Max-Age": PREFLIGHT_SECONDS,
		};
	}
}

function parseOrigin(origin: string): URL | undefined {
	const url = URL.canParse(origin) ? new URL(origin) : undefined;
	return url?.protocol === "http:" || url?.protocol === "https:" ? url : undefined;
}

function isSameHost(origin: URL, request: ConnectionRequest): boolean {
	if (request.secure && origin.protocol !== "https:") return false;
	const asked = `${origin.protocol}//${request.host}`;
	return request.host !== "" && URL.canParse(asked) && new URL(asked).host === origin.host;
}

function badList(found: unknown): TrunklineError {
	return new TrunklineError(
		"ERR_OPTION",
		`Option "allowedOrigins" must be a list of origins, or "*"; found ${JSON.stringify(found)}.`,
	);
}

function checkOrigin(entry: string): string {
	if (entry === "null") return entry;
	const url = parseOrigin(entry);
	if (url && (url.pathname === "/" || url.pathname === "") && url.search === "" && url.hash === "")
		return url.origin;
	throw new TrunklineError(
		"ERR_OPTION",
		`Each entry of option "allowedOrigins" must be an origin like "https://example.com:8443"; found ${JSON.stringify(entry)}.`,
	);
}
