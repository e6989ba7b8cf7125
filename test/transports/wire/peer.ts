import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { CLOSE } from "../../../lib/transports/frames/frame.js";
import type { EndpointOptions } from "../../../lib/transports/index.js";
import type { Owner } from "../../contracts/connection.js";
import { type ClientFrame, frameOf } from "../frames/client-frames.js";
import { rawSocket, type Served, serve, upgradeRequest } from "../serve.js";

/** A raw socket behind its handshake. */
export class Peer {
	readonly socket: Socket;
	readonly owner: Owner;
	#bytes: Buffer = Buffer.alloc(0);
	isEnded = false;

	constructor(socket: Socket, owner: Owner, head: Buffer) {
		this.socket = socket;
		this.owner = owner;
		this.#bytes = head;
		socket.on("data", (data) => {
			this.#bytes = Buffer.concat([this.#bytes, data]);
		});
		socket.on("end", () => {
			this.isEnded = true;
		});
	}

	say(...frames: ClientFrame[]): void {
		this.socket.write(Buffer.concat(frames.map(frameOf)));
	}

	/** All that came, once it is `length` bytes or the server has ended its side. */
	async hear(length: number): Promise<string> {
		while (this.#bytes.length < length && !this.isEnded) await nextTurn();
		return this.#bytes.toString("hex");
	}

	/** All that came until the server ended its side. */
	hearAll(): Promise<string> {
		return this.hear(Number.POSITIVE_INFINITY);
	}
}

export function data(opcode: number, payload: Buffer | string, isFinal = true): ClientFrame {
	return { opcode, payload: Buffer.from(payload), isFinal };
}

export function closing(code?: number, reason: Buffer | string = ""): ClientFrame {
	const status = Buffer.alloc(code === undefined ? 0 : 2);
	if (code !== undefined) status.writeUInt16BE(code);
	return data(CLOSE, Buffer.concat([status, Buffer.from(reason)]));
}

/** The server's Close with that code. */
export function closeHex(code: number): string {
	return `8802${code.toString(16).padStart(4, "0")}`;
}

/** A server, and those who speak with it. */
export class Wire {
	#served: Served | undefined;
	readonly #peers: Peer[] = [];

	/** The first call's options are the server's; `behind` is sent with the handshake. */
	async connect(options: Partial<EndpointOptions> = {}, behind: Buffer = Buffer.alloc(0)): Promise<Peer> {
		this.#served ??= await serve({ maxFrameBytes: 100_000, ...options });
		const socket = rawSocket(this.#served.port);
		socket.write(Buffer.concat([Buffer.from(upgradeRequest("/chat")), behind]));
		let head: Buffer = Buffer.alloc(0);
		while (!head.includes("\r\n\r\n"))
			head = Buffer.concat([head, ...((await once(socket, "data")) as [Buffer])]);
		const owner = this.#served.owners.at(-1);
		assert(owner);
		const peer = new Peer(socket, owner, head.subarray(head.indexOf("\r\n\r\n") + 4));
		this.#peers.push(peer);
		return peer;
	}

	async close(): Promise<void> {
		for (const { socket } of this.#peers) socket.destroy();
		await this.#served?.close();
	}
}
