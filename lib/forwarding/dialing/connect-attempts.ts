import { type HubConnection, HubConnectionState } from "@microsoft/signalr";
import { WebSocket } from "ws";
import { Backoff, type Timer } from "../../base/index.js";
import { type DialSettings, tellFailed, tellLost } from "./dialed-connection.js";

/** Whose connection is dialed. */
export interface Dialer {
	/** Makes a connection; it is not started yet. */
	build(): HubConnection;
	/** It is connected. */
	connected(connection: HubConnection): void;
	/** It could not be connected, or {@link Dialer.connected} threw; its socket is gone. */
	failed(cause: unknown): void;
}

/** The attempts of one link to connect, one at a time and with backoff and jitter, and the socket of the last one. */
export class ConnectAttempts {
	readonly #settings: DialSettings;
	readonly #dialer: Dialer;
	readonly #backoff: Backoff;
	#timer: Timer | undefined;
	#connecting: Promise<void> | undefined;
	#socket: WebSocket | undefined;
	#socketError: Error | undefined;
	#isEnded = false;

	constructor(settings: DialSettings, dialer: Dialer) {
		this.#settings = settings;
		this.#dialer = dialer;
		this.#backoff = new Backoff(settings.reconnect);
	}

	/** The socket of the last attempt. */
	get socket(): WebSocket | undefined {
		return this.#socket;
	}

	/** What the socket said since the last attempt that failed. */
	get socketError(): Error | undefined {
		return this.#socketError;
	}

	/** Connects after the next wait. */
	plan(): void {
		this.#planIn(this.#backoff.nextDelayMs());
	}

	/** An attempt that waits is made now. */
	hurry(): void {
		if (!this.#timer) return;
		this.#timer.cancel();
		this.#planIn(0);
	}

	/** All is well: should it be lost, it is tried again at once. */
	reset(): void {
		this.#backoff.reset();
	}

	/** A socket was made for an attempt; it does not outlive {@link end}. */
	opened(socket: WebSocket): void {
		this.#socket = socket;
		if (this.#isEnded) setImmediate(() => socket.terminate());
	}

	/** The socket broke, or could not be opened. */
	socketFailed(error: Error): void {
		this.#socketError = error;
	}

	/** An attempt failed; `isTold` is false where another link to the same address tells of it. Another one is planned. */
	retry(cause: unknown, isTold: boolean): void {
		const { attempt } = this.#backoff;
		tellFailed(this.#settings, { attempt, cause, socketError: this.#socketError, isTold });
		this.#socketError = undefined;
		this.plan();
	}

	/** Says that a connection was lost. */
	tellLost(error: Error | undefined): void {
		tellLost(this.#settings, this.#socketError ?? error);
	}

	/** Ends a connection and all attempts for good; resolves when the socket is gone. */
	async end(connection: HubConnection | undefined): Promise<void> {
		this.#isEnded = true;
		this.#timer?.cancel();
		await this.#stop(connection);
		await this.#connecting;
	}

	#planIn(delayMs: number): void {
		this.#timer = this.#settings.clock.schedule(delayMs, () => {
			this.#timer = undefined;
			this.#connecting = this.#connect();
		});
	}

	async #connect(): Promise<void> {
		try {
			const connection = this.#dialer.build();
			await connection.start();
			// It can have gone away between its handshake and this turn.
			if (connection.state !== HubConnectionState.Connected) throw new Error("The connection was closed.");
			if (this.#isEnded) await this.#stop(connection);
			else this.#dialer.connected(connection);
		} catch (cause) {
			this.#socket?.terminate();
			this.#dialer.failed(cause);
		}
	}

	async #stop(connection: HubConnection | undefined): Promise<void> {
		// `stop` would wait for the answer to the upgrade, which may never come.
		if (this.#socket?.readyState === WebSocket.CONNECTING) this.#socket.terminate();
		await connection?.stop().catch(() => {});
		this.#socket?.terminate();
	}
}
