import { randomId } from "../../base/index.js";
import { type ErrorCode, messageOf, TrunklineError } from "../../errors/index.js";
import type {
	ClientConnection,
	Count,
	DisconnectReason,
	ForwardingExplanation,
	Hub,
	HubExtension,
	InvocationContext,
	LinkStatus,
	Middleware,
} from "../../hub/index.js";
import { DISCONNECTED_METHOD, HubTarget, parseLinkResponse, RESTORE_METHOD } from "../../protocols/index.js";
import type { UpstreamUrl } from "../dialing/addresses.js";
import { applyResponse } from "../dotnetify-upstream/responses.js";
import { forwardingException } from "../forwarding-exception.js";
import type { ForwardingFailure, LostMessage } from "../lost-message.js";
import { AppServer, type AppServerSettings } from "./app-server.js";
import {
	type ForwardingOptions,
	type ResolvedForwardingOptions,
	resolveForwardingOptions,
} from "./options.js";
import { Replicas } from "./replicas.js";

/** One id for the life of a hub: app servers know by it which links lead to the same clients. */
const hubIds = new WeakMap<Hub, string>();

function hubIdOf(hub: Hub): string {
	const id = hubIds.get(hub) ?? randomId();
	hubIds.set(hub, id);
	return id;
}

/** What links say among themselves: a client has no business to say it, and would be believed over there. */
const LINK_METHODS: ReadonlySet<string> = new Set([
	HubTarget.Invoke.toLowerCase(),
	// dotNetify's app server finds methods by reflection, where Invoke has this name.
	"invokeasync",
	DISCONNECTED_METHOD.toLowerCase(),
	RESTORE_METHOD.toLowerCase(),
]);

/** The path of a url that has none, where the hub was never mounted. */
const DEFAULT_PATH = "/dotnetify";

/**
 * Forwards calls to an app server over a pool of persistent connections: `hub.use(useForwarding("http://app:5001"))`.
 * Several urls get a copy each; the caller's answer comes from the last one. A url without a path gets the path that
 * the hub is mounted on. A call that the filter leaves goes on down the middleware list.
 * @throws TrunklineError ERR_OPTION for a bad url or option.
 */
export function useForwarding(
	url: string | readonly string[] | Replicas,
	options: ForwardingOptions = {},
): HubExtension {
	const resolved = resolveForwardingOptions(options);
	if (url instanceof Replicas) return new Forwarding([url], resolved);
	// What is missing here, where a url was left out, comes from plain JavaScript or an unset variable.
	const urls = typeof url === "string" ? [url] : [...(url ?? [])];
	if (urls.length === 0)
		throw new TrunklineError("ERR_OPTION", "useForwarding needs one url at least; found none.");
	const targets = urls.map((each) => checkUrl(each, resolved));
	return new Forwarding(targets, resolved);
}

/** SignalR's client takes http and https only, and makes the socket's url itself. */
function checkUrl(url: string, { tls }: ResolvedForwardingOptions): URL {
	const parsed = URL.canParse(url) ? new URL(url.replace(/^\s*ws(?=s?:)/i, "http")) : undefined;
	const found = JSON.stringify(url);
	if (!parsed || !/^https?:$/.test(parsed.protocol)) {
		throw new TrunklineError(
			"ERR_OPTION",
			`The url of useForwarding must be absolute, such as http://app:5001; found ${found}.`,
		);
	}
	if (tls === undefined || parsed.protocol === "https:") return parsed;
	throw new TrunklineError(
		"ERR_OPTION",
		`Option "tls" needs a url with https, such as https://app:5001; found ${found}.`,
	);
}

class Forwarding implements HubExtension {
	readonly wantsBytes = true;
	/** Takes calls on the spot; absent where they go on to others as well. */
	readonly take?: (ctx: InvocationContext) => Promise<void> | boolean;
	readonly #targets: readonly (URL | Replicas)[];
	readonly #options: ResolvedForwardingOptions;
	/** Clients whose end was forwarded: nothing of them may follow. */
	readonly #gone = new WeakSet<ClientConnection>();
	#servers: readonly AppServer[] = [];
	#hub: Hub | undefined;
	#forwarded: Count | undefined;

