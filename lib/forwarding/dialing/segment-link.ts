import type { HubConnection } from "@microsoft/signalr";
import { WebSocket } from "ws";
import { messageOf } from "../../errors/index.js";
import { LINK_PING_MS, LINK_PROTOCOL, LINK_SILENCE_MS } from "../link/link-terms.js";
import { ConnectAttempts } from "./connect-attempts.js";
import {
	connectTimeoutOf,
	type DialSettings,
	dialedConnection,
	type SocketClass,
} from "./dialed-connection.js";
import { LinkProtocol } from "./link-protocol.js";
import { proofOf } from "./link-tls.js";

const UNKNOWN_PROTOCOL = `The protocol '${LINK_PROTOCOL}' is not supported.`;

/** What all links to one address share. */
export interface SegmentLinkSettings extends DialSettings {
	/** The place of the link that tells of troubles: all share one fate. */
	readonly firstPlace: number;
}

/** Who hears of a link. */
export interface SegmentLinkListener {
	/** The handshake is done; bytes may be sent, and come. */
	up(link: SegmentLink): void;
	/** Bytes behind the handshake, cut anywhere. */
	bytes(link: SegmentLink, bytes: Buffer): void;
	/** The link is gone; it comes back by itself. */
	down(link: SegmentLink): void;
	/** Nobody listens at the address; it is tried again. */
	refused(link: SegmentLink): void;
	/** The server there knows no native link. The link rests until it is opened again. */
	unknown(link: SegmentLink): void;
}

/**
 * One persistent SignalR connection that carries segments: resting → connecting → up → (connecting → up)* → closed. It
 * comes back by itself, with backoff and jitter, until it is closed or the server turns out to know no native link.
 */
export class SegmentLink {
	/** Its place in the pool. */
	readonly place: number;
	/** What it proved itself with when it connected last. */
	proof = "";
	/** How often it was up. */
	incarnation = 0;
	readonly #settings: SegmentLinkSettings;
	readonly #listener: SegmentLinkListener;
	readonly #attempts: ConnectAttempts;
	#connection: HubConnection | undefined;
	/** What came behind the handshake before the link was up. */
	#early: Buffer[] = [];
	#state: "resting" | "connecting" | "up" | "closed" = "resting";

	constructor(place: number, settings: SegmentLinkSettings, listener: SegmentLinkListener) {
		this.place = place;
		this.#settings = settings;
		this.#listener = listener;
		this.#attempts = new ConnectAttempts(settings, {
			build: () => this.#build(),
			connected: () => this.#up(),
			failed: (cause) => this.#failed(cause),
		});
	}

	/** Starts to connect, and never gives up. */
	open(): void {
		if (this.#state !== "resting") return;
		this.#state = "connecting";
		this.#attempts.plan();
	}

	/** Both ends have greeted each other: should it be lost, it is tried again at once. */
	greeted(): void {
		this.#attempts.reset();
	}

	/** Somebody answers at the address again: a link that waits for its next attempt makes it now. */
	hurry(): void {
		if (this.#state === "connecting") this.#attempts.hurry();
	}

	/** Sends bytes in one frame; lost where the link is going down. */
	send(bytes: Buffer): void {
		const { socket } = this.#attempts;
		if (socket?.readyState === WebSocket.OPEN) socket.send(bytes);
	}

	/** Cuts the socket; the link connects anew. */
	cut(): void {
		this.#attempts.socket?.terminate();
	}

	/** Ends the link for good; resolves when its socket is gone. */
	async close(): Promise<void> {
		this.#state = "closed";
		const connection = this.#connection;
		this.#connection = undefined;
		await this.#attempts.end(connection);
	}

	#up(): void {
		this.#state = "up";
		this.incarnation++;
		this.#listener.up(this);
		this.#release();
	}

	#failed(cause: unknown): void {
		this.#early = [];
		// It came up, and this end could not go on: its socket's end is told as any other.
		if (this.#state === "up") {
			this.#settings.log.error({ err: cause, url: this.#settings.url }, "A link failed as it came up.");
			return;
		}
		this.#connection = undefined;
		if (this.#state === "closed") return;
		if (messageOf(cause).includes(UNKNOWN_PROTOCOL)) {
			this.#state = "resting";
			this.#listener.unknown(this);
			return;
		}
		const isRefused =
			(this.#attempts.socketError as NodeJS.ErrnoException | undefined)?.code === "ECONNREFUSED";
		this.#attempts.retry(cause, this.place === this.#settings.firstPlace);
		if (isRefused) this.#listener.refused(this);
	}

	#build(): HubConnection {
		const { url } = this.#settings;
		this.proof = proofOf(this.#settings);
		const connection = dialedConnection(url, {
			protocol: new LinkProtocol((bytes) => this.#received(connection, bytes)),
			...{ proof: this.proof, socketClass: this.#socketClass() },
			...{ keepAliveMs: LINK_PING_MS, silenceMs: LINK_SILENCE_MS },
		});
		connection.onclose((error) => this.#closed(connection, error));
		// Bytes may come behind the handshake before `start` says that it is done.
		this.#connection = connection;
		return connection;
	}

	#received(connection: HubConnection, bytes: Buffer): void {
		if (this.#connection !== connection) return;
		if (this.#state === "up") this.#listener.bytes(this, bytes);
		else this.#early.push(bytes);
	}

	#release(): void {
		const early = this.#early;
		this.#early = [];
		for (const bytes of early) if (this.#state === "up") this.#listener.bytes(this, bytes);
	}

	/** Without compression, and remembered: segments go straight to it. */
	#socketClass(): SocketClass {
		const attempts = this.#attempts;
		const handshakeTimeout = connectTimeoutOf(this.#settings);
		const { tls } = this.#settings;
		return class extends WebSocket {
			constructor(address: string, _protocols: undefined, options: object) {
				super(address, undefined, {
					...options,
					...tls?.options(),
					perMessageDeflate: false,
					handshakeTimeout,
				});
				attempts.opened(this);
				this.on("error", (error) => attempts.socketFailed(error));
			}
		};
	}

	#closed(connection: HubConnection, error: Error | undefined): void {
		if (this.#connection !== connection) return;
		this.#connection = undefined;
		this.#early = [];
		if (this.#state !== "up") return;
		this.#state = "connecting";
		this.#attempts.tellLost(error);
		this.#attempts.socket?.terminate();
		this.#listener.down(this);
		this.#attempts.plan();
	}
}
