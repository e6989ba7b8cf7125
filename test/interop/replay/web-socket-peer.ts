import { once } from "node:events";
import { type RawData, WebSocket } from "ws";
import { deferred } from "../../../lib/base/index.js";
import type { HubMessage, HubProtocol } from "../../../lib/protocols/index.js";
import { FrameReader } from "./frames.js";

/** Where a peer connects to, and as what. */
export interface PeerOptions {
	readonly url: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly protocol: HubProtocol;
	readonly received: (message: HubMessage) => void;
	readonly closed?: (code: number) => void;
}

/** The bytes of a WebSocket message. */
export function bytesOf(data: RawData): Buffer {
	return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
}

/** A WebSocket client that sends frames as they are and reads what comes back. */
export class WebSocketPeer {
	readonly #socket: WebSocket;
	readonly #reader: FrameReader;
	readonly #isBinary: boolean;
	readonly #shaken = deferred<void>();
	#localPort = 0;

	constructor({ url, headers = {}, protocol, received, closed }: PeerOptions) {
		this.#reader = new FrameReader(protocol, false);
		this.#isBinary = protocol.transferFormat === "Binary";
		this.#socket = new WebSocket(url, { headers, perMessageDeflate: false });
		this.#socket.on("message", (data) => {
			for (const message of this.#reader.push(bytesOf(data))) received(message);
			if (this.#reader.isShaken) this.#shaken.resolve();
		});
		this.#socket.on("upgrade", ({ socket }) => {
			this.#localPort = socket.localPort ?? 0;
		});
		this.#socket.on("close", (code) => {
			this.#shaken.reject(new Error(`${url} closed with ${code} before the handshake`));
			closed?.(code);
		});
		this.#shaken.promise.catch(() => {});
	}

	/** The port of this end, once open. */
	get localPort(): number {
		return this.#localPort;
	}

	async open(): Promise<this> {
		await once(this.#socket, "open");
		return this;
	}

	/** Sends a handshake request and waits for its answer. */
	async shake(bytes: Buffer): Promise<void> {
		this.send(bytes);
		await this.#shaken.promise;
	}

	/** Sends a frame; dropped where the socket is closing, as a real client's is. */
	send(bytes: Buffer): void {
		if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(bytes, { binary: this.#isBinary });
	}

	/** Closes without a code, as the recorded client did. */
	close(): void {
		this.#socket.close();
	}

	/** Cuts the socket. */
	terminate(): void {
		this.#socket.terminate();
	}
}
