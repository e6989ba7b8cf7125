import { isRecord } from "./data.js";

/** The key of an item as the stock client reads it: it takes `1` and `"1"` for the same. */
export interface ItemKey {
	readonly value: string | number | bigint;
	readonly text: string;
}

/** The key of an item; undefined where the stock client finds none, or would not find the item by it. */
export function keyOf(item: unknown, name: string | undefined): ItemKey | undefined {
	if (name === undefined || !isRecord(item) || typeof item["toJSON"] === "function") return undefined;
	const value = Object.hasOwn(item, name) ? item[name] : undefined;
	const isKey = typeof value === "string" || Number.isFinite(value) || isSafe(value);
	return isKey ? { value: value as ItemKey["value"], text: String(value) } : undefined;
}

function isSafe(value: unknown): boolean {
	return typeof value === "bigint" && Number.isSafeInteger(Number(value));
}

/** The keys of a list's items, to tell whether the stock client finds the same items by them as we do. */
export class ItemKeys {
	readonly #counts = new Map<string, number>();
	#texts = 0;
	#numbers = 0;
	#others = 0;

	constructor(keys: Iterable<ItemKey | undefined>) {
		for (const key of keys) this.add(key);
	}

	/** Whether each item has a key, all of one type, and none comes twice. */
	get areSound(): boolean {
		const isOneType = this.#texts === 0 || this.#numbers === 0;
		return this.#others === 0 && isOneType && this.#counts.size === this.#texts + this.#numbers;
	}

	has(text: string): boolean {
		return this.#counts.has(text);
	}

	add(key: ItemKey | undefined): void {
		this.#count(key, 1);
		if (key) this.#counts.set(key.text, (this.#counts.get(key.text) ?? 0) + 1);
	}

	remove(key: ItemKey | undefined): void {
		this.#count(key, -1);
		if (!key) return;
		const left = (this.#counts.get(key.text) ?? 0) - 1;
		if (left > 0) this.#counts.set(key.text, left);
		else this.#counts.delete(key.text);
	}

	#count(key: ItemKey | undefined, by: 1 | -1): void {
		if (!key) this.#others += by;
		else if (typeof key.value === "string") this.#texts += by;
		else this.#numbers += by;
	}
}
