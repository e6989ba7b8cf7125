import type { ClientCall, ClientResultOptions } from "../streams/client-results.js";
import type { ClientConnection } from "./client-connection.js";
import type { PreparedMessage } from "./prepared-message.js";
import type { Selection } from "./selection.js";

/**
 * Knows the connected clients, their groups and users, and delivers to them. The hub ships the one in memory; a
 * backplane puts another in its place. An unknown id, group or user is never an error.
 */
export interface Lifetime {
	add(client: ClientConnection): void;
	/** Forgets a client, its user and its groups. */
	remove(client: ClientConnection): void;
	get(connectionId: string): ClientConnection | undefined;
	readonly size: number;
	[Symbol.iterator](): Iterator<ClientConnection>;
	/**
	 * Resolves when the message is in the buffers of all that it is for, not when they have it. Rejects where the hub
	 * protocol of one of them cannot write it; the others get it all the same.
	 */
	send(selection: Selection, message: PreparedMessage): Promise<void>;
	/**
	 * Calls a method of one client and waits for its answer.
	 * @throws as `SingleClientProxy.invoke` says
	 */
	ask(connectionId: string, call: ClientCall, options: ClientResultOptions): Promise<unknown>;
	join(connectionId: string, group: string): Promise<void>;
	leave(connectionId: string, group: string): Promise<void>;
}