	constructor(targets: readonly (URL | Replicas)[], options: ResolvedForwardingOptions) {
		this.#targets = targets;
		this.#options = options;
		if (options.haltPipeline) this.take = (ctx) => this.#take(ctx);
	}

	install(hub: Hub): Middleware | undefined {
		this.#hub = hub;
		this.#forwarded = hub.counters.of("forwarded");
		const needsPath = (target: URL | Replicas): boolean =>
			!(target instanceof URL) || target.pathname === "/";
		if (!this.#targets.some(needsPath)) this.mounted(DEFAULT_PATH);
		if (this.#options.isEager) hub.on("connected", ({ connection }) => this.#connected(connection));
		hub.stateSources.add((client, key) => {
			for (const server of this.#servers) server.resync(client, key);
		});
		hub.itemSinks.add((client, item, from) => {
			for (const server of this.#servers) server.pushItem(client, item, from);
		});
		hub.on("migrating", ({ connection }) => this.#migrating(connection));
		hub.on("disconnected", ({ connection }, reason) => this.#disconnected(connection, reason));
		return this.#options.haltPipeline ? undefined : (ctx, next) => this.#copy(ctx, next);
	}

	mounted(path: string): void {
		const hub = this.#hub;
		if (!hub || this.#servers.length > 0) return;
		this.#servers = this.#targets.map((target) => this.#connect(hub, target, path));
		for (const server of this.#servers) server.open();
	}

	ready(): boolean {
		return this.#servers.length > 0 && this.#servers.every((server) => server.wasReached);
	}

	links(): readonly LinkStatus[] {
		return this.#servers.flatMap((server) => server.status());
	}

	explain(ctx: InvocationContext): ForwardingExplanation {
		const { haltPipeline: halts, filter } = this.#options;
		const last = halts ? this.#servers.length - 1 : -1;
		const upstreams = this.#servers.map((server, at) => server.explain(ctx, at !== last));
		try {
			const takes = !isLinkMethod(ctx.target, ctx.connection) && filter(ctx);
			return { takes, failure: undefined, halts, upstreams: takes ? upstreams : [] };
		} catch (thrown) {
			return { takes: false, failure: messageOf(thrown), halts, upstreams: [] };
		}
	}

	async close(): Promise<void> {
		await Promise.all(this.#servers.map((server) => server.close()));
	}

	#connect(hub: Hub, target: URL | Replicas, path: string): AppServer {
		const place =
			target instanceof URL ? { url: withPath(target, path) } : placesOf(target, path, this.#options);
		return new AppServer(
			{ ...place, hub, hubId: hubIdOf(hub), options: this.#options },
			{
				response: (argument) => void this.#respond(hub, argument),
				failed: (message, failure) => tell(hub, message, failure),
			},
		);
	}

	#take(ctx: InvocationContext): Promise<void> | boolean {
		if (!this.#isOurs(ctx)) return false;
		const last = this.#servers.length - 1;
		// All take it in this turn, before anyone holds the client: its end must not come between two of them.
		if (last === 0) return this.#forward(this.#servers[0] as AppServer, ctx, false) ?? true;
		return all(this.#servers.map((server, at) => this.#forward(server, ctx, at !== last))) ?? true;
	}

	/** Forwards a copy; the call goes on. */
	async #copy(ctx: InvocationContext, next: () => Promise<void>): Promise<void> {
		if (!this.#isOurs(ctx)) return next();
		await all(this.#servers.map((server) => this.#forward(server, ctx, true)));
		return next();
	}

	#isOurs(ctx: InvocationContext): boolean {
		if (isLinkMethod(ctx.target, ctx.connection) || !this.#options.filter(ctx)) return false;
		if (this.#servers.length === 0) this.mounted(DEFAULT_PATH);
		if (this.#forwarded) this.#forwarded.value++;
		return true;
	}

	#forward(server: AppServer, ctx: InvocationContext, isCopy: boolean): Promise<void> | undefined {
		if (!ctx.connection.isEnded || !this.#gone.has(ctx.connection)) return server.forward(ctx, isCopy);
		const reason = "Its client was gone before it could be forwarded.";
		const { connection: client, target: method } = ctx;
		const lost: LostMessage = {
			client,
			kind: "method",
			method,
			vmId: ctx.vmId,
			completer: undefined,
			isCopy,
		};
		tell(ctx.hub, lost, { code: "ERR_CONNECTION_CLOSED", reason });
		return undefined;
	}

	#connected(client: ClientConnection): void {
		if (this.#servers.length === 0) this.mounted(DEFAULT_PATH);
		for (const server of this.#servers) server.connect(client);
	}

	async #migrating(client: ClientConnection): Promise<void> {
		await Promise.all(this.#servers.map((server) => server.migrate(client)));
	}

	#disconnected(client: ClientConnection, reason: DisconnectReason): void {
		this.#gone.add(client);
		for (const server of this.#servers) server.disconnect(client, reason);
	}

	async #respond(hub: Hub, argument: unknown): Promise<void> {
		try {
			const response = parseLinkResponse(argument);
			hub.counters.add("linkResponses");
			if (response) await applyResponse(hub, response);
		} catch (cause) {
			hub.report({
				code: "ERR_LINK_PROTOCOL",
				reason: `An app server's response was refused: ${messageOf(cause)}`,
			});
		}
	}
}

/** A url without a path gets the one that the hub is mounted on. */
function withPath(url: URL, path: string): string {
	const whole = new URL(url);
	if (whole.pathname === "/") whole.pathname = path;
	return whole.href;
}

function placesOf(
	replicas: Replicas,
	path: string,
	options: ResolvedForwardingOptions,
): Pick<AppServerSettings, "url" | "replicas"> {
	const { pick: strategy, maxDelayMs, refreshMs } = replicas;
	const urls = (): readonly UpstreamUrl[] =>
		replicas.urls().map(({ url, weight }) => ({ url: withPath(checkUrl(url, options), path), weight }));
	const first = urls().map(({ url }) => url);
	return {
		url: first.length === 1 ? String(first[0]) : `replicas (${first.join(", ")})`,
		replicas: { urls, pick: { strategy, maxDelayMs }, refreshMs },
	};
}

/** Names are compared with each message: most are of another length. What is ASCII in lower case keeps its length there. */
const LINK_METHOD_LENGTHS: readonly boolean[] = lengthsOf(LINK_METHODS);

function lengthsOf(names: ReadonlySet<string>): readonly boolean[] {
	const lengths = new Set([...names].map(({ length }) => length));
	return Array.from({ length: Math.max(...lengths) + 1 }, (_, length) => lengths.has(length));
}

/** What a proxy asks by itself passes the next one, in the name of a client that it holds. */
function isLinkMethod(target: string, client: ClientConnection): boolean {
	return target === RESTORE_METHOD ? !client.isRetaining : isNamed(target);
}

function isNamed(target: string): boolean {
	return LINK_METHOD_LENGTHS[target.length] === true && LINK_METHODS.has(target.toLowerCase());
}

/** Waits for those who ask for it; undefined where nobody does. */
function all(holds: readonly (Promise<void> | undefined)[]): Promise<void> | undefined {
	const waits = holds.filter((hold) => hold !== undefined);
	return waits.length === 0 ? undefined : Promise.all(waits).then(() => {});
}

/** A message was not delivered: the caller is told where somebody waits; one count, one event. */
function tell(hub: Hub, message: LostMessage, { code, reason }: ForwardingFailure): void {
	const { client, method, vmId } = message;
	tellCaller(message, code);
	try {
		hub.report({ code, client: client.connectionId, target: method, vmId, reason });
	} catch (err) {
		// A listener's own failure must not stop what is being settled here.
		hub.log.error({ err }, "A listener of undeliverable threw.");
	}
}

function tellCaller({ client, kind, method, vmId, completer, isCopy }: LostMessage, code: ErrorCode): void {
	if (isCopy || kind === "disconnect") return;
	if (kind === "method") {
		completer?.fail(`Failed to invoke '${method}': the message could not be delivered (${code}).`);
		return;
	}
	client.sendPrepared(forwardingException(vmId, code));
	completer?.complete(null);
}
