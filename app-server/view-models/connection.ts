import { ViewModel } from "../../lib/dotnetify/index.js";
import type { ConnectionState } from "./contracts.js";
import { limitText } from "./limits.js";

const MAX_PROXIES = 10;
const MAX_PROXY_NAME_LENGTH = 64;

/** The way from the browser to this app server, as the `Via` header tells it (RFC 9110 §7.6.3). */
export class Connection extends ViewModel implements ConnectionState {
	readonly ConnectedThrough: readonly string[] = proxiesOf(this.connection.request.headers.via);
	readonly AppServer: string;

	/** @param serverId what this app server is called */
	constructor(serverId: string) {
		super();
		this.AppServer = serverId;
	}
}

/** The proxies that a `Via` header names, the browser's first: `1.1 proxy-1, 1.1 proxy-2` → `proxy-1`, `proxy-2`. */
function proxiesOf(via: string | readonly string[] | undefined): string[] {
	return [via ?? []]
		.flat()
		.flatMap((line) => line.split(","))
		.map((hop) => hop.trim().split(/\s+/)[1])
		.filter((name) => name !== undefined)
		.slice(0, MAX_PROXIES)
		.map((name) => limitText(name, MAX_PROXY_NAME_LENGTH));
}
