import {
	type CloseMessage,
	type CompletionMessage,
	type HubMessage,
	type IHubProtocol,
	type InvocationMessage,
	JsonHubProtocol,
	MessageType,
	NullLogger,
	type StreamItemMessage,
} from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { WebSocket } from "ws";
import { type Deferred, deferred } from "../../../lib/base/index.js";

const RECORD_SEPARATOR = 0x1e;
const PING_MS = 5_000;

export type ProtocolName = "json" | "messagepack";

/** How a connection ended: in order, with what Close said, or without a word. */
export interface End {
	readonly how: "left" | "closed" | "lost";
	readonly allowReconnect: boolean;
	readonly error?: string | undefined;
}

/** An answer will not come, because its connection is over. */
export class ConnectionOver extends Error {
	constructor() {
		super("The connection is over.");
	}
}

interface Call {
	readonly items: unknown[];
	readonly answer: Deferred<unknown>;
	readonly isStream: boolean;
}

/** What a client is told to do; a returned value (not `undefined`) answers the server's question. */
export type Handler = (target: string, args: readonly unknown[]) => unknown;

/** A SignalR client over a WebSocket, lighter than the stock one, with the stock one's own protocols. */
export class HubClient {
	/** Resolves when the connection is over. */
	readonly ended: Promise<End>;
	readonly #socket: WebSocket;
	readonly #protocol: IHubProtocol;
	readonly #handler: Handler;
	readonly #calls = new Map<string, Call>();
	readonly #end = deferred<End>();
	readonly #shaken = deferred<void>();
	#isShaken = false;
	#close: CloseMessage | undefined;
	#hasLeft = false;
	#isOver = false;
	#ids = 0;
	readonly #ping: NodeJS.Timeout;

