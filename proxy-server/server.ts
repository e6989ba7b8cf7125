import { createViewModelHub } from "../lib/dotnetify/index.js";
import {
	type ForwardingFilter,
	forViewModels,
	forVmIds,
	replicas,
	useForwarding,
} from "../lib/forwarding/index.js";
import {
	type CloseOptions,
	createServer,
	type Hub,
	type Listening,
	type Log,
	type Server,
} from "../lib/index.js";
import { type ChainEntry, type ChainFilter, matchesPattern } from "./chain.js";
import { isTlsUrl, readLinkFiles } from "./link-files.js";
import type { ProxySettings } from "./settings.js";

/** A proxy that runs. */
export interface ProxyServer {
	readonly hub: Hub;
	/** Where it listens. */
	readonly listening: Listening;
	/** What /ready says: an app server was reached once, and the proxy does not drain. */
	readonly isReady: boolean;
	/** From now on /ready answers 404, so that load balancers send nobody new; clients stay. */
	drain(): void;
	/**
	 * Drains, sends every client away with `allowReconnect`, closes the links and stops listening. `spreadMs`: over how
	 * long clients are sent away, evenly; 0 by default. Aborting `signal` ends all waiting.
	 */
	stop(options?: Pick<CloseOptions, "spreadMs" | "signal">): Promise<void>;
}

function filterOf(filter: ChainFilter): ForwardingFilter {
	if (filter.kind === "viewModels") return forViewModels(...filter.roots);
	if (filter.kind === "vmIds") return forVmIds(...filter.ids);
	return ({ vmId }) => vmId !== undefined && matchesPattern(filter.pattern, vmId);
}

function forwardingOf(entry: ChainEntry, settings: ProxySettings): ReturnType<typeof useForwarding> {
	const { urls, filter, isShared, ...options } = entry;
	// The app server takes both of two secrets; one is enough to prove a link.
	const [secret] = settings.linkSecrets;
	const { linkFiles } = settings;
	const tls = linkFiles && urls.some(isTlsUrl) ? () => readLinkFiles(linkFiles) : undefined;
	const target = isShared ? replicas(urls) : urls.length === 1 ? (urls[0] as string) : urls;
	return useForwarding(target, {
		...options,
		filter: filter && filterOf(filter),
		secret,
		tls,
	});
}

function createProxyHub(settings: ProxySettings, log: Log): Hub {
	const { serverId, allowedOrigins, tokenSecrets, trustProxy } = settings;
	const hub = createViewModelHub({
		log,
		serverId,
		allowedOrigins,
		trustProxy,
		tokenSecrets: tokenSecrets.length > 0 ? tokenSecrets : undefined,
	});
	for (const entry of settings.chain) hub.use(forwardingOf(entry, settings));
	return hub;
}

/** What load balancers ask about a proxy. */
class Health {
	readonly #hub: Hub;
	#isDraining = false;

	constructor(hub: Hub) {
		this.#hub = hub;
	}

	/**
	 * A forwarding stays ready when its app server is away again: else one restart of an app server would take every
	 * proxy out at once.
	 */
	get isReady(): boolean {
		return this.#hub.ready && !this.#isDraining;
	}

	drain(): void {
		this.#isDraining = true;
	}

	/** Status and text for a path, or `undefined` where it is none of ours. 404 means "drain" to HAProxy. */
	answer(path: string): readonly [status: number, text: string] | undefined {
		if (path === "/health") return [200, "alive"];
		if (path !== "/ready") return undefined;
		if (this.#isDraining) return [404, "draining"];
		return this.isReady ? [200, "ready"] : [503, "no app server was reached yet"];
	}
}

function answerHealth(server: Server, health: Health): void {
	server.app.use(async (ctx, next) => {
		const answer = ctx.method === "GET" || ctx.method === "HEAD" ? health.answer(ctx.path) : undefined;
		if (!answer) return next();
		[ctx.status] = answer;
		ctx.set("Cache-Control", "no-store");
		ctx.body = `${answer[1]}\n`;
	});
}

/**
 * Starts the prebuilt proxy: one hub, one `useForwarding` per entry of the chain, /health and /ready.
 * Resolves when it listens; throws ERR_ADDRESS_IN_USE where somebody else does.
 */
export async function startProxyServer(settings: ProxySettings, log: Log): Promise<ProxyServer> {
	const hub = createProxyHub(settings, log);
	const server = createServer().map(settings.hubPath, hub);
	const health = new Health(hub);
	answerHealth(server, health);
	let listening: Listening;
	try {
		listening = await server.listen(settings.port, settings.host);
	} catch (error) {
		await hub.close();
		throw error;
	}
	return {
		hub,
		listening,
		get isReady() {
			return health.isReady;
		},
		drain: () => health.drain(),
		stop(options) {
			health.drain();
			return server.close(options);
		},
	};
}
