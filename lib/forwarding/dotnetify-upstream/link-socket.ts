import { WebSocket } from "ws";

/** The most that messages are gathered to, in bytes: well below what a peer takes in one frame. */
const GATHER_BYTES = 64 * 1024;

type Payload = string | Uint8Array | ArrayBuffer;

/** What a {@link LinkSocket} needs of its link. */
export interface LinkSocketOwner {
	/** How long the upgrade may take, in milliseconds. */
	readonly connectTimeoutMs: number;
	opened(socket: LinkSocket): void;
	/** The socket takes no more messages, though it can take long to close. */
	ending(socket: LinkSocket): void;
	/** Why it could not be opened, or broke. */
	failed(error: Error): void;
}

/**
 * The socket of a link. All that one turn of the event loop sends leaves in one frame: SignalR's records say themselves
 * where they end (TransportProtocols.md), and a write costs more than the message in it.
 */
export class LinkSocket extends WebSocket {
	readonly #owner: LinkSocketOwner;
	#gathered: Payload[] = [];
	#bytes = 0;

	constructor(address: string, options: object, owner: LinkSocketOwner) {
		super(address, undefined, {
			...options,
			perMessageDeflate: false,
			handshakeTimeout: owner.connectTimeoutMs,
		});
		this.#owner = owner;
		owner.opened(this);
		this.on("error", (error) => owner.failed(error));
		this.once("upgrade", ({ socket }) => socket.once("end", () => owner.ending(this)));
	}

	/** SignalR's client joins what it has queued, so `data` can be of any size: no frame is larger than a peer takes. */
	override send(data: Payload): void {
		for (const piece of pieces(data)) this.#gather(piece);
	}

	#gather(data: Payload): void {
		const bytes = sizeOf(data);
		if (this.#bytes + bytes > GATHER_BYTES) this.#flush();
		if (this.#gathered.length === 0) setImmediate(() => this.#flush());
		this.#gathered.push(data);
		this.#bytes += bytes;
	}

	/** Also what ws itself calls when the peer begins to close. */
	override close(code?: number, data?: string | Buffer): void {
		this.#flush();
		super.close(code, data);
		this.#owner.ending(this);
	}

	#flush(): void {
		const gathered = this.#gathered;
		if (gathered.length === 0) return;
		this.#gathered = [];
		this.#bytes = 0;
		if (this.readyState !== WebSocket.OPEN) return;
		// The handshake is text also where all that follows is binary.
		for (let from = 0; from < gathered.length; ) {
			let end = from + 1;
			while (end < gathered.length && typeof gathered[end] === typeof gathered[from]) end++;
			super.send(joined(gathered.slice(from, end)));
			from = end;
		}
	}
}

function sizeOf(data: Payload): number {
	return typeof data === "string" ? data.length : data.byteLength;
}

/** Cuts what is too large for one frame; a message may span frames, but a text frame not half a character. */
function* pieces(data: Payload): Iterable<Payload> {
	for (let from = 0; from < sizeOf(data); ) {
		let end = from + GATHER_BYTES;
		if (typeof data === "string") {
			if (isHighSurrogate(data.charCodeAt(end - 1))) end--;
			yield data.slice(from, end);
		} else yield data.slice(from, end);
		from = end;
	}
}

function isHighSurrogate(code: number): boolean {
	return code >= 0xd800 && code <= 0xdbff;
}

function joined(run: readonly Payload[]): string | Buffer {
	if (typeof run[0] === "string") return run.join("");
	return Buffer.concat((run as readonly (Uint8Array | ArrayBuffer)[]).map((bytes) => new Uint8Array(bytes)));
}
