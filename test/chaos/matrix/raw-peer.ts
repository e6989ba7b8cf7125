import { createHmac, randomBytes } from "node:crypto";
import { WebSocket } from "ws";
import { HUB_PATH, SECRET } from "../processes/settings.js";

/** The header that links prove themselves by. */
export const LINK_HEADER = "Trunkline-Link";

/** A proof of {@link SECRET}, as PROTOCOL.md ("Proof of a link") says, or of another secret. */
export function proofOf(secret: string = SECRET): string {
	const issued = Date.now().toString(36);
	const nonce = randomBytes(16).toString("base64url");
	const signature = createHmac("sha256", secret)
		.update(`trunkline-link\nv1\n${issued}\n${nonce}`)
		.digest("base64url");
	return `v1.${issued}.${nonce}.${signature}`;
}

/** A WebSocket that says what it likes. */
export class RawPeer {
	readonly #socket: WebSocket;
	/** All that came, as text. */
	received = "";
	/** Resolves when the connection is over. */
	readonly closed: Promise<void>;

	private constructor(socket: WebSocket) {
		this.#socket = socket;
		socket.on("message", (data: Buffer) => {
			this.received += data.toString("latin1");
		});
		socket.on("error", () => undefined);
		this.closed = new Promise((resolve) => socket.on("close", () => resolve()));
	}

	/** Connects, with a proof where one is given, and says the handshake of a protocol. */
	static async open(origin: string, protocol: string, proof?: string): Promise<RawPeer> {
		const headers = proof === undefined ? {} : { [LINK_HEADER]: proof };
		const socket = new WebSocket(origin.replace("http", "ws") + HUB_PATH, { headers });
		const peer = new RawPeer(socket);
		await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
		peer.send(`${JSON.stringify({ protocol, version: 1 })}\u001e`);
		return peer;
	}

	send(data: string | Uint8Array): void {
		this.#socket.send(data);
	}

	cut(): void {
		this.#socket.terminate();
	}
}
