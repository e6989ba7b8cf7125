import type { ClientConnection } from "./client-connection.js";
import type { PreparedMessage } from "./prepared-message.js";
import type { StateSources } from "./state-sources.js";

/** States of one client that can be behind at once; what is sent of more is queued, as events are. */
export const MAX_STATES_BEHIND = 128;
/** Bytes of newest values that wait for one client; more is queued, as events are. */
export const MAX_HELD_BYTES: number = 64 * 1_024;

/** A state that a client has not got. */
interface Behind {
	/** The newest value, where it is sent itself; undefined where the state has to be asked for as a whole. */
	held: PreparedMessage | undefined;
	heldBytes: number;
	/** Whether the whole was asked for and is to come. */
	isAsked: boolean;
}

/**
 * What a client that reads slowly has not got of the states that it was to be sent. Of each state it is: current (not
 * in here) → behind (nothing of it is sent) → asked for → current again, with the whole of it; or behind → current with the
 * newest value, where the message was that value. What is not state does not come here.
 */
export class StateBacklog {
	readonly #client: ClientConnection;
	readonly #sources: StateSources;
	readonly #behind = new Map<string, Behind>();
	#heldBytes = 0;
	#isWaiting = false;

	constructor(client: ClientConnection, sources: StateSources) {
		this.#client = client;
		this.#sources = sources;
	}

	/** Whether the client has everything. */
	get isEmpty(): boolean {
		return this.#behind.size === 0;
	}

	/** Takes state that the client must not get now; false where the message is to be sent. */
	takes(message: PreparedMessage): boolean {
		const { delivery } = message;
		if (delivery.kind === "event") return false;
		const { wire } = this.#client;
		const behind = this.#behind.get(delivery.key);
		if (delivery.kind === "change") return behind !== undefined || this.#add(delivery.key);
		if (wire.isSlow)
			return delivery.kind === "state" ? this.#hold(message, delivery.key) : this.#add(delivery.key);
		// Newer than all that was left out.
		if (behind) this.#remove(delivery.key, behind);
		return false;
	}

	/** A state has to be asked for as a whole. */
	#add(key: string): boolean {
		const behind = this.#behind.get(key);
		if (behind) behind.isAsked = false;
		else {
			if (!this.#client.wire.isSlow || this.#behind.size >= MAX_STATES_BEHIND) return false;
			this.#behind.set(key, { held: undefined, heldBytes: 0, isAsked: false });
		}
		this.#wait();
		return true;
	}

	/** A value is kept until there is room, or a newer one comes. */
	#hold(message: PreparedMessage, key: string): boolean {
		const former = this.#behind.get(key);
		const { protocol } = this.#client.wire;
		if (!protocol || (!former && this.#behind.size >= MAX_STATES_BEHIND)) return false;
		const held = message.kept(protocol);
		const heldBytes = held.bytesFor(protocol).length;
		if (former) this.#remove(key, former);
		if (this.#heldBytes + heldBytes > MAX_HELD_BYTES) return false;
		this.#heldBytes += heldBytes;
		this.#behind.set(key, { held, heldBytes, isAsked: false });
		this.#wait();
		return true;
	}

	#remove(key: string, { heldBytes }: Behind): void {
		this.#heldBytes -= heldBytes;
		this.#behind.delete(key);
	}

	#wait(): void {
		if (this.#isWaiting) return;
		this.#isWaiting = true;
		const go = (): void => this.#sources.plan(() => this.#goOn());
		const room = this.#client.wire.writable?.();
		if (room) void room.then(go);
		else go();
	}

	/** Brings one state up to date; then the next one has its turn. */
	#goOn(): void {
		this.#isWaiting = false;
		if (this.#client.isEnded) return;
		for (const [key, behind] of this.#behind) {
			if (behind.isAsked) continue;
			if (!this.#client.wire.writable?.()) this.#renew(key, behind);
			this.#wait();
			return;
		}
	}

	#renew(key: string, behind: Behind): void {
		if (behind.held) {
			this.#remove(key, behind);
			this.#client.wire.send(behind.held);
			return;
		}
		behind.isAsked = true;
		this.#sources.ask(this.#client, key);
	}
}
