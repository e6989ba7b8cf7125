import { isWellFormed } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import { readMessagePack, writeMessagePack } from "../../protocols/index.js";
import type { ClientConnection } from "../clients/client-connection.js";
import type { ClientHost } from "../clients/client-host.js";

/** What one client's pushed items may take, names and values as MessagePack, in bytes. */
export const MAX_PUSHED_BYTES: number = 8 * 1_024;
/** The longest name of an item that is pushed, in bytes. */
export const MAX_ITEM_NAME_BYTES = 256;
/** What each item takes beside its name and value. */
const ITEM_BYTES = 64;
/** Two servers may both push as much as one may before either hears of the other. */
const MAX_TAKEN_BYTES: number = 2 * MAX_PUSHED_BYTES;

/** An item of a client that crosses. */
export interface PushedItem {
	readonly name: string;
	/** MessagePack; undefined where the item is taken out. */
	readonly value: Buffer | undefined;
}

/**
 * Passes a pushed item on to other servers that have its client. `from` has brought it, and knows it: undefined where it
 * was pushed here. Must not throw.
 */
export type ItemSink = (client: ClientConnection, item: PushedItem, from: unknown) => void;

/** The items of one client that its other servers have too. Made with the first one. */
export class PushedItems {
	readonly #client: ClientConnection;
	readonly #host: ClientHost;
	readonly #values = new Map<string, Buffer>();
	#bytes = 0;

	constructor(client: ClientConnection, host: ClientHost) {
		this.#client = client;
		this.#host = host;
	}

	/** All of them, for a server that is to have the client. */
	*[Symbol.iterator](): Iterator<PushedItem> {
		for (const [name, value] of this.#values) yield { name, value };
	}

	/** Puts an item in, here and elsewhere. @throws as {@link ClientConnection.pushItem} says */
	push(name: string, value: unknown): void {
		checkName(name);
		const item = { name, value: value === undefined ? undefined : writeMessagePack(value) };
		this.#set(item, MAX_PUSHED_BYTES);
		this.#place(name, value);
		this.#pass(item, undefined);
	}

	/** Takes an item that was pushed elsewhere. @throws TrunklineError ERR_LIMIT, ERR_PROTOCOL */
	take(item: PushedItem, from: unknown): void {
		this.begin(item);
		this.#pass(item, from);
	}

	/** Takes an item that is there from the client's beginning. @throws as {@link take} */
	begin(item: PushedItem): void {
		const value = item.value && readMessagePack(item.value);
		this.#set(item, MAX_TAKEN_BYTES);
		this.#place(item.name, value);
	}

	/** Keeps its bytes, for servers to come. */
	#set({ name, value }: PushedItem, most: number): void {
		const former = this.#values.get(name);
		const bytes = this.#bytes - sizeOf(name, former) + sizeOf(name, value);
		if (value && bytes > most) throw tooMuch(this.#client.connectionId);
		this.#bytes = bytes;
		if (value) this.#values.set(name, Buffer.from(value));
		else this.#values.delete(name);
	}

	#place(name: string, value: unknown): void {
		if (value === undefined) this.#client.items.delete(name);
		else this.#client.items.set(name, value);
	}

	#pass(item: PushedItem, from: unknown): void {
		const { wire } = this.#client;
		if (from !== wire) wire.pushItem?.(item);
		this.#host.itemPushed(this.#client, item, from);
	}
}

function sizeOf(name: string, value: Buffer | undefined): number {
	return value === undefined ? 0 : Buffer.byteLength(name) + value.length + ITEM_BYTES;
}

function checkName(name: unknown): void {
	const isName = typeof name === "string" && name !== "" && isWellFormed(name);
	if (isName && Buffer.byteLength(name) <= MAX_ITEM_NAME_BYTES) return;
	throw new TrunklineError(
		"ERR_ARGUMENTS",
		`The name of an item that is pushed must be text of 1 to ${MAX_ITEM_NAME_BYTES} bytes.`,
	);
}

function tooMuch(connectionId: string): TrunklineError {
	return new TrunklineError(
		"ERR_LIMIT",
		`Connection '${connectionId}' has ${MAX_PUSHED_BYTES} bytes of pushed items already, the most that cross; take some out, or push less.`,
	);
}
