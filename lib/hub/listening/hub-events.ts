import { type ErrorCode, TrunklineError } from "../../errors/index.js";
import { excerpt } from "../../protocols/index.js";
import type { DisconnectReason } from "../clients/client-connection.js";
import type { ClientMethods } from "../clients/client-proxy.js";
import type { ConnectionContext } from "../dispatch/invocation-context.js";

/** Longest reason of an event, in characters; an app server's refusal may quote what a client sent. */
const MAX_REASON_LENGTH = 500;

/**
 * A message that could not be delivered. Each is one event and one count, so that sent = delivered + reported. Longer
 * names and ids are cut to 100 characters.
 */
export interface UndeliverableEvent {
	readonly code: ErrorCode;
	/** Connection id of the client that sent it, or that it was for. */
	readonly client?: string | undefined;
	readonly target?: string | undefined;
	readonly vmId?: string | undefined;
	/** What happened, in a sentence. */
	readonly reason: string;
}

/** A listener that may be async: the hub waits for it. */
export type HubListener<Args extends readonly unknown[]> = (...args: Args) => unknown;

/** The events of a hub and what their listeners get. */
export interface HubEvents<Client extends object = ClientMethods> {
	/** A client is there; its first message waits for the listeners. A listener that throws refuses the client. */
	connected: [ctx: ConnectionContext<Client>];
	/** A client is gone; its groups are still known. */
	disconnected: [ctx: ConnectionContext<Client>, reason: DisconnectReason];
	/**
	 * Another server is about to have a client that a proxy holds; all that it sent here is answered. What listeners
	 * `retain` of it now goes along. They are waited for as at its end. It is told of no client with a connection of its own.
	 */
	migrating: [ctx: ConnectionContext<Client>];
	undeliverable: [event: UndeliverableEvent];
}

const EVENTS: readonly string[] = ["connected", "disconnected", "migrating", "undeliverable"];

/** Refuses what would never be called. @throws TrunklineError ERR_OPTION */
export function checkListener(name: string, listener: unknown): void {
	if (!EVENTS.includes(name)) {
		throw new TrunklineError("ERR_OPTION", `A hub has no event "${name}", only ${EVENTS.join(", ")}.`);
	}
	if (typeof listener === "function") return;
	throw new TrunklineError(
		"ERR_OPTION",
		`The listener of "${name}" must be a function; found ${typeof listener}.`,
	);
}

/** The texts in an event may be a client's, of any length, and whoever hears of it may keep them. */
export function shortened(event: UndeliverableEvent): UndeliverableEvent {
	const { code, client, target, vmId, reason } = event;
	return {
		code,
		...(client === undefined ? {} : { client: excerpt(client) }),
		...(target === undefined ? {} : { target: excerpt(target) }),
		...(vmId === undefined ? {} : { vmId: excerpt(vmId) }),
		reason: reason.length > MAX_REASON_LENGTH ? `${reason.slice(0, MAX_REASON_LENGTH - 1)}…` : reason,
	};
}
