import { settledWithin } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import { type CloseMessage, MessageType } from "../../protocols/index.js";
import type { ClientConnection, DisconnectReason } from "../clients/client-connection.js";
import { closeText } from "../dispatch/failure-text.js";
import { ConnectionFilters, DisconnectedContext, type HubFilter } from "../dispatch/filters.js";
import { ConnectionContext } from "../dispatch/invocation-context.js";
import type { Hub } from "../hub.js";
import type { ConnectionEnd, ConnectionFacts } from "../observing/observer.js";
import type { HubEvents } from "./hub-events.js";
import type { Listeners } from "./listeners.js";

/** Those who hear of the beginning and the end of a hub's clients: filters, listeners and observers. */
export class ClientListeners {
	readonly #hub: Hub;
	readonly #listeners: Listeners<HubEvents>;
	readonly #filters = new ConnectionFilters((cause) =>
		this.#hub.log.error({ err: cause }, "A connected listener failed, and a filter had not awaited next()."),
	);
	readonly #openedAt = new WeakMap<ClientConnection, number>();

	constructor(hub: Hub, listeners: Listeners<HubEvents>) {
		this.#hub = hub;
		this.#listeners = listeners;
	}

	/** Adds a filter inside those that are there. */
	add(filter: HubFilter): void {
		this.#filters.add(filter);
	}

	/** A client is here: tells those who observe. */
	opened(client: ClientConnection): void {
		const { observation, clock } = this.#hub;
		if (!observation) return;
		this.#openedAt.set(client, clock.elapsed());
		observation.tell("connectionOpened", factsOf(client));
	}

	/** Runs the connected filters and listeners; rejects when the client is refused. */
	connected(client: ClientConnection): Promise<void> {
		const ctx = new ConnectionContext(this.#hub, client);
		return this.#filters.connected(ctx, () => this.#listeners.run("connected", [ctx]));
	}

	/** Waits for listeners, so long as one that never settles keeps nothing of its client for ever. Never rejects. */
	async settled(listeners: Promise<unknown>): Promise<void> {
		const { clock, listenerTimeoutMs, log } = this.#hub.options;
		if (await settledWithin(clock, listenerTimeoutMs, listeners)) return;
		log.error({ listenerTimeoutMs }, "A listener has not settled; its client is forgotten without it.");
	}

	/** Another server is about to have the client: runs the migrating listeners. Never rejects. */
	async migrating(client: ClientConnection): Promise<void> {
		const { connectionId } = client;
		const run = this.#listeners.runAll("migrating", [new ConnectionContext(this.#hub, client)], (cause) =>
			this.#hub.log.error({ err: cause, connectionId }, "A migrating listener failed."),
		);
		await this.settled(run);
	}

	/** Runs the disconnected filters and listeners, and forgets the client. Never rejects. */
	async disconnected(client: ClientConnection, reason: DisconnectReason): Promise<void> {
		this.#hub.counters.add("disconnects");
		this.#tellEnd(client, reason.kind, reason.error);
		const ctx = new DisconnectedContext(this.#hub, client, reason);
		const { connectionId } = client;
		const failed = (what: string) => (cause: unknown) =>
			this.#hub.log.error({ err: cause, connectionId }, `A disconnected ${what} failed.`);
		const run = this.#filters.disconnected(ctx, {
			last: () => this.#listeners.runAll("disconnected", [ctx, reason], failed("listener")),
			failed: failed("filter"),
		});
		await this.settled(run);
		this.#hub.lifetime.remove(client);
	}

	/** Forgets a client that was refused, and says what it may be told; `isLate` once it was disconnected. */
	refused(client: ClientConnection, cause: unknown, isLate: boolean): CloseMessage {
		this.#hub.log.warn(
			{ err: cause, connectionId: client.connectionId },
			"A connected listener or filter refused the client.",
		);
		if (!isLate) {
			this.#hub.counters.add("refusals");
			this.#tellEnd(client, "refused");
		}
		this.#hub.lifetime.remove(client);
		return { type: MessageType.Close, error: closeText(cause, this.#hub.options.detailedErrors) };
	}

	#tellEnd(client: ClientConnection, reason: ConnectionEnd["reason"], error?: Error): void {
		const { observation, clock } = this.#hub;
		const openedAt = observation && this.#openedAt.get(client);
		if (openedAt === undefined) return;
		const code = error instanceof TrunklineError ? error.code : undefined;
		const facts = factsOf(client);
		if (code === "ERR_SLOW_CLIENT") observation?.tell("slowClientClosed", facts);
		const durationMs = clock.elapsed() - openedAt;
		// Asked again: whoever was told just now can have been the last who wanted to know.
		this.#hub.observation?.tell("connectionClosed", { ...facts, durationMs, reason, code });
	}
}

function factsOf({ transport, protocolName: protocol }: ClientConnection): ConnectionFacts {
	return { transport, protocol };
}
