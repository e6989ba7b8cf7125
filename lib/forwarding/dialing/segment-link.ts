import {
	HttpTransportType,
	type HubConnection,
	HubConnectionBuilder,
	HubConnectionState,
	type IHttpConnectionOptions,
	LogLevel,
} from "@microsoft/signalr";
import { WebSocket } from "ws";
import { Backoff, type BackoffOptions, type Clock, type Log, type Timer } from "../../base/index.js";
import { messageOf } from "../../errors/index.js";
import { LINK_PING_MS, LINK_PROTOCOL, LINK_SILENCE_MS } from "../link/link-terms.js";
import { LINK_HEADER, writeProof } from "../link-proof.js";
import { PROOF_REFUSED } from "../link-terms.js";
import { LinkProtocol } from "./link-protocol.js";

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const UNKNOWN_PROTOCOL = `The protocol '${LINK_PROTOCOL}' is not supported.`;
const UNREACHABLE = "An app server cannot be reached; trying again.";
const REFUSED =
	"An app server refuses this proxy's links: set LINK_SECRET to the same value on both, and keep both clocks right.";

/** What all links to one address share. */
export interface SegmentLinkSettings {
	readonly url: string;
	/** The place of the link that tells of troubles: all share one fate. */
	readonly firstPlace: number;
	readonly secret: string | undefined;
	readonly reconnect: BackoffOptions;
	/** How long an address may take to answer the upgrade before another attempt. @defaultValue 10_000 ms */
	readonly connectTimeoutMs?: number | undefined;
	readonly clock: Clock;
	readonly log: Log;
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
	readonly #backoff: Backoff;
	#connection: HubConnection | undefined;
	#socket: WebSocket | undefined;
	#socketError: Error | undefined;
	#timer: Timer | undefined;
	#connecting: Promise<void> | undefined;
	#state: "resting" | "connecting" | "up" | "closed" = "resting";

	constructor(place: number, settings: SegmentLinkSettings, listener: SegmentLinkListener) {
		this.place = place;
		this.#settings = settings;
		this.#listener = listener;
		this.#backoff = new Backoff(settings.reconnect);
	}

	get isUp(): boolean {
		return this.#state === "up";
	}

	/** Starts to connect, and never gives up. */
	open(): void {
		if (this.#state !== "resting") return;
		this.#state = "connecting";
		this.#plan();
	}

	/** Both ends have greeted each other: should it be lost, it is tried again at once. */
	greeted(): void {
		this.#backoff.reset();
	}

	/** Sends bytes in one frame; lost where the link is going down. */
	send(bytes: Buffer): void {
		if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(bytes);
	}

	/** Cuts the socket; the link connects anew. */
	cut(): void {
		this.#socket?.terminate();
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
		const connection = this.#build();
		// Bytes may come behind the handshake before `start` says that it is done.
		this.#connection = connection;
		try {
			await connection.start();
			if (connection.state !== HubConnectionState.Connected) throw new Error("The connection was closed.");
		} catch (cause) {
			this.#failed(connection, cause);
			return;
		}
		if (this.#state === "closed") {
			await connection.stop().catch(() => {});
			this.#socket?.terminate();
		} else this.#up();
	}

	#up(): void {
		this.#state = "up";
		this.incarnation++;
		this.#listener.up(this);
		this.#release();
	}

	#failed(connection: HubConnection, cause: unknown): void {
		this.#socket?.terminate();
		this.#early = [];
		if (this.#connection === connection) this.#connection = undefined;
		if (this.#state === "closed") return;
		if (messageOf(cause).includes(UNKNOWN_PROTOCOL)) {
			this.#state = "resting";
			this.#listener.unknown(this);
			return;
		}
		const isRefused = (this.#socketError as NodeJS.ErrnoException | undefined)?.code === "ECONNREFUSED";
		this.#tell(cause);
		this.#plan();
		if (isRefused) this.#listener.refused(this);
	}

	/** Said at once and then now and then: an app server that stays away must not fill the disk. */
	#tell(cause: unknown): void {
		const { url, log } = this.#settings;
		const { attempt } = this.#backoff;
		const isTold = this.place === this.#settings.firstPlace && (attempt === 1 || attempt % 12 === 0);
		// SignalR's own text says no more than that it did not work.
		const reason = this.#socketError?.message ?? messageOf(cause);
		this.#socketError = undefined;
		const text = messageOf(cause).includes(PROOF_REFUSED) ? REFUSED : UNREACHABLE;
		log[isTold ? "warn" : "debug"]({ url, attempt, reason }, text);
	}

	#build(): HubConnection {
		const connection = new HubConnectionBuilder()
			.withUrl(this.#settings.url, this.#connectionOptions())
			.withHubProtocol(new LinkProtocol((bytes) => this.#received(connection, bytes)))
			.configureLogging(LogLevel.None)
			.build();
		connection.keepAliveIntervalInMilliseconds = LINK_PING_MS;
		connection.serverTimeoutInMilliseconds = LINK_SILENCE_MS;
		connection.onclose((error) => this.#closed(connection, error));
		return connection;
	}

	#early: Buffer[] = [];

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

	#connectionOptions(): IHttpConnectionOptions {
		const { secret, clock } = this.#settings;
		this.proof = secret === undefined ? "" : writeProof(secret, clock.now());
		const options: IHttpConnectionOptions & { readonly WebSocket: unknown } = {
			skipNegotiation: true,
			transport: HttpTransportType.WebSockets,
			headers: secret === undefined ? {} : { [LINK_HEADER]: this.proof },
			// Not in the client's declarations, but how it takes another socket class.
			WebSocket: this.#socketClass(),
		};
		return options;
	}

	/** The client makes its socket by `new`; ours is of ws 8, without compression, and remembered: segments go straight to it. */
	#socketClass(): new (address: string, protocols: undefined, options: object) => WebSocket {
		const opened = (socket: WebSocket): void => {
			this.#socket = socket;
			socket.on("error", (error) => {
				this.#socketError = error;
			});
			if (this.#state === "closed") setImmediate(() => socket.terminate());
		};
		const handshakeTimeout = this.#settings.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
		return class extends WebSocket {
			constructor(address: string, _protocols: undefined, options: object) {
				super(address, undefined, { ...options, perMessageDeflate: false, handshakeTimeout });
				opened(this);
			}
		};
	}

	#closed(connection: HubConnection, error: Error | undefined): void {
		if (this.#connection !== connection) return;
		this.#connection = undefined;
		this.#early = [];
		if (this.#state !== "up") return;
		this.#state = "connecting";
		const { url, log } = this.#settings;
		const reason = this.#socketError?.message ?? error?.message;
		log.debug({ url, reason }, "A link to an app server was lost; connecting again.");
		this.#socket?.terminate();
		this.#listener.down(this);
		this.#plan();
	}
}
