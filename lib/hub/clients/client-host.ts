import type {
	CloseMessage,
	CompletionMessage,
	InvocationMessage,
	StreamInvocationMessage,
} from "../../protocols/index.js";
import type { PushedItem } from "../items/pushed-items.js";
import type { StreamLimits } from "../streams/client-streams.js";
import type { ClientConnection, DisconnectReason } from "./client-connection.js";
import type { StateSources } from "./state-sources.js";

/** What a client connection needs of its hub. */
export interface ClientHost {
	readonly maximumParallelInvocations: number;
	/** Calls of one client that may run without a slot, since they have asked a client for something. */
	readonly maxPendingClientResults: number;
	readonly streamLimits: StreamLimits;
	/** Who can send the whole of a state. */
	readonly stateSources: StateSources;
	/**
	 * Runs an invocation to its end and answers it: at once, or as the promise says, which never rejects. True where it
	 * still has the slot that it was started in.
	 */
	dispatch(client: ClientConnection, message: InvocationMessage): Promise<boolean> | boolean;
	/** Runs a call that sends or wants streams to its end, beside all others. */
	stream(client: ClientConnection, message: InvocationMessage | StreamInvocationMessage): void;
	/** Takes the answer to a call of ours. @throws TrunklineError ERR_PROTOCOL where this client was not asked. */
	completed(client: ClientConnection, message: CompletionMessage): void;
	/** An item was pushed, see {@link ItemSink}. */
	itemPushed(client: ClientConnection, item: PushedItem, from: unknown): void;
	/** The client is ending: nothing it was asked for will come. */
	ending(client: ClientConnection): void;
	/** Runs the connected listeners; rejects when the client is refused. */
	connected(client: ClientConnection): Promise<void>;
	/** Waits for listeners to settle, though not for ever. Never rejects. */
	settled(listeners: Promise<unknown>): Promise<unknown>;
	/** Another server is about to have the client: runs the migrating listeners. Never rejects. */
	migrating(client: ClientConnection): Promise<void>;
	/** Runs the disconnected listeners and forgets the client. Never rejects. */
	disconnected(client: ClientConnection, reason: DisconnectReason): Promise<void>;
	/** Forgets a client whose connected listeners refused it, and says what it may be told; `isLate` once it was disconnected. */
	refused(client: ClientConnection, cause: unknown, isLate: boolean): CloseMessage;
}
