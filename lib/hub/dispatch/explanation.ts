import { TrunklineError } from "../../errors/index.js";
import { Arguments, HubTarget } from "../../protocols/index.js";
import { ClientConnection } from "../clients/client-connection.js";
import type { ClientHost } from "../clients/client-host.js";
import type { Hub } from "../hub.js";
import { InvocationContext } from "./invocation-context.js";
import type { HubExtension } from "./middleware.js";

/** A call that nobody has made, to find out what would become of it: a `target`, a `vmId`, or both. */
export interface ExplainQuery {
	/** The hub method. @defaultValue `Request_VM`, where a view model is asked for */
	readonly target?: string | undefined;
	/** The view model that the call is about: its first argument, where `arguments` are not given. */
	readonly vmId?: string | undefined;
	/** The client that makes it. @defaultValue nobody: what depends on the client is not foretold */
	readonly connectionId?: string | undefined;
	/** @defaultValue the vmId alone, or none */
	readonly arguments?: readonly unknown[] | undefined;
}

/** An app-server instance that may take the call. */
export interface ExplainedInstance {
	/** Names it: the first 8 of 32 digits, as in logs and in `hub.links()`. */
	readonly instance: string;
	/** The address by which it was reached first. */
	readonly url: string;
	readonly links: number;
	/** Clients of this hub that it has. */
	readonly clients: number;
	/** Whether it is about to stop, or is in the list no more. */
	readonly isDraining: boolean;
}

/** One of the app servers of a forwarding: those that get copies are several. */
export interface ExplainedUpstream {
	readonly url: string;
	/** Whether it gets a copy: the answer comes from the last one, or from further down the list. */
	readonly isCopy: boolean;
	/** What is spoken to it; `connecting`: nobody has answered yet, or all are gone, and calls wait. */
	readonly wire: "native" | "dotnetify" | "connecting";
	/** Those that are there: one, or replicas. Empty on dotNetify's wire. */
	readonly instances: readonly ExplainedInstance[];
	/** The name of the one that would take it; undefined where that cannot be foretold. */
	readonly picked: string | undefined;
	/** Why that one, in a sentence. */
	readonly reason: string;
}

/** What a forwarding does with the call. */
export interface ForwardingExplanation {
	/** Whether its filter takes the call. */
	readonly takes: boolean;
	/** What its filter throws: then the call fails here. */
	readonly failure: string | undefined;
	/** Whether a call that it takes goes no further. */
	readonly halts: boolean;
	readonly upstreams: readonly ExplainedUpstream[];
}

/** One place in the middleware list, in its order; behind it the hub itself. */
export type ExplainedStep =
	/** What it does cannot be foretold: it may answer, refuse, or change the call. */
	| { readonly kind: "middleware"; readonly name: string }
	| ({ readonly kind: "forwarding" } & ForwardingExplanation)
	/** Where no forwarding has taken the call for good: handled here, by this method or by none. */
	| { readonly kind: "here"; readonly method: string | undefined };

/** What would become of a call. */
export interface Explanation {
	readonly target: string;
	/** As the hub's `route` finds it in the arguments: what filters see. */
	readonly vmId: string | undefined;
	readonly connectionId: string | undefined;
	/** Whether the client is here. */
	readonly isConnected: boolean;
	/** What the call passes, to where it ends. */
	readonly steps: readonly ExplainedStep[];
	/** Where it ends: `forwarded`, `handled here`, `unknown method`, or `failed` by a filter. */
	readonly outcome: "forwarded" | "handled here" | "unknown method" | "failed";
}

/** Knows the methods of a hub. */
export interface MethodNames {
	/** The name that a method was declared with. */
	declared(target: string): string | undefined;
}

/** Foretells what becomes of calls: knows the middleware list by its names. */
export class Explainer {
	readonly #hub: Hub;
	readonly #clients: ClientHost;
	readonly #methods: MethodNames;
	readonly #list: (HubExtension | string)[] = [];

	constructor(hub: Hub, clients: ClientHost, methods: MethodNames) {
		this.#hub = hub;
		this.#clients = clients;
		this.#methods = methods;
	}

	/** Behind those that are there: a middleware by its name, or an extension. */
	add(added: HubExtension | string): void {
		this.#list.push(added);
	}

	/** @throws TrunklineError ERR_OPTION where neither a target nor a view model is asked for */
	explain(query: ExplainQuery): Explanation {
		const ctx = this.#contextOf(query);
		const steps: ExplainedStep[] = [];
		const outcome = this.#walk(ctx, steps);
		const { connectionId } = query;
		const isConnected = connectionId !== undefined && this.#hub.lifetime.get(connectionId) !== undefined;
		return { target: ctx.target, vmId: ctx.vmId, connectionId, isConnected, steps, outcome };
	}

	#walk(ctx: InvocationContext, steps: ExplainedStep[]): Explanation["outcome"] {
		for (const each of this.#list) {
			if (typeof each === "string") steps.push({ kind: "middleware", name: each });
			else if (each.explain) {
				const explained = each.explain(ctx);
				steps.push({ kind: "forwarding", ...explained });
				if (explained.failure !== undefined) return "failed";
				if (explained.takes && explained.halts) return "forwarded";
			}
		}
		const method = this.#methods.declared(ctx.target);
		steps.push({ kind: "here", method });
		return method === undefined ? "unknown method" : "handled here";
	}

	#contextOf({ target, vmId, connectionId, arguments: args }: ExplainQuery): InvocationContext {
		const called = target ?? (vmId === undefined ? undefined : HubTarget.Request);
		if (called === undefined)
			throw new TrunklineError("ERR_OPTION", "hub.explain needs a target, a vmId, or both; found neither.");
		const hub = this.#hub;
		const known = connectionId === undefined ? undefined : hub.lifetime.get(connectionId);
		const call = {
			target: this.#methods.declared(called) ?? called,
			arguments: Arguments.of(args ?? (vmId === undefined ? [] : [vmId])),
			invocationId: undefined,
		};
		return new InvocationContext(hub, known ?? this.#standIn(connectionId ?? ""), call, () => {});
	}

	/** A client that is nowhere, for filters that look at theirs. */
	#standIn(connectionId: string): ClientConnection {
		const here = { remoteAddress: "", remotePort: 0, localAddress: "", localPort: 0, ip: "", ips: [] };
		const http = { protocol: "http", secure: false, host: "" } as const;
		const request = { ...{ method: "GET", url: "/", path: "/", query: new URLSearchParams() }, headers: {} };
		return new ClientConnection(
			{
				...{ connectionId, user: undefined, transport: "WebSockets", protocolName: "json" },
				request: { ...request, ...here, ...http },
			},
			{ send: () => {}, close: () => {} },
			this.#clients,
		);
	}
}
