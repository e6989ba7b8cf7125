import { deferred } from "../../../lib/base/index.js";
import {
	Arguments,
	CONTEXT_KEY,
	type HubMessage,
	MessageType,
	writeForwardedContext,
} from "../../../lib/protocols/index.js";
import { comparable } from "./comparison.js";
import { handshakeRequest, protocolOf } from "./frames.js";
import type { Received } from "./script.js";
import type { Trace } from "./trace.js";
import { WebSocketPeer } from "./web-socket-peer.js";

/** The C# proxy of a trace: its links, and the frames that it sent on them. */
export class FakeProxy {
	readonly #url: string;
	readonly #trace: Trace;
	readonly #received: Received;
	readonly #links = new Map<number, WebSocketPeer>();
	readonly #completions = new Map<string, () => void>();
	#nextId = 0;

	constructor(url: string, trace: Trace, received: Received) {
		this.#url = `${url.replace("http", "ws")}/dotnetify`;
		this.#trace = trace;
		this.#received = received;
	}

	/** Opens the sockets that the trace uses. Each is a link from its first `Invoke`, as its address is trusted. */
	async open(): Promise<void> {
		const used = new Set(this.#trace.events.filter(({ leg }) => leg === "link").map(({ conn }) => conn));
		const protocol = protocolOf(this.#trace.linkProtocol ?? "json");
		for (const conn of used) {
			const link = new WebSocketPeer({
				url: this.#url,
				protocol,
				received: (message) => this.#take(message),
			});
			this.#links.set(conn, await link.open());
			await link.shake(handshakeRequest(protocol));
		}
	}

	/** Sends a recorded frame as it is. */
	send(conn: number, bytes: Buffer): void {
		this.#links.get(conn)?.send(bytes);
	}

	/** Resolves once the app server has run all that this client sent on this link. */
	async processed(conn: number, context: string): Promise<void> {
		const completed = deferred();
		const invocationId = `replay-${this.#nextId++}`;
		this.#completions.set(invocationId, completed.resolve);
		this.send(conn, this.#invoke(invocationId, context));
		await completed.promise;
	}

	/** Resolves once everything that was sent on any link has arrived here. */
	async drained(hubId: string): Promise<void> {
		const context = writeForwardedContext({ hubId, connectionId: "drain", headers: {}, items: {} });
		for (const conn of this.#links.keys()) await this.processed(conn, context);
	}

	close(): void {
		for (const link of this.#links.values()) link.terminate();
	}

	/** A call of a method that nobody has: it waits for its turn and is answered, and changes nothing. */
	#invoke(invocationId: string, context: string): Buffer {
		return protocolOf(this.#trace.linkProtocol ?? "json").write({
			...{ type: MessageType.Invocation, target: "Invoke", invocationId },
			arguments: Arguments.of(["NoSuchMethod", [], { [CONTEXT_KEY]: context }]),
		});
	}

	#take(message: HubMessage): void {
		const id = message.type === MessageType.Completion ? message.invocationId : "";
		const completed = this.#completions.get(id);
		if (completed) completed();
		else this.#received.add("link", comparable(message));
	}
}
