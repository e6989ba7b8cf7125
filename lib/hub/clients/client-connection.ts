import { type Deferred, deferred } from "../../base/index.js";
import {
	Arguments,
	type CloseMessage,
	type CompletionMessage,
	type HubMessage,
	isCall,
	MessageType,
} from "../../protocols/index.js";
import type { ConnectionRequest, TransportName, User } from "../../transports/index.js";
import { type PushedItem, PushedItems } from "../items/pushed-items.js";
import { ClientStreams } from "../streams/client-streams.js";
import type { ClientHost } from "./client-host.js";
import { invocationOf } from "./client-proxy.js";
import type { CallToRetain, ClientWire } from "./client-wire.js";
import { InvocationSlots } from "./invocation-slots.js";
import { PreparedMessage } from "./prepared-message.js";
import { StateBacklog } from "./state-backlog.js";

/** Why a client is gone: it (or we) ended in order, it was lost, or another server has it now. */
export interface DisconnectReason {
	readonly kind: "closed" | "lost" | "migrated";
	readonly error?: Error | undefined;
}

/** What is known of a client when it connects. */
export interface ClientIdentity {
	readonly connectionId: string;
	readonly user: User | undefined;
	readonly request: ConnectionRequest;
	readonly transport: TransportName | "Link";
	readonly protocolName: string;
	/** Items that other servers have pushed, which {@link ClientConnection.items} begins with. @defaultValue none */
	readonly pushed?: readonly PushedItem[] | undefined;
	/** See {@link ClientConnection.recovered}. @defaultValue false */
	readonly recovered?: boolean | undefined;
	/** See {@link ClientConnection.migrated}. @defaultValue false */
	readonly migrated?: boolean | undefined;
	/**
	 * Begins the ids of calls to this client, so that whoever passes its answers on finds the way without a table; unique
	 * among all that may call it. @defaultValue ""
	 */
	readonly idPrefix?: string | undefined;
}

/** Somebody behind us who asks a client. */
interface Asker {
	readonly prefix: string;
	take(message: CompletionMessage): void;
}

/**
 * A client's SignalR connection as everything in a hub sees it: one that ends here, or one that a proxy holds and
 * forwards. Nothing tells them apart but the wire.
 *
 * Life: opening (connected listeners run) → open (messages are dispatched) → draining (only at the end of a hub, while a
 * call runs) → ended (signal aborted at once, disconnected listeners run, forgotten). One that ends while it is opening lets
 * the connected listeners settle first, for a while. Invocations run one at a time, in order, unless
 * `maximumParallelInvocations` allows more.
 */
export class ClientConnection {
	readonly connectionId: string;
	readonly user: User | undefined;
	readonly request: ConnectionRequest;
	readonly transport: TransportName | "Link";
	/** The hub protocol that the client speaks: `json`, `messagepack`, `dotnetify-link`. */
	readonly protocolName: string;
	readonly wire: ClientWire;
	/**
	 * The proxy that holds this client has opened it anew at this server, because the one that had it went away: its
	 * groups and streams are to be made again, and what was retained is about to be called again.
	 */
	readonly recovered: boolean;
	/** It is recovered, and the server that had it handed it over in order, because that one stops or left the list: all that it had begun was answered. */
	readonly migrated: boolean;
	/** Begins the ids of calls to this client. */
	readonly idPrefix: string;
	readonly #host: ClientHost;
	// A hub holds many idle clients: what most never need is made on first use, and let go when it has served.
	#items: Map<string, unknown> | undefined;
	#pushed: PushedItems | undefined;
	#groups: Set<string> | undefined;
	#abort: AbortController | undefined;
	#slots: InvocationSlots | undefined;
	#streams: ClientStreams | undefined;
	/** Those who asked this client through us. */
	#askers: readonly Asker[] | undefined;
	#backlog: StateBacklog | undefined;
	/** Resolved when messages that came early may go on: the client is open, or gone. */
	#opened: Deferred<void> | undefined = deferred();
	/** Resolved when the connected listeners have settled. */
	#settled: Deferred<void> | undefined = deferred();
	#state: "opening" | "open" | "draining" | "ended" = "opening";
	#fate: "refused" | "disconnected" | undefined;
	#calls = 0;
	/** Called when the last call of a draining client is answered. */
	#idle: (() => void) | undefined;
	#ended: Promise<void> | undefined;

	constructor(identity: ClientIdentity, wire: ClientWire, host: ClientHost) {
		this.connectionId = identity.connectionId;
		this.user = identity.user;
		this.request = identity.request;
		this.transport = identity.transport;
		this.protocolName = identity.protocolName;
		this.wire = wire;
		this.recovered = identity.recovered ?? false;
		this.migrated = identity.migrated ?? false;
		this.idPrefix = identity.idPrefix ?? "";
		this.#host = host;
		if (identity.pushed) for (const item of identity.pushed) this.#madePushed.begin(item);
	}