	private constructor(url: string, protocol: IHubProtocol, handler: Handler) {
		this.#protocol = protocol;
		this.#handler = handler;
		this.ended = this.#end.promise;
		this.#socket = new WebSocket(url.replace("http", "ws"), { perMessageDeflate: false });
		this.#socket.binaryType = "arraybuffer";
		this.#socket.on("open", () => {
			this.#socket.send(`${JSON.stringify({ protocol: protocol.name, version: 1 })}\u001e`);
		});
		this.#socket.on("message", (data: ArrayBuffer | Buffer) => this.#receive(data));
		this.#socket.on("error", () => undefined);
		this.#socket.on("close", () => this.#over());
		this.#ping = setInterval(() => this.#write({ type: MessageType.Ping }), PING_MS);
	}

	/** Connects, up to the end of the handshake. @throws Error that the handshake was answered with, or ConnectionOver */
	static async open(url: string, handler: Handler, protocol: ProtocolName = "json"): Promise<HubClient> {
		const made = protocol === "json" ? new JsonHubProtocol() : new MessagePackHubProtocol();
		const client = new HubClient(url, made, handler);
		await client.#shaken.promise;
		return client;
	}

	/** Calls without an answer. False where the connection is over: nothing was sent. */
	send(target: string, ...args: readonly unknown[]): boolean {
		return this.#write({ type: MessageType.Invocation, target, arguments: [...args] });
	}

	/** Calls, and waits for the answer. @throws Error with the server's text, or ConnectionOver */
	invoke(target: string, ...args: readonly unknown[]): Promise<unknown> {
		return this.#call(target, args, { isStream: false });
	}

	/** All items of a stream, when it has come to its end. */
	stream(target: string, ...args: readonly unknown[]): Promise<unknown> {
		return this.#call(target, args, { isStream: true });
	}

	/** Calls a method with an upload, which ends behind its items where it is not left open, and waits for its answer. */
	upload(
		target: string,
		items: readonly unknown[],
		{ isStream = false, isOpen = false }: { readonly isStream?: boolean; readonly isOpen?: boolean } = {},
	): Promise<unknown> {
		const id = `u${++this.#ids}`;
		const answer = this.#call(target, [], { isStream, streamIds: [id] });
		for (const item of items) this.#write({ type: MessageType.StreamItem, invocationId: id, item });
		if (!isOpen) this.#write({ type: MessageType.Completion, invocationId: id });
		return answer;
	}

	/** Reads no more. */
	pause(): void {
		this.#socket.pause();
	}

	resume(): void {
		this.#socket.resume();
	}

	/** Bytes that were not sent yet. */
	get waitingBytes(): number {
		return this.#socket.bufferedAmount;
	}

	/** Ends the connection in order. */
	async leave(): Promise<void> {
		this.#hasLeft = true;
		this.#socket.close();
		await this.ended;
	}

	/** Ends the connection without a word. */
	cut(): void {
		this.#hasLeft = true;
		this.#socket.terminate();
	}

	#call(
		target: string,
		args: readonly unknown[],
		{ isStream, streamIds }: { readonly isStream: boolean; readonly streamIds?: string[] },
	): Promise<unknown> {
		const invocationId = String(++this.#ids);
		const call: Call = { items: [], answer: deferred(), isStream };
		const type = isStream ? MessageType.StreamInvocation : MessageType.Invocation;
		const message = { type, invocationId, target, arguments: [...args], ...(streamIds && { streamIds }) };
		if (!this.#write(message as HubMessage)) return Promise.reject(new ConnectionOver());
		this.#calls.set(invocationId, call);
		return call.answer.promise;
	}

	#write(message: HubMessage): boolean {
		if (this.#socket.readyState !== WebSocket.OPEN || !this.#isShaken) return false;
		this.#socket.send(this.#protocol.writeMessage(message));
		return true;
	}

	#receive(data: ArrayBuffer | Buffer): void {
		let bytes = Buffer.isBuffer(data) ? data : Buffer.from(data);
		if (!this.#isShaken) {
			const end = bytes.indexOf(RECORD_SEPARATOR);
			const { error } = JSON.parse(bytes.toString("utf8", 0, end)) as { readonly error?: string };
			if (error !== undefined) {
				this.#shaken.reject(new Error(error));
				return;
			}
			this.#isShaken = true;
			this.#shaken.resolve();
			bytes = bytes.subarray(end + 1);
		}
		if (bytes.length === 0) return;
		for (const message of this.#protocol.parseMessages(this.#readable(bytes), NullLogger.instance)) {
			this.#take(message);
		}
	}

	#readable(bytes: Buffer): string | ArrayBuffer {
		if (this.#protocol.name === "json") return bytes.toString();
		return Uint8Array.from(bytes).buffer;
	}

	#take(message: HubMessage): void {
		if (message.type === MessageType.Invocation) this.#run(message);
		else if (message.type === MessageType.StreamItem) this.#item(message);
		else if (message.type === MessageType.Completion) this.#complete(message);
		else if (message.type === MessageType.Close) {
			this.#close = message;
			this.#socket.close();
		}
	}

	#run({ target, arguments: args, invocationId }: InvocationMessage): void {
		const result: unknown = this.#handler(target, args);
		if (invocationId) this.#write({ type: MessageType.Completion, invocationId, result });
	}

	#item({ invocationId, item }: StreamItemMessage): void {
		this.#calls.get(invocationId ?? "")?.items.push(item);
	}

	#complete({ invocationId, error, result }: CompletionMessage): void {
		const call = this.#calls.get(invocationId);
		this.#calls.delete(invocationId);
		if (error) call?.answer.reject(new Error(error));
		else call?.answer.resolve(call.isStream ? call.items : result);
	}

	#over(): void {
		if (this.#isOver) return;
		this.#isOver = true;
		clearInterval(this.#ping);
		const over = new ConnectionOver();
		this.#shaken.promise.catch(() => undefined);
		this.#shaken.reject(over);
		for (const { answer } of this.#calls.values()) answer.reject(over);
		this.#calls.clear();
		const { allowReconnect = false, error } = this.#close ?? {};
		const how = this.#hasLeft ? "left" : this.#close ? "closed" : "lost";
		this.#end.resolve({ how, allowReconnect, error });
	}
}
