import { type Deferred, deferred } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import {
	type CloseMessage,
	framedRecords,
	type HubMessage,
	type HubProtocol,
	MAX_HANDSHAKE_BYTES,
	MessageType,
	type RecordSplitter,
	TextSplitter,
	writeHandshakeResponse,
} from "../../protocols/index.js";
import type { Connection, ConnectionListener, ConnectionRequest, User } from "../../transports/index.js";
import type { DisconnectReason } from "../clients/client-connection.js";
import { PreparedMessage } from "../clients/prepared-message.js";
import { closeText } from "../dispatch/failure-text.js";
import type { TrafficFacts } from "../observing/observer.js";
import type { ChannelHandler, ChannelHost, Detached } from "./channel-host.js";
import { type Agreement, agree, HANDSHAKE_FAILED, STATEFUL_VERSION } from "./handshake.js";
import type { Beating } from "./heartbeat.js";
import { asError, tellLoss } from "./loss.js";
import { LAST_NUMBERED, StatefulReconnect } from "./stateful-reconnect.js";
import { TurnBudget } from "./turn-budget.js";

const PING = new PreparedMessage({ type: MessageType.Ping });

/**
 * A connection that speaks hub messages. Handshake → open (⇄ interrupted, where stateful reconnect was granted) → closed,
 * or detached; it owns the framing, the keep-alive, the client timeout, the limit on a message and what a lost socket has to be told
 * again, and knows nothing of what the messages are for.
 */
export class MessageChannel implements Beating, ConnectionListener {
	readonly connection: Connection;
	readonly #host: ChannelHost;
	/** Made when something comes, and let go when nothing has for a while. */
	#budget: TurnBudget | undefined;
	#splitter: RecordSplitter;
	#protocol: HubProtocol | undefined;
	#handler: ChannelHandler | undefined;
	#state: "handshake" | "open" | "closed" | "detached" = "handshake";
	/** Whether messages are read by `peek`. */
	#isPeeking = false;
	#maxMessageBytes: number;
	#isHeld = false;
	/** Resolved when a sender who waits may go on. */
	#room: Deferred<void> | undefined;
	/** Where it was granted. */
	#reconnect: StatefulReconnect | undefined;
	#closedBy: DisconnectReason | undefined;
	/** When the last ping was sent, or the connection was opened. */
	#lastPingSent: number;
	/** When the client was last heard; undefined until its first Ping, which arms the timeout. */
	#heardAt: number | undefined;

	constructor(connection: Connection, host: ChannelHost) {
		this.connection = connection;
		this.#host = host;
		this.#maxMessageBytes = host.maxMessageBytes;
		this.#lastPingSent = this.#now;
		this.#splitter = new TextSplitter(MAX_HANDSHAKE_BYTES);
		host.heartbeat.add(this);
		connection.listen(this);
	}

	get connectionId(): string {
		return this.connection.connectionId;
	}

	get request(): ConnectionRequest {
		return this.connection.request;
	}

	get user(): User | undefined {
		return this.connection.user;
	}

	/** The protocol that the handshake chose. */
	get protocol(): HubProtocol | undefined {
		return this.#protocol;
	}

