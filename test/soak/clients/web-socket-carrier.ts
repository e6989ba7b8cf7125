import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import type { Address, Carrier, Violence } from "./carrier.js";

/** A frame of 1,000 bytes of which a few come. */
const HALF_A_FRAME = Buffer.from([0x82, 0xfe, 0x03, 0xe8, 0, 0, 0, 0, 0x7b, 0x22]);

/** A connection over one WebSocket. */
export class WebSocketCarrier implements Carrier {
	onBytes: (bytes: Buffer) => void = () => {};
	onClosed: () => void = () => {};
	readonly #webSocket: WebSocket;
	#socket: Socket | undefined;

	private constructor(url: string) {
		this.#webSocket = new WebSocket(url, { perMessageDeflate: false });
		this.#webSocket.on("upgrade", ({ socket }: IncomingMessage) => {
			this.#socket = socket;
		});
		this.#webSocket.on("message", (data: Buffer) => this.onBytes(data));
		this.#webSocket.on("error", () => undefined);
		this.#webSocket.on("close", () => this.onClosed());
	}

	static async open({ port, path }: Address): Promise<WebSocketCarrier> {
		const carrier = new WebSocketCarrier(`ws://127.0.0.1:${port}${path}`);
		await once(carrier.#webSocket, "open");
		return carrier;
	}

	send(bytes: Buffer): void {
		if (this.#webSocket.readyState === WebSocket.OPEN) this.#webSocket.send(bytes);
	}

	kill(how: Violence): void {
		const socket = this.#socket;
		if (how === "reset") socket?.resetAndDestroy();
		else if (how === "half-close") socket?.end();
		else if (how === "destroy") socket?.destroy();
		else socket?.write(HALF_A_FRAME, () => socket.destroy());
	}

	close(): void {
		this.#webSocket.close();
	}
}
