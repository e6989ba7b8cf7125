import { TrunklineError } from "../../errors/index.js";
import type { ClientConnection, DisconnectReason } from "../clients/client-connection.js";
import type { ClientMethods } from "../clients/client-proxy.js";
import type { Hub } from "../hub.js";
import { ConnectionContext } from "./invocation-context.js";
import { compose, type Layer, type Middleware, runEach } from "./middleware.js";

/** What disconnected filters get. */
export class DisconnectedContext<Client extends object = ClientMethods> extends ConnectionContext<Client> {
	/** Why the client is gone. */
	readonly reason: DisconnectReason;

	constructor(hub: Hub<Client>, connection: ClientConnection, reason: DisconnectReason) {
		super(hub, connection);
		this.reason = reason;
	}
}

/**
 * Stands around what happens to a client (ASP.NET Core's `IHubFilter`): give it to `hub.use`, with one member at least.
 * Filters are an onion in the order in which they were given, the first one outermost; `next` runs what is inside.
 */
export interface HubFilter<Client extends object = ClientMethods> {
	/** Around every call of a client. */
	readonly invocation?: Middleware<Client> | undefined;
	/**
	 * Around the connected listeners; the client's first message waits for it. Throwing refuses the client, which gets a
	 * Close message (with the text of a `HubException`) and is not told to come back; it then has no `disconnected`, so undo
	 * what has to be undone where `next` throws. Without `next` the filters and listeners inside do not run.
	 */
	readonly connected?: Layer<ConnectionContext<Client>> | undefined;
	/**
	 * Around the disconnected listeners, once for each client that was not refused. All of them run, whatever one does: what
	 * one has not reached by `next` runs after it, and what one throws is logged.
	 */
	readonly disconnected?: Layer<DisconnectedContext<Client>> | undefined;
}

const MEMBERS: ReadonlySet<string> = new Set(["invocation", "connected", "disconnected"]);

/** @throws TrunklineError ERR_OPTION for what is no filter */
export function checkedFilter(filter: unknown): HubFilter {
	const members = typeof filter === "object" && filter !== null ? Object.entries(filter) : [];
	if (members.every(([, member]) => member === undefined)) {
		throw refuse("needs a function, an extension, or one at least of invocation, connected and disconnected");
	}
	for (const [name, member] of members) {
		if (!MEMBERS.has(name))
			throw refuse(`does not know "${name}", only invocation, connected and disconnected`);
		if (member !== undefined && typeof member !== "function") throw refuse(`needs a function as "${name}"`);
	}
	return filter as HubFilter;
}

function refuse(what: string): TrunklineError {
	return new TrunklineError("ERR_OPTION", `hub.use ${what}.`);
}

/** The connected and disconnected filters of a hub. */
export class ConnectionFilters {
	readonly #connected: Layer<ConnectionContext>[] = [];
	readonly #disconnected: Layer<DisconnectedContext>[] = [];
	#enter = compose<ConnectionContext>([]);
	readonly #late: (cause: unknown) => void;

	/** `late` hears what fails behind a filter that did not wait for it. */
	constructor(late: (cause: unknown) => void) {
		this.#late = late;
	}

	add({ connected, disconnected }: HubFilter): void {
		if (connected) this.#connected.push(connected);
		if (disconnected) this.#disconnected.push(disconnected);
		this.#enter = compose([...this.#connected], { late: (_ctx, cause) => this.#late(cause) });
	}

	/** Runs the connected filters around `listeners`; rejects where the client is refused. */
	connected(ctx: ConnectionContext, listeners: () => Promise<void>): Promise<void> {
		return this.#connected.length === 0 ? listeners() : this.#enter(ctx, listeners);
	}

	/** Runs all disconnected filters around `listeners`. Never rejects. */
	disconnected(
		ctx: DisconnectedContext,
		handlers: { last(): unknown; failed(cause: unknown): void },
	): Promise<void> {
		return runEach([...this.#disconnected], ctx, handlers);
	}
}
