import { ClientShare } from "../../../lib/forwarding/sharing/client-share.js";
import { type SharedWindow, WindowShares } from "../../../lib/forwarding/sharing/window-shares.js";

const HEAD_BYTES = 6;

/** A frame of a client's, with its number there. */
export function frameOf(client: number, number: number, bytes: number): Buffer {
	const frame = Buffer.alloc(Math.max(HEAD_BYTES, bytes), client);
	frame.writeUInt16LE(client, 0);
	frame.writeUInt32LE(number, 2);
	return frame;
}

/** What {@link frameOf} wrote. */
export function readFrame(frame: Buffer): { readonly client: number; readonly number: number } {
	return { client: frame.readUInt16LE(0), number: frame.readUInt32LE(2) };
}

/** A window of which the test says when its segments end, and when they are handed on. */
export class TestWindow implements SharedWindow {
	readonly size: number;
	next = 1;
	confirmed = 0;
	/** All that was written, in order. */
	readonly written: Buffer[] = [];
	readonly #segments: number[] = [];
	#gathered = 0;
	#used = 0;

	constructor(size: number) {
		this.size = size;
	}

	get load(): number {
		return this.#used / this.size;
	}

	/** Segments that are on their way. */
	get segments(): number {
		return this.#segments.length;
	}

	append(piece: Buffer): void {
		this.written.push(piece);
		this.#gathered += piece.length;
		this.#used += piece.length;
	}

	/** The turn is over: what was written is a segment. */
	turn(): void {
		if (this.#gathered === 0) return;
		this.#segments.push(this.#gathered);
		this.#gathered = 0;
		this.next++;
	}

	/** The oldest segment is handed on. */
	confirm(): void {
		const bytes = this.#segments.shift();
		if (bytes === undefined) return;
		this.#used -= bytes;
		this.confirmed++;
	}
}

/** Clients that share a window. */
export class Sharers {
	readonly window: TestWindow;
	readonly shares: WindowShares;
	readonly #clients = new Map<number, ClientShare>();
	readonly #numbers = new Map<number, number>();

	constructor(size: number, shareBytes: number) {
		this.window = new TestWindow(size);
		this.shares = new WindowShares(this.window, shareBytes);
	}

	share(client: number): ClientShare {
		let share = this.#clients.get(client);
		if (!share) {
			share = new ClientShare();
			this.#clients.set(client, share);
		}
		return share;
	}

	/** How many frames a client has given. */
	given(client: number): number {
		return this.#numbers.get(client) ?? 0;
	}

	/** A client's next frame, as a session would take it. */
	write(client: number, bytes: number): void {
		const number = this.given(client);
		this.#numbers.set(client, number + 1);
		const frame = frameOf(client, number, bytes);
		if (this.shares.isOpen) this.window.append(frame);
		else this.shares.write(this.share(client), [frame]);
	}

	/** A client writes until something of it has to wait. */
	flood(client: number, bytes: number): void {
		while (!this.share(client).isWaiting) this.write(client, bytes);
	}

	/** A segment ends, the oldest one is handed on, and those who wait are served as far as that gives room. */
	step(): void {
		this.window.turn();
		this.window.confirm();
		this.shares.serve();
	}

	/** Bytes that were written, by client; from a place in all that was written. */
	bytesOf(from = 0): Map<number, number> {
		const bytes = new Map<number, number>();
		for (const frame of this.window.written.slice(from)) {
			const { client } = readFrame(frame);
			bytes.set(client, (bytes.get(client) ?? 0) + frame.length);
		}
		return bytes;
	}
}
