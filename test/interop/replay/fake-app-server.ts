import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { deferred } from "../../../lib/base/index.js";
import { LINK_PROTOCOL } from "../../../lib/forwarding/link/link-terms.js";
import {
	type HubMessage,
	type HubProtocol,
	MessageType,
	writeHandshakeResponse,
} from "../../../lib/protocols/index.js";
import { type Comparable, comparable } from "./comparison.js";
import { FrameReader } from "./frames.js";
import { bytesOf } from "./web-socket-peer.js";

/** The frames that an `Invoke` is answered with, before its Completion. */
export type Answering = (invoke: Comparable) => readonly Buffer[];

/** The C# app server of a trace: takes links, says what it said, and completes what asks for a Completion. */
export class FakeAppServer {
	readonly #http = createServer();
	readonly #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
	readonly #protocol: HubProtocol;
	readonly #answering: Answering;
	readonly #links = deferred<void>();
	/** Requests that were no upgrades: ours connects by WebSocket at once. */
	requests = 0;
	#isUp = false;
	/** Whether a native link was refused. */
	#isAsked = false;
	#shaken = 0;

	constructor(protocol: HubProtocol, answering: Answering) {
		this.#protocol = protocol;
		this.#answering = answering;
		this.#http.on("request", (_request, response) => {
			this.requests++;
			response.writeHead(404).end();
		});
		this.#http.on("upgrade", (request, socket, head) => {
			// A proxy asks at once which wire it is to speak; only then it can answer as the recorded one did.
			if ((this.#isUp || !this.#isAsked) && request.url === "/dotnetify")
				this.#sockets.handleUpgrade(request, socket, head, (link) => this.#accept(link));
			else socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n");
		});
	}

	async listen(): Promise<string> {
		this.#http.listen(0, "127.0.0.1");
		await once(this.#http, "listening");
		return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
	}

	/** From now on links are taken; resolves when two are there, as many as the recorded pool had. */
	async up(): Promise<void> {
		this.#isUp = true;
		await this.#links.promise;
	}

	async close(): Promise<void> {
		for (const link of this.#sockets.clients) link.terminate();
		this.#sockets.close();
		await new Promise((resolve) => this.#http.close(resolve));
	}

	#accept(link: WebSocket): void {
		const reader = new FrameReader(this.#protocol, false);
		link.on("message", (data) => {
			if (!reader.isShaken && bytesOf(data).includes(LINK_PROTOCOL)) {
				// ASP.NET Core's words for a protocol that it does not know.
				const error = `The protocol '${LINK_PROTOCOL}' is not supported.`;
				link.send(writeHandshakeResponse(error));
				this.#isAsked = true;
				link.close();
				return;
			}
			const wasShaken = reader.isShaken;
			const messages = reader.push(bytesOf(data));
			if (reader.isShaken && !wasShaken) this.#shake(link);
			for (const message of messages) this.#take(link, message);
		});
	}

	#shake(link: WebSocket): void {
		this.#send(link, writeHandshakeResponse());
		if (++this.#shaken === 2) this.#links.resolve();
	}

	#take(link: WebSocket, message: HubMessage): void {
		if (message.type !== MessageType.Invocation) return;
		for (const frame of this.#answering(comparable(message))) this.#send(link, frame);
		const { invocationId } = message;
		if (invocationId === undefined) return;
		const completion = { type: MessageType.Completion, invocationId, hasResult: true, result: null } as const;
		this.#send(link, this.#protocol.write(completion));
	}

	#send(link: WebSocket, bytes: Buffer): void {
		link.send(bytes, { binary: this.#protocol.transferFormat === "Binary" });
	}
}
