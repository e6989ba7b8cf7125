import { TrunklineError } from "../../errors/index.js";
import type { Arguments } from "../../protocols/index.js";
import type { User } from "../../transports/index.js";
import { CallerClients } from "../clients/caller-clients.js";
import type { ClientConnection } from "../clients/client-connection.js";
import type { ClientMethods, Groups } from "../clients/client-proxy.js";
import type { PreparedMessage } from "../clients/prepared-message.js";
import type { Hub } from "../hub.js";
import type { Download } from "../streams/download.js";
import type { UploadRelay } from "../streams/upload.js";
import { Refused } from "./check.js";

/** What a view-model message is about: the whole id, and the root that routing goes by. */
export interface Route {
	readonly vmId: string;
	readonly root: string;
}

/**
 * Ends a call whose answer comes after its middleware has returned. The first of `complete`, `fail` and `relay` counts;
 * what comes later is dropped, and so is everything once the client is gone or has cancelled its stream.
 */
export interface Completer {
	complete(result?: unknown): void;
	/** Fails the invocation; `text` is shown to the client as it is. */
	fail(text: string): void;
	/**
	 * The answer was written elsewhere: exactly `completion` (with the call's own id) goes to the client. For those who
	 * observe, `failure` says that it is an error; a stream has then failed, else it is completed.
	 */
	relay(completion: PreparedMessage, failure?: "Error"): void;
	/**
	 * One item of the stream that answers, written elsewhere: goes to the client as it is. Nothing holds it back: ask
	 * the client's `wire.writable()` before. Dropped where no stream was asked for, and once it is over.
	 */
	relayItem(item: PreparedMessage): void;
}

/** What connected and disconnected listeners get, and the base of every invocation's context. */
export class ConnectionContext<Client extends object = ClientMethods> {
	readonly hub: Hub<Client>;
	readonly connection: ClientConnection;
	#clients: CallerClients<Client> | undefined;

	constructor(hub: Hub<Client>, connection: ClientConnection) {
		this.hub = hub;
		this.connection = connection;
	}

	get connectionId(): string {
		return this.connection.connectionId;
	}

	get user(): User | undefined {
		return this.connection.user;
	}

	/** A place for whatever belongs to this connection; gone with it. */
	get items(): Map<string, unknown> {
		return this.connection.items;
	}

	/** Everyone who can be sent to, also relative to this connection. */
	get clients(): CallerClients<Client> {
		this.#clients ??= new CallerClients(this.hub.lifetime, this.connection.connectionId, () => this.asking());
		return this.#clients;
	}

	/**
	 * Called before a client is asked for a result. In a listener there must be no asking: the client's messages, its
	 * answer among them, wait for the listener.
	 * @internal
	 * @throws TrunklineError ERR_CLIENT_RESULT
	 */
	asking(): void {
		if (!this.connection.isOpening) return;
		throw new TrunklineError(
			"ERR_CLIENT_RESULT",
			"Clients cannot be asked for results while a connected listener runs; ask in a method, or later.",
		);
	}

	get groups(): Groups {
		return this.hub.groups;
	}

	/** Aborted when the client is gone. */
	get signal(): AbortSignal {
		return this.connection.aborted;
	}

	/** Ends the connection in order; its client is told not to come back by itself. */
	abort(): void {
		this.connection.abort();
	}
}

/** What an {@link InvocationContext} is made from. */
export interface Call {
	readonly target: string;
	readonly arguments: Arguments;
	readonly invocationId: string | undefined;
	/** Where the call is a StreamInvocation: the stream that answers it. */
	readonly stream?: Download | undefined;
	/** Ids of the streams that the client sends with it. */
	readonly streamIds?: readonly string[] | undefined;
	/** Why the call cannot have them, where that is so. */
	readonly uploadRefusal?: string | undefined;
	/** Hands these streams over, where the call has any. */
	readonly relayUploads?: ((ctx: InvocationContext, relay: UploadRelay) => void) | undefined;
}

/** One call of a client on its way through the middleware list to a hub method. */
export class InvocationContext<Client extends object = ClientMethods> extends ConnectionContext<Client> {
	/** The declared name where the hub has the method, else the name that the client sent. */
	readonly target: string;
	/** The arguments with the bytes that the client sent, where the protocol kept them. */
	readonly arguments: Arguments;
	/** Absent where the client wants no answer. */
	readonly invocationId: string | undefined;
	/** Ids of the streams that the client sends with this call. */
	readonly streamIds: readonly string[] | undefined;
	/**
	 * What the Completion will carry: set by the method, or by a middleware that answers itself. In a call for a stream
	 * ({@link isStream}) it is the iterable whose items are sent, once all middleware has returned.
	 */
	result: unknown = undefined;
	readonly #answer: (completion: DeferredAnswer) => void;
	readonly #call: Call;
	#route: Route | null | undefined;
	#hasSlot: boolean;
	#isDeferred = false;
	#isAnswered = false;

