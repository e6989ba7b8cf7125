import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import {
	CLOSING_BRACKET,
	FrameCounter,
	LengthCounter,
	maskedFrame,
	type PieceCounter,
	SeparatorCounter,
} from "./frames.js";
import type { LoadJob } from "./job.js";

const READ_BYTES = 256 * 1024;
const HEAD_END = "\r\n\r\n";
const LONGEST_HEAD = 4096;
const SEPARATOR = "\u001e";
const HANDSHAKE_ANSWER = "{}\u001e";
/** Socket.IO (protocol 5 on Engine.IO 4): the server tells its settings, the client joins the main namespace and is let in. */
const ENGINE_OPENED = /0\{"sid":[^}]*\}/;
const JOIN_NAMESPACE = "40";
const NAMESPACE_JOINED = /40\{"sid":"[^"]*"\}$/;

/** One for all sockets: what is read is counted before the next read. */
const readBuffer = Buffer.allocUnsafe(READ_BYTES);

type Phase = "head" | "handshake" | "open";

function counterOf(protocol: LoadJob["protocol"]): PieceCounter {
	if (protocol === "messagepack") return new LengthCounter();
	return protocol === "socket.io" ? new SeparatorCounter(CLOSING_BRACKET) : new SeparatorCounter();
}

/** Where a client connects, and what it speaks there. */
export interface ConnectJob extends Pick<LoadJob, "port" | "path" | "protocol"> {
	/** Most bytes of one read. @defaultValue 256 KiB */
	readonly readBytes?: number;
}

/** A WebSocket client on a raw socket that knows no more than how many messages came. */
export class LoadConnection {
	/** Called for each read that ended messages, with their number. */
	onMessages: (messages: number) => void = () => {};
	/** Called when the server ended the connection, or broke the rules of it. */
	onFailed: (reason: string) => void = () => {};
	readonly #job: ConnectJob;
	readonly #socket: Socket;
	readonly #counter: FrameCounter;
	readonly #opened: () => void;
	#phase: Phase = "head";
	#head = "";
	#isEnding = false;
	#isPaced = false;

	/** Connects; `opened` is called when messages can be sent. `counter` may look at them as well. */
	constructor(job: ConnectJob, opened: () => void, counter: PieceCounter = counterOf(job.protocol)) {
		this.#job = job;
		this.#opened = opened;
		this.#counter = new FrameCounter(counter);
		const buffer = job.readBytes === undefined ? readBuffer : Buffer.allocUnsafe(job.readBytes);
		this.#socket = connect({
			...{ host: "127.0.0.1", port: job.port, noDelay: true },
			onread: { buffer, callback: (bytes) => this.#read(buffer.subarray(0, bytes)) },
		});
		this.#socket.on("connect", () => this.#socket.write(this.#upgrade()));
		this.#socket.on("error", (error) => this.#fail(error.message));
		this.#socket.on("close", () => this.#fail("the server closed the connection"));
	}

	/** Writes frames that are masked already. */
	write(frames: Buffer): void {
		this.#socket.write(frames);
	}

	/** Bytes that the system does not take yet. */
	get waitingBytes(): number {
		return this.#socket.writableLength;
	}

	/** From now on it reads only when it is told to. */
	pace(): void {
		this.#isPaced = true;
	}

	/** Reads once. */
	readOnce(): void {
		this.#socket.resume();
	}

	end(): void {
		this.#isEnding = true;
		this.#socket.destroy();
	}

	#fail(reason: string): void {
		if (this.#isEnding) return;
		this.end();
		this.onFailed(reason);
	}

	#upgrade(): string {
		const { path, port } = this.#job;
		const key = randomBytes(16).toString("base64");
		return (
			`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
			`Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}${HEAD_END}`
		);
	}

	#read(bytes: Buffer): boolean {
		if (this.#phase === "open") this.#count(bytes);
		else this.#readHead(bytes.toString("latin1"));
		return !this.#isPaced;
	}

	#count(bytes: Buffer): void {
		const messages = this.#counter.count(bytes);
		if (this.#counter.isClosed) this.#fail("the server sent a Close frame");
		else if (messages > 0) this.onMessages(messages);
	}

	/** The answers to the upgrade and to the handshake: each is short, and no message follows before we have it. */
	#readHead(text: string): void {
		this.#head += text;
		if (this.#head.length > LONGEST_HEAD) this.#fail("the server's first answer is too long");
		else if (this.#phase === "head" && this.#head.includes(HEAD_END)) this.#upgraded();
		else if (this.#phase === "handshake" && this.#job.protocol === "socket.io") this.#readEngine();
		else if (this.#phase === "handshake" && this.#head.includes(SEPARATOR)) this.#shookHands();
	}

	#upgraded(): void {
		if (!this.#head.startsWith("HTTP/1.1 101 ")) {
			this.#fail(`the server refused the upgrade: ${this.#head.split("\r\n")[0]}`);
			return;
		}
		// Socket.IO's server speaks first.
		this.#head = this.#head.slice(this.#head.indexOf(HEAD_END) + HEAD_END.length);
		if (this.#job.protocol === "none") {
			this.#open();
			return;
		}
		this.#phase = "handshake";
		if (this.#job.protocol === "socket.io") {
			this.#readEngine();
			return;
		}
		const handshake = `{"protocol":"${this.#job.protocol}","version":1}${SEPARATOR}`;
		this.write(maskedFrame(Buffer.from(handshake), false));
	}

	#readEngine(): void {
		if (NAMESPACE_JOINED.test(this.#head)) {
			this.#open();
		} else if (ENGINE_OPENED.test(this.#head)) {
			this.#head = "";
			this.write(maskedFrame(Buffer.from(JOIN_NAMESPACE), false));
		}
	}

	#shookHands(): void {
		// Two bytes of frame header stand before it.
		if (this.#head.slice(2) === HANDSHAKE_ANSWER) this.#open();
		else this.#fail(`unexpected handshake answer: ${this.#head.slice(2)}`);
	}

	#open(): void {
		this.#phase = "open";
		this.#head = "";
		this.#opened();
	}
}
