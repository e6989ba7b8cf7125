import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import Koa from "koa";
import { createViewModelHub } from "../lib/dotnetify/index.js";
import { acceptLinks } from "../lib/forwarding/index.js";
import { createServer, type Log, type Server, type ServerOptions, silentLog } from "../lib/index.js";
import { createProbes } from "./probes.js";
import type { AppServerSettings, AppServerTls } from "./settings.js";
import { servePages } from "./static-pages.js";
import { createViewModels } from "./view-models/index.js";

/** How long page requests in flight may hold up the end, in milliseconds; then their connections are cut. */
const CLOSE_TIMEOUT_MS = 5_000;

/** What {@link startAppServer} takes beside the settings of the environment. */
export interface AppServerOptions extends Omit<AppServerSettings, "logLevel" | "drainMs"> {
	/** @defaultValue silence */
	readonly log?: Log | undefined;
	/** The folder of the built pages; `null` for a server without pages. @defaultValue dist/pages */
	readonly pagesDirectory?: string | null | undefined;
	/** People who may be in the chat room at the same time. @defaultValue 1_000 */
	readonly maxChatUsers?: number | undefined;
}

/** A running app server. */
export interface AppServer {
	readonly url: string;
	readonly port: number;
	readonly serverId: string;
	/**
	 * Says "draining" to load balancers for `drainMs` (0 by default), tells the clients to connect again elsewhere, and
	 * ends.
	 */
	close(drainMs?: number): Promise<void>;
}

/**
 * Starts an app server: the view models on `hubPath`, links from proxies where the settings admit any, the pages,
 * `/health` and `/ready`.
 *
 * @throws TrunklineError `ERR_ADDRESS_IN_USE`, `ERR_OPTION`, or `ERR_CONFIGURATION` when the pages are not built.
 */
export async function startAppServer(options: AppServerOptions): Promise<AppServer> {
	const { log = silentLog, port, host, hubPath, pagesDirectory: directory } = options;
	const hub = createHub(options, log);
	const probes = createProbes();
	const app = new Koa().use(probes.middleware);
	if (directory !== null) app.use(await servePages({ directory, hubPath }));
	logErrors(app, log);
	const server = createServer({ app, tls: tlsOf(options.tls) }).map(hubPath, hub);
	const listening = await server.listen(port, host).catch(async (error: unknown) => {
		await server.close();
		throw error;
	});
	return {
		...listening,
		serverId: hub.serverId,
		async close(drainMs = 0) {
			probes.drain();
			if (drainMs > 0) await wait(drainMs);
			await closeServer(server);
		},
	};
}

async function closeServer(server: Server): Promise<void> {
	const timer = setTimeout(() => server.http.closeAllConnections(), CLOSE_TIMEOUT_MS);
	await server.close();
	clearTimeout(timer);
}

function createHub(options: AppServerOptions, log: Log): ReturnType<typeof createViewModelHub> {
	const { linkSecrets, linkNames, linkTrusted, trustProxy, allowedOrigins, tokenSecrets } = options;
	const serverId = options.serverId ?? `app-${randomBytes(3).toString("hex")}`;
	const hub = createViewModelHub({
		viewModels: createViewModels({ serverId, maxChatUsers: options.maxChatUsers }),
		trustProxy,
		allowedOrigins,
		tokenSecrets,
		serverId,
		log,
	});
	if (linkSecrets.length > 0 || linkNames !== undefined || linkTrusted.length > 0) {
		hub.use(acceptLinks({ secrets: linkSecrets, certificates: linkNames, trusted: linkTrusted }));
	}
	return hub;
}

/** Browsers have no certificate: who shows none, or one that is not verified, is a client like any other. */
function tlsOf(tls: AppServerTls | undefined): ServerOptions["tls"] {
	if (tls?.ca === undefined) return tls && { cert: tls.cert, key: tls.key };
	return { ...tls, requestCert: true, rejectUnauthorized: false };
}

/** Koa would write stack traces to stderr. */
function logErrors(app: Koa, log: Log): void {
	app.on("error", (error: Error & { readonly code?: string; readonly expose?: boolean }) => {
		// A browser that went away, or that asked for nonsense, is no failure of ours.
		const isClients =
			error.expose === true || /^(?:ERR_STREAM_PREMATURE_CLOSE|ECONNRESET|EPIPE)$/.test(error.code ?? "");
		log[isClients ? "debug" : "error"]({ error: error.message }, "A page request failed.");
	});
}