	constructor(
		hub: Hub<Client>,
		connection: ClientConnection,
		call: Call,
		answer: (answer: DeferredAnswer) => void,
	) {
		super(hub, connection);
		this.target = call.target;
		this.arguments = call.arguments;
		this.invocationId = call.invocationId;
		this.streamIds = call.streamIds;
		this.#call = call;
		this.#hasSlot = call.stream === undefined && call.streamIds === undefined;
		this.#answer = answer;
	}

	/** Whether the client wants a stream as the answer. */
	get isStream(): boolean {
		return this.#call.stream !== undefined;
	}

	/** Aborted when the client is gone, and in a call for a stream as soon as that is over. */
	override get signal(): AbortSignal {
		return this.#call.stream?.signal ?? super.signal;
	}

	/** The call has ended; tells whether it has kept others of its client from running until now. @internal */
	ended(): boolean {
		const hasSlot = this.#hasSlot;
		// Whoever asks a client from now on has nothing to give up.
		this.#hasSlot = false;
		return hasSlot;
	}

	/**
	 * A method that waits for a client lets others run meanwhile: they may be what it waits for.
	 * @internal
	 * @throws TrunklineError ERR_LIMIT, and as that of all contexts
	 */
	override asking(): void {
		super.asking();
		if (!this.#hasSlot) return;
		this.#hasSlot = false;
		if (this.connection.releaseSlot()) return;
		this.#hasSlot = true;
		const message = `Connection '${this.connectionId}' runs as many calls as may ask clients at once (maxPendingClientResults).`;
		throw new TrunklineError("ERR_LIMIT", message);
	}

	/** The decoded arguments. */
	get args(): readonly unknown[] {
		return this.arguments.values;
	}

	/** What the call is about, by the hub's `route` option, which is asked once, and only where somebody wants to know. */
	get route(): Route | undefined {
		if (this.#route === undefined)
			this.#route = this.hub.options.route?.(this.target, this.arguments) ?? null;
		return this.#route ?? undefined;
	}

	get vmId(): string | undefined {
		return this.route?.vmId;
	}

	/** Whether {@link deferCompletion} was called. */
	get isDeferred(): boolean {
		return this.#isDeferred;
	}

	/**
	 * Takes the answer over: it is sent when the returned completer is called, also long after the middleware has
	 * returned. The client's invocation slot is free as soon as that has happened.
	 */
	deferCompletion(): Completer {
		this.#isDeferred = true;
		return {
			complete: (result) => this.answer({ result }),
			fail: (error) => this.answer({ error }),
			relay: (relayed, failure) => this.answer({ relayed, failure }),
			relayItem: (item) => this.#relayItem(item),
		};
	}

	/**
	 * Takes the streams that the client sends with this call, for a middleware that passes the call on: `relay` gets what
	 * has come already and then all that comes, each stream in its order. The id of a stream is free again when its end was
	 * handed over, when the call is answered (where it is to be), or when the client is gone; what comes later is dropped.
	 * What `relay` throws, or rejects with, fails the call. Does nothing where the client sends no streams.
	 * @throws TrunklineError ERR_MIDDLEWARE where they were taken before; an error whose text the client gets where it has
	 * more streams than it may, or uses an id twice
	 */
	relayUploads(relay: UploadRelay): void {
		this.checkUploads();
		this.#call.relayUploads?.(this as unknown as InvocationContext, relay);
	}

	/** Refuses streams that {@link relayUploads} would refuse, for a middleware that passes the call on before them. @throws as that */
	checkUploads(): void {
		const { uploadRefusal } = this.#call;
		if (uploadRefusal !== undefined) throw new Refused(uploadRefusal);
	}

	#relayItem(item: PreparedMessage): void {
		const { stream } = this.#call;
		if (!stream || stream.isOver) return;
		try {
			this.connection.sendPrepared(item);
			stream.relayed();
		} catch (thrown) {
			stream.fail(thrown);
		}
	}

	/**
	 * Answers the invocation, once: a middleware that throws after it has deferred fails the invocation, and what its
	 * completer says later is dropped.
	 * @internal
	 */
	answer(answer: DeferredAnswer): void {
		if (this.#isAnswered) return;
		this.#isAnswered = true;
		this.#answer(answer);
	}
}

/** How a deferred invocation ended. */
export type DeferredAnswer =
	| { readonly result: unknown; readonly error?: undefined; readonly relayed?: undefined }
	| { readonly error: string; readonly relayed?: undefined }
	| { readonly relayed: PreparedMessage; readonly error?: undefined; readonly failure: "Error" | undefined };
