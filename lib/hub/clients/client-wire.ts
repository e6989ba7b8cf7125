import type { Arguments, CloseMessage, HubProtocol } from "../../protocols/index.js";
import type { PushedItem } from "../items/pushed-items.js";
import type { ClientConnection } from "./client-connection.js";
import type { PreparedMessage } from "./prepared-message.js";
import type { Selection } from "./selection.js";

/** A call that brings something of a client back where its server has forgotten it. */
export interface RetainedCall {
	readonly target: string;
	readonly arguments: Arguments;
}

/** The same with arguments that are values as well: what a method retains. */
export interface CallToRetain {
	/** The method to call, by its name. */
	readonly target: string;
	/** What it is called with; 16 KiB at most, written. */
	readonly arguments: Arguments | readonly unknown[];
}

/** Where a client's messages go: a socket's channel, or a link that leads to the proxy that holds the client. */
export interface ClientWire {
	/** What carries this client together with others; absent for a client with a socket of its own. */
	readonly carrier?: Carrier | undefined;
	/** What its messages are written in, where that is known. */
	readonly protocol?: HubProtocol | undefined;
	/**
	 * So much waits that state is left out until {@link writable} says that there is room. Absent: it never does.
	 */
	readonly isSlow?: boolean | undefined;
	/** Bytes that were sent and that the client's socket has not taken. Absent where there is none: the session with a proxy has them. */
	readonly bufferedBytes?: number | undefined;
	/** Queues a message. Order is kept. A closed wire drops it. */
	send(message: PreparedMessage): void;
	/**
	 * Asks before a message that can wait (a stream's next item): undefined where the wire takes more at once, else a
	 * promise that resolves when it does, or is closed. Absent: it always does.
	 */
	writable?(): Promise<void> | undefined;
	/** Sends a Close message and ends the client's connection in order. Further sends are dropped. */
	close(message: CloseMessage): void;
	/**
	 * Remembers a call beyond the life of this process: whoever holds the client makes it again, in the name of its
	 * client, at the server that takes this one's place. A newer call with the same key takes the place of the former, in
	 * the order too. The arguments are to be read before it returns. Absent: nothing outlives us (a direct client).
	 */
	retain?(key: string, call: RetainedCall): void;
	/** The call is not to be made again. A key that is not there is passed over. */
	forget?(key: string): void;
	/** Tells whoever holds the client of an item. Absent: nobody does (a direct client). */
	pushItem?(item: PushedItem): void;
}

/**
 * Carries many clients at once (a proxy, seen from an app server): a message for a group crosses once, whatever the
 * number of members.
 */
export interface Carrier {
	/**
	 * Takes a message for those of its clients that `selection` names. `members` are these clients, as the hub knows
	 * them; it is empty for a selection of users that only the other end can resolve.
	 */
	send(selection: Selection, members: readonly ClientConnection[], message: PreparedMessage): void;
	/** One of its clients is in a group from now on. */
	joined(client: ClientConnection, group: string): void;
	left(client: ClientConnection, group: string): void;
}
