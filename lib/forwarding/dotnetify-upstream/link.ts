import {
	type HubConnection,
	type HubMessage,
	type IHubProtocol,
	JsonHubProtocol,
	MessageType,
} from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { WebSocket } from "ws";
import { TrunklineError } from "../../errors/index.js";
import { HubTarget } from "../../protocols/index.js";
import { ConnectAttempts } from "../dialing/connect-attempts.js";
import {
	connectTimeoutOf,
	type DialSettings,
	dialedConnection,
	type SocketClass,
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
	readonly #attempts: ConnectAttempts;
	readonly #protocol: IHubProtocol;
	#connection: HubConnection | undefined;
	#state: "connecting" | "up" | "ending" | "closed" = "connecting";

	constructor(settings: LinkSettings, listener: LinkListener) {
		this.#settings = settings;
		this.#listener = listener;
		this.#attempts = new ConnectAttempts(settings, {
			build: () => this.#build(),
			connected: (connection) => this.#up(connection),
			failed: (cause) => this.#failed(cause),
		});
		this.#protocol = settings.useMessagePack ? new MessagePackHubProtocol() : new JsonHubProtocol();
	}

	get isUp(): boolean {
		return this.#state === "up" && this.#attempts.socket?.readyState === WebSocket.OPEN;
	}

	/** Starts to connect, and never gives up. */
	open(): void {
		this.#attempts.plan();
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
		const connection = this.#connection;
		this.#connection = undefined;
		await this.#attempts.end(connection);
	}

	#up(connection: HubConnection): void {
		this.#connection = connection;
		this.#state = "up";
		this.#attempts.reset();
		this.#listener.up(this);
	}

	#failed(cause: unknown): void {
		if (this.#isClosed) return;
		// It came up, and this end could not go on: its socket's end is told as any other.
		if (this.#state !== "connecting")
			this.#settings.log.error({ err: cause, url: this.#settings.url }, "A link failed as it came up.");
		else this.#attempts.retry(cause, true);
	}

	get #isClosed(): boolean {
		return this.#state === "closed";
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
			opened: (socket) => this.#attempts.opened(socket),
			ending: (socket) => this.#onEnding(socket),
			failed: (error) => this.#attempts.socketFailed(error),
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
		if (this.#attempts.socket !== socket || this.#state !== "up" || !connection) return;
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
		this.#attempts.tellLost(error);
		this.#listener.down(this);
		this.#attempts.plan();
	}
}
