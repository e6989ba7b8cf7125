import type { Socket } from "node:net";

/** Which way bytes go: `up` to the target, `down` to whoever connected. */
export type Direction = "up" | "down";

const BOTH: readonly Direction[] = ["up", "down"];

/**
 * Ends a socket by a reset. One that is ending already is only destroyed: Node 20 loses its handle otherwise, and its
 * process never ends.
 */
export function reset(socket: Socket): void {
	if (socket.writableEnded || socket.destroyed) socket.destroy();
	else socket.resetAndDestroy();
}

/** Bytes in one direction, and what becomes of them. */
class Flow {
	readonly #from: Socket;
	readonly #to: Socket;
	#mode: "pass" | "hold" | "drop" = "pass";

	constructor(from: Socket, to: Socket) {
		this.#from = from;
		this.#to = to;
		from.on("data", (bytes) => this.#take(bytes));
		to.on("drain", () => this.#mode === "hold" || from.resume());
		from.once("end", () => this.#mode === "pass" && to.end());
		from.once("close", () => this.#mode === "pass" && to.destroySoon());
		from.on("error", () => this.#mode === "pass" && reset(to));
	}

	/** Leaves bytes where they are: nothing is read, and whoever sends is held up. */
	hold(): void {
		if (this.#mode === "drop") return;
		this.#mode = "hold";
		this.#from.pause();
	}

	/** Takes bytes and forgets them, and the end with them, for ever: what came before and after does not fit together. */
	drop(): void {
		this.#mode = "drop";
		this.#from.resume();
	}

	/** Goes on after {@link hold}. */
	pass(): void {
		if (this.#mode !== "hold") return;
		this.#mode = "pass";
		if (this.#from.destroyed) this.#to.destroySoon();
		else this.#from.resume();
	}

	/** Puts bytes of ours between those that come. */
	inject(bytes: Uint8Array): void {
		this.#to.write(bytes);
	}

	#take(bytes: Buffer): void {
		if (this.#mode === "drop") return;
		if (!this.#to.write(bytes)) this.#from.pause();
	}
}

/** One connection through a relay. */
export class RelayedConnection {
	readonly #near: Socket;
	readonly #far: Socket;
	readonly #flows: Readonly<Record<Direction, Flow>>;
	#timer: NodeJS.Timeout | undefined;

	/** `near` is whoever connected, `far` the target. */
	constructor(near: Socket, far: Socket) {
		this.#near = near;
		this.#far = far;
		this.#flows = { up: new Flow(near, far), down: new Flow(far, near) };
	}

	/** Resets it at both ends. */
	cut(): void {
		clearTimeout(this.#timer);
		reset(this.#near);
		reset(this.#far);
	}

	/** Reads nothing any more, in these directions or in both: who sends is held up. */
	hold(...directions: readonly Direction[]): void {
		clearTimeout(this.#timer);
		for (const direction of directions.length > 0 ? directions : BOTH) this.#flows[direction].hold();
	}

	/** Goes on after {@link hold}: what waited comes, in order. */
	pass(): void {
		for (const flow of Object.values(this.#flows)) flow.pass();
	}

	/** Holds all bytes for a while, in milliseconds; then they come, in order. */
	stall(ms: number): void {
		this.hold();
		this.#timer = setTimeout(() => this.pass(), ms);
	}

	/** From now on nothing comes through in these directions, and neither end learns of it. It can only be cut later. */
	halfOpen(...directions: readonly Direction[]): void {
		for (const direction of directions) this.#flows[direction].drop();
	}

	/** Puts bytes between those that go in a direction. */
	inject(direction: Direction, bytes: Uint8Array): void {
		this.#flows[direction].inject(bytes);
	}
}