	/** A place for whatever belongs to this connection, at this server; gone with it. See {@link pushItem}. */
	get items(): Map<string, unknown> {
		this.#items ??= new Map();
		return this.#items;
	}

	/**
	 * Puts an item into {@link items}, as it is now, here and at every server that has this client over native links: the
	 * proxies that hold it, and the app servers behind them, also those that come later, such as one that takes the place
	 * of another. It is there when the calls and messages behind it are. Two that push the same name at a time may each
	 * keep the other's.
	 * @param name - 1 to 256 bytes
	 * @param value - what MessagePack carries; undefined takes the item out
	 * @throws TrunklineError ERR_LIMIT beyond 8 KiB of names and values; ERR_SERIALIZATION; ERR_ARGUMENTS for the name
	 */
	pushItem(name: string, value: unknown): void {
		if (this.#state !== "ended") this.#madePushed.push(name, value);
	}

	/** Takes an item that `from` has brought, who is not told. @throws TrunklineError ERR_LIMIT, ERR_PROTOCOL */
	takeItem(item: PushedItem, from: unknown): void {
		if (this.#state !== "ended") this.#madePushed.take(item, from);
	}

	/** Items that were pushed, here or elsewhere. */
	get pushed(): Iterable<PushedItem> {
		return this.#pushed ?? [];
	}

	get #madePushed(): PushedItems {
		this.#pushed ??= new PushedItems(this, this.#host);
		return this.#pushed;
	}

	/** Names of the groups that it is in, kept by the lifetime. */
	get groups(): Set<string> {
		this.#groups ??= new Set();
		return this.#groups;
	}

	/** Its streams, made on first use. */
	get streams(): ClientStreams {
		this.#streams ??= new ClientStreams(this.#host.streamLimits);
		return this.#streams;
	}

	/** Whether its connected listeners still run. */
	get isOpening(): boolean {
		return this.#state === "opening";
	}

	/** Calls that run and have a slot, or are between two. */
	get running(): number {
		return this.#slots?.running ?? 0;
	}

	/** Whether it takes no more calls: the hub closes. */
	get isDraining(): boolean {
		return this.#state === "draining";
	}

	/** A call that is to be answered was taken. @internal */
	callStarted(): void {
		this.#calls++;
	}

	/** Such a call was answered, or needs no answer. @internal */
	callEnded(): void {
		this.#calls--;
		if (this.#calls === 0) this.#idle?.();
	}

	/** Whether the client is gone; cheaper to ask than {@link aborted}. */
	get isEnded(): boolean {
		return this.#state === "ended";
	}

	/** Aborted as soon as the client is gone. */
	get aborted(): AbortSignal {
		if (!this.#abort) {
			this.#abort = new AbortController();
			if (this.isEnded) this.#abort.abort();
		}
		return this.#abort.signal;
	}

	/** Runs the connected listeners. Messages that come meanwhile wait. Called once, by the hub. */
	async open(): Promise<void> {
		try {
			await this.#host.connected(this);
			if (this.#state === "opening") this.#state = "open";
		} catch (cause) {
			this.#refuse(cause);
		}
		this.#settled?.resolve();
		this.#opened?.resolve();
		this.#settled = undefined;
		this.#opened = undefined;
	}

	/**
	 * Takes a message of this client. A returned promise asks for back-pressure: read no further until it resolves.
	 * A running invocation does not hold the reader; a second one that has to wait for its slot does.
	 */
	receive(message: HubMessage): Promise<void> | undefined {
		if (this.#state === "opening") return this.#opened?.promise.then(() => this.receive(message));
		if (this.#state === "ended" || (this.#state === "draining" && isCall(message))) return undefined;
		switch (message.type) {
			case MessageType.Invocation:
				if (message.streamIds === undefined) return this.#madeSlots.take(message);
				this.#host.stream(this, message);
				return undefined;
			case MessageType.StreamInvocation:
				this.#host.stream(this, message);
				return undefined;
			case MessageType.StreamItem:
				return this.#streams?.item(message);
			case MessageType.CancelInvocation:
				this.#streams?.cancel(message.invocationId);
				return undefined;
			case MessageType.Completion:
				this.#answered(message);
				return undefined;
			case MessageType.Close:
				this.#closedByPeer(message);
				return undefined;
			default:
				return undefined;
		}
	}

	/** Calls a method of this client; nobody answers. */
	send(target: string, ...args: readonly unknown[]): void {
		this.sendPrepared(new PreparedMessage(invocationOf(target, args)));
	}

	/** Sends a message that may go to others as well. State is left out, for now, where the client reads too slowly. */
	sendPrepared(message: PreparedMessage): void {
		if (this.#state !== "ended" && !this.keepsBack(message)) this.wire.send(message);
	}

	/**
	 * Whether a message is state that this client must not be sent now: it reads too slowly, or has to have the whole
	 * first. It gets the state in time then, whoever asks.
	 */
	keepsBack(message: PreparedMessage): boolean {
		if (message.delivery.kind === "event" || !(this.#backlog || this.wire.isSlow)) return false;
		this.#backlog ??= new StateBacklog(this, this.#host.stateSources);
		const isTaken = this.#backlog.takes(message);
		if (this.#backlog.isEmpty) this.#backlog = undefined;
		return isTaken;
	}

	/** Whether some state is left out. */
	get isBehind(): boolean {
		return this.#backlog !== undefined;
	}

	/**
	 * Gives answers of this client to somebody who asked it through us: Completions whose id begins with `prefix` go to
	 * `take`, and nowhere else. Returns what ends it.
	 */
	relayAnswers(prefix: string, take: (message: CompletionMessage) => void): () => void {
		const asker = { prefix, take };
		this.#askers = [...(this.#askers ?? []), asker];
		return () => {
			const left = this.#askers?.filter((other) => other !== asker);
			this.#askers = left?.length ? left : undefined;
		};
	}

	/** Whether somebody holds this client who makes retained calls again. */
	get isRetaining(): boolean {
		return this.wire.retain !== undefined;
	}

	/**
	 * Has a call made again where this server forgets its client, see {@link ClientWire.retain}. A newer call with the same
	 * key takes the place of an older one. Nothing happens where the client has a socket of its own.
	 */
	retain(key: string, call: CallToRetain): void {
		if (this.#state === "ended" || !this.wire.retain) return;
		const { target, arguments: args } = call;
		this.wire.retain(key, { target, arguments: args instanceof Arguments ? args : Arguments.of(args) });
	}

	/** Such a call is not to be made again. */
	forget(key: string): void {
		if (this.#state !== "ended") this.wire.forget?.(key);
	}

	/** Ends this connection in order; its client is told not to come back by itself. */
	abort(): void {
		this.close();
	}

	/** Ends this connection in order with a Close message, and its life with reason `closed`. */
	close(error?: string, allowReconnect = false): void {
		this.#close({ type: MessageType.Close, error, allowReconnect }, { kind: "closed" });
	}

	#close(message: CloseMessage, reason: DisconnectReason): void {
		if (this.#state === "ended") return;
		this.wire.close(message);
		void this.ended(reason);
	}

	/**
	 * Ends this connection with `allowReconnect` as soon as the calls that run are answered, and starts no more: what its
	 * client still asks for, it may ask for elsewhere. Streams to it are not waited for. Where somebody holds the client
	 * who brings it to another server, the migrating listeners run before. Resolves when all is cleaned up.
	 */
	async drain(reason: DisconnectReason = { kind: "closed" }): Promise<void> {
		if (this.#state === "open" && (this.#calls > 0 || this.isRetaining)) {
			this.#state = "draining";
			this.#slots?.dropWaiting();
			await this.#answeredAll();
			if (!this.isEnded && this.isRetaining) await this.#host.migrating(this);
		}
		this.#close({ type: MessageType.Close, allowReconnect: true }, reason);
		await this.ended(reason);
	}

	async #answeredAll(): Promise<void> {
		if (this.#calls === 0) return;
		const { promise, resolve } = deferred();
		this.#idle = resolve;
		await promise;
	}

	/** The client is gone. Resolves when everything of it is cleaned up; later calls return the same promise. */
	ended(reason: DisconnectReason): Promise<void> {
		this.#ended ??= this.#end(reason);
		return this.#ended;
	}

	async #end(reason: DisconnectReason): Promise<void> {
		if (this.#state === "ended") return;
		const wasOpening = this.#state === "opening";
		this.#state = "ended";
		this.#abort?.abort();
		this.#streams?.end();
		this.#host.ending(this);
		this.#opened?.resolve();
		this.#idle?.();
		this.#slots?.dropWaiting();
		if (wasOpening && this.#settled) await this.#host.settled(this.#settled.promise);
		if (this.#fate === "refused") return;
		this.#fate = "disconnected";
		await this.#host.disconnected(this, reason);
	}

	#refuse(cause: unknown): void {
		const close = this.#host.refused(this, cause, this.#fate === "disconnected");
		this.#fate ??= "refused";
		this.#state = "ended";
		this.#abort?.abort();
		this.wire.close(close);
	}

	/**
	 * A running call lets the next one start: it waits for something that this one may bring. False where as many have
	 * done so already as may, and have not ended: a client could have any number of them running.
	 */
	releaseSlot(): boolean {
		return this.#madeSlots.release();
	}

	get #madeSlots(): InvocationSlots {
		this.#slots ??= new InvocationSlots(this, this.#host);
		return this.#slots;
	}

	#answered(message: CompletionMessage): void {
		if (this.#streams?.completed(message)) return;
		const asker = this.#askers?.find(({ prefix }) => message.invocationId.startsWith(prefix));
		if (asker) asker.take(message);
		else this.#host.completed(this, message);
	}

	#closedByPeer(message: CloseMessage): void {
		const error = message.error === undefined ? undefined : new Error(message.error);
		void this.ended({ kind: "closed", error });
		this.wire.close({ type: MessageType.Close });
	}
}
