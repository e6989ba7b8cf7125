import type { IncomingHttpHeaders } from "node:http";
import type { ConnectionRequest } from "../../hub/index.js";
import { receivedHeaders } from "../client-context.js";
import { ownText, sharedText } from "./own-text.js";

/** The client's HTTP request, as its proxy saw it. */
export interface OpenRequest {
	readonly url: string;
	readonly headers: Readonly<Record<string, readonly string[]>>;
	readonly ip: string;
	readonly ips: readonly string[];
	readonly remotePort: number;
	readonly localAddress: string;
	readonly localPort: number;
	readonly secure: boolean;
	readonly host: string;
}

/** All of it but the headers. */
type Facts = readonly [
	url: string,
	ip: string,
	ips: readonly string[],
	remotePort: number,
	localAddress: string,
	localPort: number,
	secure: boolean,
	host: string,
];

/** What is read of it, for as long as somebody uses it. */
type Read = Omit<ConnectionRequest, "method" | "protocol" | "remoteAddress">;

/**
 * A forwarded client's request as the app server's hub shows it: the client's, not the link's. A server holds many clients
 * whose request nobody looks at again, so it is kept as text, and read when it is asked for; what was read stays until the
 * collector finds that nobody has used it. Headers are often the same for many clients, and are kept once then.
 */
export class OpenedRequest implements ConnectionRequest {
	readonly #facts: string;
	readonly #headers: string;
	#read: WeakRef<Read> | undefined;

	constructor({ url, ip, ips, remotePort, localAddress, localPort, secure, host, headers }: OpenRequest) {
		const facts: Facts = [url, ip, ips, remotePort, localAddress, localPort, secure, host];
		this.#facts = ownText(JSON.stringify(facts));
		this.#headers = sharedText(JSON.stringify(headers));
	}

	get method(): string {
		return "GET";
	}

	get url(): string {
		return this.#whole.url;
	}

	get path(): string {
		return this.#whole.path;
	}

	get query(): URLSearchParams {
		return this.#whole.query;
	}

	get headers(): IncomingHttpHeaders {
		return this.#whole.headers;
	}

	get remoteAddress(): string {
		return this.#whole.ip;
	}

	get remotePort(): number {
		return this.#whole.remotePort;
	}

	get localAddress(): string {
		return this.#whole.localAddress;
	}

	get localPort(): number {
		return this.#whole.localPort;
	}

	get ip(): string {
		return this.#whole.ip;
	}

	get ips(): readonly string[] {
		return this.#whole.ips;
	}

	get protocol(): "http" | "https" {
		return this.secure ? "https" : "http";
	}

	get secure(): boolean {
		return this.#whole.secure;
	}

	get host(): string {
		return this.#whole.host;
	}

	get #whole(): Read {
		const known = this.#read?.deref();
		if (known) return known;
		const [url, ip, ips, remotePort, localAddress, localPort, secure, host] = JSON.parse(
			this.#facts,
		) as Facts;
		const at = url.indexOf("?");
		const path = at < 0 ? url : url.slice(0, at);
		const query = new URLSearchParams(at < 0 ? "" : url.slice(at + 1));
		const headers = receivedHeaders(JSON.parse(this.#headers) as OpenRequest["headers"]);
		const whole = { url, path, query, headers, ip, ips, remotePort, localAddress, localPort, secure, host };
		this.#read = new WeakRef(whole);
		return whole;
	}
}
