import { randomId } from "../../base/index.js";
import { type ErrorCode, messageOf, TrunklineError } from "../../errors/index.js";
import type { ClientConnection, Hub, HubExtension, InvocationContext, Middleware } from "../../hub/index.js";
import {
	currentTarget,
	DISCONNECTED_METHOD,
	HubTarget,
	jsonText,
	parseLinkResponse,
} from "../../protocols/index.js";
import { contextTextOf } from "../client-context.js";
import { forwardingException } from "../forwarding-exception.js";
import { LINK_PROTOCOL_NAME } from "../link-terms.js";
import type { ForwardedKind, ForwardedMessage, ForwardingFailure } from "./forwarded-message.js";
import { LinkPool } from "./link-pool.js";
import {
	type ForwardingOptions,
	type ResolvedForwardingOptions,
	resolveForwardingOptions,
} from "./options.js";
import { applyResponse } from "./responses.js";
import { type PoolMaker, Upstream } from "./upstream.js";

/** One id for the life of a hub: app servers know by it which links lead to the same clients. */
const hubIds = new WeakMap<Hub, string>();

function hubIdOf(hub: Hub): string {
	const id = hubIds.get(hub) ?? randomId();
	hubIds.set(hub, id);
	return id;
}

const KINDS: ReadonlyMap<string, ForwardedKind> = new Map<string, ForwardedKind>([
	[HubTarget.Request, "request"],
	[HubTarget.Update, "update"],
	[HubTarget.Dispose, "dispose"],
]);

