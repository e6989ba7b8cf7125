import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Server as TlsServer } from "node:tls";

/**
 * Sockets of an HTTP server that no request has come over yet: spare ones of browsers, or one whose request was given up
 * before it was sent. Node takes them neither for idle nor for busy, so that the end of the server would wait for them.
 */
export class SilentSockets {
	/** With the bytes that had come when it was there: those of TLS's handshake. */
	readonly #sockets = new Map<Duplex, number>();
	/** One for all sockets: most live long after they were heard. */
	readonly #forget: (this: Socket) => void;

	constructor(server: Server) {
		const sockets = this.#sockets;
		this.#forget = function (this: Socket): void {
			sockets.delete(this);
		};
		server.on(server instanceof TlsServer ? "secureConnection" : "connection", (socket: Socket) => {
			sockets.set(socket, socket.bytesRead);
			socket.once("close", this.#forget);
		});
	}

	/** A request has come over this one. */
	heard(socket: Duplex): void {
		if (this.#sockets.delete(socket)) socket.off("close", this.#forget);
	}

	/** Ends them; one that a part of a request has come over has its time to send the rest. */
	destroy(): void {
		for (const [socket, bytesRead] of this.#sockets) {
			if ((socket as Socket).bytesRead === bytesRead) socket.destroy();
		}
	}
}
