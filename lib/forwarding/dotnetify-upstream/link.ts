import {
	type HubConnection,
	HubConnectionState,
	type HubMessage,
	type IHubProtocol,
	JsonHubProtocol,
	MessageType,
} from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { WebSocket } from "ws";
import { Backoff, type Timer } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import { HubTarget } from "../../protocols/index.js";
import {
	connectTimeoutOf,
	type DialSettings,
	dialedConnection,
	type SocketClass,
	tellFailed,
	tellLost,
} from "../dialing/dialed-connection.js";
import { proofOf } from "../dialing/link-tls.js";
import { LinkSocket, type LinkSocketOwner } from "./link-socket.js";

/** How often a link shows that it is alive, in milliseconds. */
const KEEP_ALIVE_MS = 5_000;
/** Silence after which a link is given up; app servers ping each 15 s by default, in milliseconds. */
const SERVER_TIMEOUT_MS = 35_000;
/** The most bytes that one character of a text becomes: a control character, escaped in text that is escaped again. */
const WORST_ESCAPING = 7;
const FRAME_OVERHEAD_BYTES = 256;

/** What all links of a pool share. */
export interface LinkSettings extends DialSettings {
	readonly useMessagePack: boolean;
	readonly maxMessageBytes: number;
}

/** What a link is for those who send over it. */
export interface MessageLink {
	/** Whether a message may be sent on it. */
	readonly isUp: boolean;
	/**
	 * Calls `Invoke`. Resolves with its answer once the app server has processed the call.
	 * Rejects where the call failed over there, or the link went away first (then it is not {@link isUp}).
	 */
	invoke(args: readonly unknown[]): Promise<unknown>;
	/**
	 * Says why a call may not be sent: its frame would end the link, and take the messages of others with it, or cannot
	 * be written. `bytes` is the size of its texts; the frame itself is written only where that could be too much.
	 */
	refusalOf(args: readonly unknown[], bytes: number): string | undefined;
}

/** Who hears of a link. */
export interface LinkListener {
	up(link: MessageLink): void;
	/** The link is gone; what it carried unconfirmed is unknown. It comes back by itself. */
	down(link: MessageLink): void;
	/** The one argument of a `Response_VM`. */
	response(argument: unknown): void;
}

/**
 * One persistent connection to an app server: connecting → up → (ending → connecting → up)* → closed. It comes back by
 * itself, with backoff and jitter, for as long as it is not closed.
 */
export class Link implements MessageLink {
	readonly #settings: LinkSettings;
	readonly #listener: LinkListener;
	readonly #backoff: Backoff;
	readonly #protocol: IHubProtocol;
	#connection: HubConnection | undefined;
	#socket: WebSocket | undefined;
	#socketError: Error | undefined;
	#timer: Timer | undefined;
	#connecting: Promise<void> | undefined;
	#state: "connecting" | "up" | "ending" | "closed" = "connecting";

	constructor(settings: LinkSettings, listener: LinkListener) {
		this.#settings = settings;
		this.#listener = listener;
		this.#backoff = new Backoff(settings.reconnect);
		this.#protocol = settings.useMessagePack ? new MessagePackHubProtocol() : new JsonHubProtocol();
	}

	get isUp(): boolean {
		return this.#state === "up" && this.#socket?.readyState === WebSocket.OPEN;
	}

	/** Starts to connect, and never gives up. */
	open(): void {
		this.#plan();
	}

	invoke(args: readonly unknown[]): Promise<unknown> {
		const connection = this.#connection;
		if (!connection) return Promise.reject(new TrunklineError("ERR_FORWARD_LINK_LOST", "The link is down."));
		return connection.invoke(HubTarget.Invoke, ...args);
	}

	refusalOf(args: readonly unknown[], bytes: number): string | undefined {
		const { maxMessageBytes: most } = this.#settings;
		if (bytes * WORST_ESCAPING + FRAME_OVERHEAD_BYTES <= most) return undefined;
		const size = this.#sizeOf(args);
		return size > most
			? `The message has ${size} bytes on the link, more than maxLinkMessageBytes (${most}).`
			: undefined;
	}