	/** Sets the largest message that is taken, in bytes with its framing. */
	set maxMessageBytes(bytes: number) {
		this.#maxMessageBytes = bytes;
		if (!this.#protocol || this.#state !== "open") return;
		const rest = this.#splitter.rest();
		this.#splitter = this.#protocol.createSplitter(bytes);
		this.#splitter.push(rest);
	}

	/** Replaces the receiver of the messages; the former one hears no more. */
	handOver(handler: ChannelHandler): void {
		this.#handler = handler;
	}

	/**
	 * Lets go of the connection, for somebody who speaks no hub messages: for the `handshake` of an acceptor. Nothing is
	 * sent, no handler hears of it, and everything of the connection is the caller's from now on: it calls
	 * `connection.listen` in the same turn, and ends the connection when the hub closes. The handler that the acceptor
	 * returns is never called.
	 * @throws TrunklineError ERR_CONNECTION_CLOSED where there is nothing to let go of
	 */
	detach(): Detached {
		if (this.#state !== "open") {
			throw new TrunklineError(
				"ERR_CONNECTION_CLOSED",
				"A channel can be detached between its handshake and its end only.",
			);
		}
		this.#state = "detached";
		this.#handler = undefined;
		this.#host.heartbeat.remove(this);
		this.connection.release();
		this.#host.detached(this);
		this.drained();
		return { connection: this.connection, rest: this.#splitter.rest() };
	}

	/** Queues a message; dropped once the channel is closed. */
	send(message: PreparedMessage): void {
		if (this.#state !== "open" || !this.#protocol) return;
		const bytes = message.bytesFor(this.#protocol);
		const isCounted = this.#reconnect !== undefined || this.#host.watched?.observation !== undefined;
		if (!isCounted) this.connection.send(bytes, this.#protocol.transferFormat);
		else if (!message.isJoined) this.#sendCounted(message.type, bytes, this.#protocol);
		else
			for (const each of framedRecords(this.#protocol, bytes))
				this.#sendCounted(message.type, each, this.#protocol);
	}

	/** Where somebody counts messages, or has to be told again. */
	#sendCounted(type: MessageType, bytes: Buffer, { transferFormat }: HubProtocol): void {
		this.#host.watched?.observation?.tell("messageSent", this.#trafficOf(bytes));
		if (type <= LAST_NUMBERED) this.#reconnect?.sent(bytes);
		this.connection.send(bytes, transferFormat);
	}

	/** Undefined where more may be sent at once, else what a sender who can wait should wait for: room, or the end. */
	writable(): Promise<void> | undefined {
		if (this.#state !== "open" || !this.#isFull) return undefined;
		this.#room ??= deferred();
		return this.#room.promise;
	}

	/** So much waits that state should be left out, until {@link writable} says that there is room. */
	get isSlow(): boolean {
		return this.#state === "open" && (this.connection.isSlow || this.#reconnect?.isSlow === true);
	}

	/** Sends the Close message and ends the connection in order. */
	close(message: CloseMessage): void {
		if (this.#state === "detached") return;
		this.send(new PreparedMessage(message));
		this.connection.close();
		this.#finish({ kind: "closed" });
	}

	/** Called by the heartbeat. */
	tick(now: number): void {
		if (this.#budget?.isOver(now)) this.#budget = undefined;
		if (this.#state === "handshake") {
			if (now - this.#lastPingSent >= this.#host.handshakeTimeoutMs) this.#refuse("Handshake was canceled.");
			return;
		}
		if (this.#isExpired) {
			this.close({ type: MessageType.Close, allowReconnect: true });
			return;
		}
		if (this.connection.hasInherentKeepAlive || this.#reconnect?.isInterrupted) return;
		this.#reconnect?.acknowledge();
		if (now - this.#lastPingSent >= this.#host.keepAliveIntervalMs) {
			this.#lastPingSent = Math.floor(now);
			this.send(PING);
		}
		// While we hold the reading back, the client's silence is our doing.
		if (this.#isHeld || this.#heardAt === undefined) return;
		if (now - this.#heardAt >= this.#host.clientTimeoutMs) this.#timeOut();
	}

	/** What proved the user has expired, and was not renewed. */
	get #isExpired(): boolean {
		if (!this.#host.closeOnAuthenticationExpiration) return false;
		const expiresAt = this.connection.user?.expiresAt;
		return expiresAt !== undefined && this.#host.clock.now() >= expiresAt;
	}

	/** In whole milliseconds: V8 keeps a fraction in an object of its own. */
	get #now(): number {
		return Math.floor(this.#host.clock.elapsed());
	}

	get #isFull(): boolean {
		return this.connection.isFull || this.#reconnect?.isFull === true;
	}

	/** Called by the connection. */
	drained(): void {
		if (!this.#room || (this.#state === "open" && this.#isFull)) return;
		this.#room.resolve();
		this.#room = undefined;
	}

	/** Called by the connection: what was sent before is still the client's, if it reads that in time. */
	tooSlow(error: Error): void {
		this.#fail(error);
	}

	#timeOut(): void {
		const ms = this.#host.clientTimeoutMs;
		this.#fail(
			new TrunklineError("ERR_CLIENT_TIMEOUT", `The client sent nothing for ${ms} ms (clientTimeoutMs).`),
		);
	}

	/** Called by the connection. */
	data(chunk: Buffer): void {
		if (this.#isOver) return;
		this.#splitter.push(chunk);
		// What comes while the reading is held waits; its time is not the client's.
		if (!this.#isHeld) this.#pump();
	}

	#pump(): void {
		this.#budget ??= new TurnBudget(this.#host.clock);
		const budget = this.#budget;
		budget.begin();
		let hasTaken = false;
		try {
			if (this.#state === "handshake") this.#shake();
			while (this.#state === "open" && !this.#isHeld && this.#splitter.pendingBytes > 0) {
				if (budget.isSpent) {
					this.#hold(this.#turn(budget));
					return;
				}
				const record = this.#splitter.next();
				if (!record) break;
				budget.count();
				hasTaken = true;
				this.#take(record);
			}
		} catch (error) {
			this.#fail(error);
		}
		// One look at the clock serves all that came at once.
		if (hasTaken && this.#heardAt !== undefined) this.#heardAt = this.#now;
		if (!this.#isHeld) budget.rest();
	}

	/** Lets the event loop turn, so that others are served. */
	async #turn(budget: TurnBudget): Promise<void> {
		await new Promise((resolve) => setImmediate(resolve));
		budget.renew();
	}

	#take(record: Buffer): void {
		this.#host.watched?.observation?.tell("messageReceived", this.#trafficOf(record));
		const message = this.#read(record);
		if (message?.type === MessageType.Ping) this.#heardAt = this.#now;
		if (!message || this.#reconnect?.takes(message, record.length)) return;
		const wait = this.#handler?.message(message);
		if (wait) this.#hold(wait);
	}

	#read(record: Buffer): HubMessage | undefined {
		if (!this.#isPeeking) return this.#protocol?.parse(record);
		return this.#protocol?.peek?.(record) ?? this.#protocol?.parse(record);
	}

	#trafficOf({ length: bytes }: Buffer): TrafficFacts {
		return { transport: this.connection.transport, bytes };
	}

	/** Called by the connection. */
	interrupted(): void {
		// What was not parsed was not counted either: the client sends it again.
		if (this.#protocol) this.#splitter = this.#protocol.createSplitter(this.#maxMessageBytes);
		this.#reconnect?.interrupted();
	}

	/** Called by the connection. */
	resumed(): void {
		if (this.#state !== "open") return;
		this.#reconnect?.resumed();
		this.#lastPingSent = this.#now;
		if (this.#heardAt !== undefined) this.#heardAt = this.#lastPingSent;
		this.drained();
	}

	#hold(wait: Promise<void>): void {
		this.#isHeld = true;
		this.connection.pause();
		wait.then(
			() => this.#release(),
			(error) => this.#fail(error),
		);
	}

	#release(): void {
		this.#isHeld = false;
		if (this.#isOver) return;
		if (this.#heardAt !== undefined) this.#heardAt = this.#now;
		this.#pump();
		if (!this.#isHeld) this.connection.resume();
	}

	#shake(): void {
		const record = this.#handshakeRecord();
		if (!record) return;
		const agreed = agree(record, this, this.#host);
		if (typeof agreed === "string") this.#refuse(agreed);
		else this.#open(agreed);
	}

	#handshakeRecord(): Buffer | undefined {
		try {
			return this.#splitter.next();
		} catch {
			this.#refuse("Handshake was canceled.");
			return undefined;
		}
	}

	#open({ protocol, version }: Agreement): void {
		const rest = this.#splitter.rest();
		this.#protocol = protocol;
		this.#isPeeking = this.#host.wantsBytes && protocol.peek !== undefined;
		this.#splitter = protocol.createSplitter(this.#maxMessageBytes);
		this.#splitter.push(rest);
		this.#state = "open";
		this.connection.send(writeHandshakeResponse(), protocol.transferFormat);
		if (version >= STATEFUL_VERSION && this.connection.isReconnectable) this.#enableReconnect();
		const handler = this.#host.shaken(this);
		if (this.#closedBy) handler.closed(this.#closedBy);
		else if (!this.#isOver) this.#handler = handler;
	}

	#enableReconnect(): void {
		this.#reconnect = new StatefulReconnect({
			connection: this.connection,
			softBytes: this.#host.statefulReconnectBufferBytes,
			send: (message) => this.send(new PreparedMessage(message)),
			replay: (bytes) => this.connection.send(bytes, this.#protocol?.transferFormat ?? "Text"),
			freed: () => this.drained(),
		});
		this.connection.enableReconnect();
	}

	/** Refuses the handshake: its error is all that the client gets, no Close message. */
	#refuse(text: string): void {
		this.connection.send(writeHandshakeResponse(text), "Text");
		this.connection.close();
		this.#finish({ kind: "closed", error: new TrunklineError("ERR_HANDSHAKE", text) });
	}

	#fail(error: unknown): void {
		if (this.#isOver) return;
		if (this.#state === "handshake") {
			tellLoss(this.#host.log, this.connectionId, asError(error));
			this.#refuse(HANDSHAKE_FAILED);
			return;
		}
		const text = closeText(error, this.#host.detailedErrors);
		this.send(new PreparedMessage({ type: MessageType.Close, error: text, allowReconnect: true }));
		this.connection.close();
		this.#finish({ kind: "lost", error: asError(error) });
	}

	/** Called by the connection. */
	closed(error?: Error): void {
		const reason = error ?? this.#reconnect?.lossOf();
		this.#finish(reason ? { kind: "lost", error: reason } : { kind: "closed" });
	}

	get #isOver(): boolean {
		return this.#state === "closed" || this.#state === "detached";
	}

	#finish(reason: DisconnectReason): void {
		if (this.#isOver) return;
		this.#state = "closed";
		this.#closedBy = reason;
		this.#host.heartbeat.remove(this);
		this.#host.closed(this, reason);
		if (reason.kind === "lost") tellLoss(this.#host.log, this.connectionId, reason.error);
		this.drained();
		this.#handler?.closed(reason);
		this.#handler = undefined;
	}
}
