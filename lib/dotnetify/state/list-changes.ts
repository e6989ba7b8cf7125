import { isRecord, jsonText } from "./data.js";
import { type ItemKey, ItemKeys, keyOf } from "./item-keys.js";

/** What can be done to a list. */
export type ListOperation = "add" | "update" | "remove";

/** One change of one list, as it goes to clients. */
export interface ListChange {
	readonly list: string;
	readonly operation: ListOperation;
	/** The item, or the key of a removed one, as JSON. */
	readonly text: string;
	/**
	 * Whether the stock client reads it right when it stands in an array with others: not in a list that is empty at
	 * the client, and not when items are lists themselves.
	 */
	readonly isMergeable: boolean;
}

interface KnownItem {
	text: string;
	readonly key: ItemKey | undefined;
}

/** Where a change is applied. */
export interface ListTarget {
	readonly list: string;
	/** The view model's own array, to be changed as well; absent where a getter makes the list. */
	readonly live: unknown[] | undefined;
	/** The list as it is now. */
	readonly current: readonly unknown[];
}

/** Texts of items that the stock client takes for none where they are the first: it then reads arrays otherwise. */
const FALSY: ReadonlySet<string> = new Set(["0", '""', "null", "false"]);

/**
 * A list as the clients have it, item by item. Changes are applied to it as the stock client applies them, so that it
 * can be compared with the real list afterwards.
 */
export class TrackedList {
	readonly value: undefined = undefined;
	readonly #key: string | undefined;
	readonly #items: KnownItem[];
	/** Made for the first change: most lists see none. */
	#keys: ItemKeys | undefined;

	constructor(items: readonly unknown[], key: string | undefined) {
		this.#key = key;
		this.#items = items.map((item) => ({ text: jsonText(item), key: keyOf(item, key) }));
	}

	/** The whole list as JSON. */
	get text(): string {
		return `[${this.#items.map(({ text }) => text).join(",")}]`;
	}

	/**
	 * Applies one call of addList, updateList or removeList; `argument` is one item or key, or a list of them. Undefined
	 * where the stock client would do something else: it has to get the whole list.
	 */
	apply(operation: ListOperation, argument: unknown, target: ListTarget): ListChange[] | undefined {
		const changes: ListChange[] = [];
		let isExact = true;
		for (const each of several(argument, target.current)) {
			isExact &&= this.#follows(operation, each);
			const change = this.#applyOne(operation, each, target);
			if (change) changes.push(change);
		}
		return isExact ? changes : undefined;
	}

	/** Whether the stock client does what we do: it finds items by sound keys only, and takes some arrays for several items. */
	#follows(operation: ListOperation, argument: unknown): boolean {
		if (this.#key === undefined) return !Array.isArray(argument) || this.#readsArraysAsItems;
		if (!this.#known.areSound) return false;
		if (operation === "remove") return true;
		const key = keyOf(argument, this.#key);
		const [first] = this.#items;
		return (
			key !== undefined &&
			(!first || (typeof first.key?.value === "string") === (typeof key.value === "string"))
		);
	}

	/** Whether the stock client takes an array for one item of this list; else for several items. */
	get #readsArraysAsItems(): boolean {
		const text = this.#items[0]?.text ?? "";
		return text === "" || text.startsWith("[") || FALSY.has(text);
	}

	get #known(): ItemKeys {
		this.#keys ??= new ItemKeys(this.#items.map(({ key }) => key));
		return this.#keys;
	}

	#applyOne(operation: ListOperation, argument: unknown, target: ListTarget): ListChange | undefined {
		if (operation === "remove") return this.#remove(argument, target);
		const key = keyOf(argument, this.#key);
		const isKnown = key !== undefined && this.#known.has(key.text);
		// The stock client refuses to add a key that it has, and ignores an update of one that it has not.
		return operation === "update" || isKnown ? this.#update(argument, target) : this.#add(argument, target);
	}

	#add(item: unknown, { list, live }: ListTarget): ListChange {
		const text = jsonText(item);
		const isMergeable = !this.#readsArraysAsItems;
		if (live && this.#indexIn(live, item) < 0) live.push(item);
		const key = keyOf(item, this.#key);
		this.#items.push({ text, key });
		this.#keys?.add(key);
		return { list, operation: "add", text, isMergeable };
	}

	#update(item: unknown, { list, live }: ListTarget): ListChange | undefined {
		const text = jsonText(item);
		if (live) this.#updateLive(live, item);
		const sought = keyOf(item, this.#key)?.text;
		const known = this.#items.find(({ key }) => key !== undefined && key.text === sought);
		if (!known) return undefined;
		known.text = isRecord(item) ? merged(known.text, text) : text;
		return { list, operation: "update", text, isMergeable: true };
	}

	#updateLive(live: unknown[], item: unknown): void {
		const at = this.#indexIn(live, item);
		const old = live[at];
		if (at < 0 || old === item) return;
		live[at] = isRecord(old) && isRecord(item) ? mergedRecord(old, item) : item;
	}

	#remove(keyValue: unknown, { list, live }: ListTarget): ListChange | undefined {
		const text = String(keyValue);
		removeWhere(live ?? [], (item) => keyOf(item, this.#key)?.text === text);
		const gone = removeWhere(this.#items, ({ key }) => key?.text === text);
		const [removed] = gone;
		if (!removed) return undefined;
		for (const { key } of gone) this.#keys?.remove(key);
		// As it stands in the item: a text and a number are the same to the stock client in more cases than this.
		return { list, operation: "remove", text: jsonText(removed.key?.value), isMergeable: true };
	}

	#indexIn(items: readonly unknown[], item: unknown): number {
		const sought = keyOf(item, this.#key)?.text;
		return items.findIndex(
			(each) => each === item || (sought !== undefined && keyOf(each, this.#key)?.text === sought),
		);
	}
}

/** One item or several? Where the items of the list are lists, an array of plain values is one item. */
function several(argument: unknown, current: readonly unknown[]): readonly unknown[] {
	if (!Array.isArray(argument)) return [argument];
	const isOneItem = Array.isArray(current[0]) && !Array.isArray(argument[0]);
	return isOneItem ? [argument] : argument;
}

/** What a record is at the client after an update: its own fields with the new ones over them. */
function merged(oldText: string, newText: string): string {
	const old: unknown = JSON.parse(oldText);
	return isRecord(old) ? jsonText({ ...old, ...(JSON.parse(newText) as object) }) : newText;
}

function mergedRecord(old: object, item: object): object {
	return Object.assign(Object.create(Object.getPrototypeOf(old) as object | null), old, item) as object;
}

function removeWhere<T>(items: T[], test: (item: T) => boolean): T[] {
	const removed: T[] = [];
	for (let at = items.length - 1; at >= 0; at--)
		if (test(items[at] as T)) removed.push(...items.splice(at, 1));
	return removed;
}