	#sizeOf(args: readonly unknown[]): number {
		const { Invocation: type } = MessageType;
		const invocation = { type, target: HubTarget.Invoke, arguments: [...args], invocationId: "0000000000" };
		const written = this.#protocol.writeMessage(invocation as HubMessage);
		return typeof written === "string" ? Buffer.byteLength(written) : written.byteLength;
	}

	/** Ends the link for good; resolves when its socket is gone. */
	async close(): Promise<void> {
		this.#state = "closed";
		this.#timer?.cancel();
		const connection = this.#connection;
		this.#connection = undefined;
		await connection?.stop().catch(() => {});
		this.#socket?.terminate();
		await this.#connecting;
	}

	#plan(): void {
		this.#timer = this.#settings.clock.schedule(this.#backoff.nextDelayMs(), () => {
			this.#connecting = this.#connect();
		});
	}

	async #connect(): Promise<void> {
		try {
			const connection = this.#build();
			await connection.start();
			// It can have gone away between its handshake and this turn.
			if (connection.state !== HubConnectionState.Connected) throw new Error("The connection was closed.");
			if (this.#isClosed) {
				await connection.stop().catch(() => {});
				this.#socket?.terminate();
			} else this.#up(connection);
		} catch (cause) {
			this.#failed(cause);
		}
	}

	#up(connection: HubConnection): void {
		this.#connection = connection;
		this.#state = "up";
		this.#backoff.reset();
		this.#listener.up(this);
	}

	#failed(cause: unknown): void {
		this.#socket?.terminate();
		// It came up, and this end could not go on: its socket's end is told as any other.
		if (this.#state !== "connecting" && !this.#isClosed)
			this.#settings.log.error({ err: cause, url: this.#settings.url }, "A link failed as it came up.");
		else if (!this.#isClosed) this.#retry(cause);
	}

	get #isClosed(): boolean {
		return this.#state === "closed";
	}

	#retry(cause: unknown): void {
		const { attempt } = this.#backoff;
		tellFailed(this.#settings, { attempt, cause, socketError: this.#socketError, isTold: true });
		this.#socketError = undefined;
		this.#plan();
	}

	#build(): HubConnection {
		const { url } = this.#settings;
		const connection = dialedConnection(url, {
			protocol: this.#protocol,
			proof: proofOf(this.#settings),
			socketClass: this.#socketClass(),
			...{ keepAliveMs: KEEP_ALIVE_MS, silenceMs: SERVER_TIMEOUT_MS },
		});
		connection.on(HubTarget.Response, (argument: unknown) => this.#listener.response(argument));
		connection.onclose((error) => this.#onClosed(connection, error));
		return connection;
	}

	/** Without compression, and remembered so that it can be cut. */
	#socketClass(): SocketClass {
		const owner: LinkSocketOwner = {
			connectTimeoutMs: connectTimeoutOf(this.#settings),
			opened: (socket) => {
				this.#socket = socket;
				if (this.#isClosed) setImmediate(() => socket.terminate());
			},
			ending: (socket) => this.#onEnding(socket),
			failed: (error) => {
				this.#socketError = error;
			},
		};
		const { tls } = this.#settings;
		return class extends LinkSocket {
			constructor(address: string, _protocols: undefined, options: object) {
				super(address, { ...options, ...tls?.options() }, owner);
			}
		};
	}

	/**
	 * The socket takes no more messages, but can take up to half a minute to close: the link is given up already now. In
	 * the next turn, as answers that came before the end are still on their way through promises.
	 */
	#onEnding(socket: WebSocket): void {
		const connection = this.#connection;
		if (this.#socket !== socket || this.#state !== "up" || !connection) return;
		this.#state = "ending";
		setImmediate(() => {
			this.#onClosed(connection, undefined);
			socket.terminate();
		});
	}

	#onClosed(connection: HubConnection, error: Error | undefined): void {
		if (this.#connection !== connection) return;
		this.#connection = undefined;
		if (this.#isClosed) return;
		this.#state = "connecting";
		tellLost(this.#settings, this.#socketError ?? error);
		this.#listener.down(this);
		this.#plan();
	}
}