/** What links say among themselves: a client has no business to say it, and would be believed over there. */
const LINK_METHODS: ReadonlySet<string> = new Set([
	HubTarget.Invoke.toLowerCase(),
	// dotNetify's app server finds methods by reflection, where Invoke has this name.
	"invokeasync",
	DISCONNECTED_METHOD.toLowerCase(),
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
	url: string | readonly string[],
	options: ForwardingOptions = {},
): HubExtension {
	const urls = typeof url === "string" ? [url] : [...url];
	if (urls.length === 0)
		throw new TrunklineError("ERR_OPTION", "useForwarding needs one url at least; found none.");
	return new Forwarding(urls.map(checkUrl), resolveForwardingOptions(options));
}

function checkUrl(url: string): URL {
	const parsed = URL.canParse(url) ? new URL(url) : undefined;
	if (parsed && /^(https?|wss?):$/.test(parsed.protocol)) return parsed;
	const found = JSON.stringify(url);
	throw new TrunklineError(
		"ERR_OPTION",
		`The url of useForwarding must be absolute, such as http://app:5001; found ${found}.`,
	);
}

class Forwarding implements HubExtension {
	readonly #urls: readonly URL[];
	readonly #options: ResolvedForwardingOptions;
	/** Clients whose end was forwarded: nothing of them may follow. */
	readonly #gone = new WeakSet<ClientConnection>();
	#upstreams: readonly Upstream[] = [];
	#hub: Hub | undefined;

	constructor(urls: readonly URL[], options: ResolvedForwardingOptions) {
		this.#urls = urls;
		this.#options = options;
	}

	install(hub: Hub): Middleware {
		this.#hub = hub;
		if (this.#urls.every((url) => url.pathname !== "/")) this.mounted(DEFAULT_PATH);
		hub.on("disconnected", ({ connection }) => this.#disconnected(hub, connection));
		return (ctx, next) => this.#take(hub, ctx, next);
	}

	mounted(path: string): void {
		const hub = this.#hub;
		if (!hub || this.#upstreams.length > 0) return;
		this.#upstreams = this.#urls.map((url) => this.#connect(hub, url, path));
		for (const upstream of this.#upstreams) upstream.open();
	}

	ready(): boolean {
		return this.#upstreams.length > 0 && this.#upstreams.every((upstream) => upstream.wasReached);
	}

	async close(): Promise<void> {
		await Promise.all(this.#upstreams.map((upstream) => upstream.close()));
	}

	#connect(hub: Hub, url: URL, path: string): Upstream {
		const whole = new URL(url);
		if (whole.pathname === "/") whole.pathname = path;
		const forwarder = { hubId: hubIdOf(hub), serverId: hub.serverId };
		const { clock, log } = hub;
		const pool = this.#poolMaker(whole.href, hub);
		return new Upstream(
			this.#options,
			{ url: whole.href, clock, log, pool },
			{
				contextTextOf: (client) => contextTextOf(client, forwarder, clock.now()),
				response: (argument) => void this.#respond(hub, argument),
				failed: (message, failure) => tell(hub, message, failure),
			},
		);
	}

	#poolMaker(url: string, { clock, log }: Hub): PoolMaker {
		const { connectionPoolSize, useMessagePack, secret, maxLinkMessageBytes, reconnect } = this.#options;
		const settings = { url, useMessagePack, secret, maxMessageBytes: maxLinkMessageBytes, reconnect };
		return (listener) => new LinkPool(connectionPoolSize, { ...settings, clock, log }, listener);
	}

	async #take(hub: Hub, ctx: InvocationContext, next: () => Promise<void>): Promise<void> {
		if (LINK_METHODS.has(ctx.target.toLowerCase()) || !this.#options.filter(ctx)) return next();
		if (ctx.isStream || ctx.streamIds) return refuseStream(hub, ctx);
		if (this.#upstreams.length === 0) this.mounted(DEFAULT_PATH);
		hub.counters.add("forwarded");
		const { haltPipeline } = this.#options;
		const last = haltPipeline ? this.#upstreams.at(-1) : undefined;
		// All take it in this turn, before anyone holds the client: its end must not come between two of them.
		const holds = this.#upstreams.map((upstream) => this.#forward(upstream, ctx, upstream !== last));
		await Promise.all(holds);
		return haltPipeline ? undefined : next();
	}

	#forward(upstream: Upstream, ctx: InvocationContext, isCopy: boolean): Promise<void> | undefined {
		const message = messageOfCall(ctx, isCopy, this.#options.useMessagePack);
		if (!this.#gone.has(ctx.connection)) return upstream.forward(message);
		const reason = "Its client was gone before it could be forwarded.";
		tell(ctx.hub, message, { code: "ERR_CONNECTION_CLOSED", reason });
		return undefined;
	}

	#disconnected(hub: Hub, client: ClientConnection): void {
		this.#gone.add(client);
		for (const upstream of this.#upstreams) {
			if (!upstream.knows(client)) continue;
			void upstream.forward({
				...{ client, kind: "disconnect", method: DISCONNECTED_METHOD, args: [null], bytes: 0, isCopy: true },
				...{ vmId: undefined, completer: undefined, queuedAt: hub.clock.elapsed() },
			});
		}
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

/** dotNetify's wire has no streams: the caller is told at once. */
function refuseStream(hub: Hub, ctx: InvocationContext): void {
	const code = "ERR_FORWARD_UNSUPPORTED";
	const reason = "dotNetify's wire carries no streams.";
	ctx.deferCompletion().fail(`Failed to invoke '${ctx.target}': ${reason} (${code})`);
	hub.report({ code, client: ctx.connectionId, target: ctx.target, vmId: ctx.vmId, reason });
}

function messageOfCall(ctx: InvocationContext, isCopy: boolean, useMessagePack: boolean): ForwardedMessage {
	const method = currentTarget(ctx.target);
	const kind = KINDS.get(method) ?? "method";
	const args = kind === "method" ? methodArguments(ctx, useMessagePack) : viewModelArguments(ctx);
	const [first] = args;
	const vmId = ctx.vmId ?? (kind !== "method" && typeof first === "string" ? first : undefined);
	return {
		...{ client: ctx.connection, kind, method, args, isCopy, vmId },
		bytes: sizeOf(args),
		queuedAt: ctx.hub.clock.elapsed(),
		completer: kind === "method" && !isCopy ? ctx.deferCompletion() : undefined,
	};
}

/** What messagepack has and json lacks (bytes, dates, large numbers) crosses a json link as this hub writes it in json. */
function methodArguments(
	{ args, connection }: InvocationContext,
	useMessagePack: boolean,
): readonly unknown[] {
	if (useMessagePack || connection.protocolName !== "messagepack") return args;
	return args.map((arg): unknown => JSON.parse(jsonText(arg)));
}

/** dotNetify's wire has a view model's data as JSON text; over a link from another proxy it is that already. */
function viewModelArguments(ctx: InvocationContext): readonly unknown[] {
	if (ctx.connection.protocolName === LINK_PROTOCOL_NAME || ctx.args.length < 2) return ctx.args;
	const [vmId, data] = ctx.args;
	const isUpdate = currentTarget(ctx.target) === HubTarget.Update;
	// The hub's own check comes behind us: text is data on a link only, where it is JSON.
	if (isUpdate && typeof data === "string")
		throw new TrunklineError("ERR_ARGUMENTS", "Argument 2 of Update_VM must be an object or null.");
	// dotNetify writes the null of an update as text, and that of a request as null.
	return [vmId, isUpdate || (data !== null && data !== undefined) ? jsonText(data ?? null) : null];
}

function sizeOf(args: readonly unknown[]): number {
	let bytes = 0;
	for (const arg of args) bytes += typeof arg === "string" ? arg.length : jsonText(arg).length;
	return bytes;
}

/** A message was not delivered: the caller is told where somebody waits; one count, one event. */
function tell(hub: Hub, message: ForwardedMessage, { code, reason }: ForwardingFailure): void {
	const { client, method, vmId } = message;
	tellCaller(message, code);
	try {
		hub.report({ code, client: client.connectionId, target: method, vmId, reason });
	} catch (err) {
		// A listener's own failure must not stop what is being settled here.
		hub.log.error({ err }, "A listener of undeliverable threw.");
	}
}

function tellCaller(
	{ client, kind, method, vmId, completer, isCopy }: ForwardedMessage,
	code: ErrorCode,
): void {
	if (isCopy || kind === "disconnect") return;
	if (kind === "method") {
		completer?.fail(`Failed to invoke '${method}': the message could not be delivered (${code}).`);
		return;
	}
	client.sendPrepared(forwardingException(vmId, code));
}
