import { isRecord, jsonText } from "./data.js";

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
	readonly key: string | undefined;
}

/** Where a change is applied. */
export interface ListTarget {
	readonly list: string;
	/** The view model's own array, to be changed as well; absent where a getter makes the list. */
	readonly live: unknown[] | undefined;
	/** The list as it is now. */
	readonly current: readonly unknown[];
}

/**
 * A list as the clients have it, item by item. Changes are applied to it as the stock client applies them, so that it
 * can be compared with the real list afterwards.
 */
export class TrackedList {
	readonly value: undefined = undefined;
	readonly #key: string | undefined;
	readonly #items: KnownItem[];

	constructor(items: readonly unknown[], key: string | undefined) {
		this.#key = key;
		this.#items = items.map((item) => ({ text: jsonText(item), key: this.#keyOf(item) }));
	}

	/** The whole list as JSON. */
	get text(): string {
		return `[${this.#items.map(({ text }) => text).join(",")}]`;
	}

	/** Applies one call of addList, updateList or removeList; `argument` is one item or key, or a list of them. */
	apply(operation: ListOperation, argument: unknown, target: ListTarget): ListChange[] {
		const changes: ListChange[] = [];
		for (const each of several(argument, target.current)) {
			const change = this.#applyOne(operation, each, target);
			if (change) changes.push(change);
		}
		return changes;
	}

	#applyOne(operation: ListOperation, argument: unknown, target: ListTarget): ListChange | undefined {
		if (operation === "remove") return this.#remove(argument, target);
		const key = this.#keyOf(argument);
		const isKnown = key !== undefined && this.#items.some((item) => item.key === key);
		// The stock client refuses to add a key that it has, and ignores an update of one that it has not.
		return operation === "update" || isKnown ? this.#update(argument, target) : this.#add(argument, target);
	}

	#add(item: unknown, { list, live }: ListTarget): ListChange {
		const text = jsonText(item);
		const isMergeable = this.#items.length > 0 && !Array.isArray(item);
		if (live && this.#indexIn(live, item) < 0) live.push(item);
		this.#items.push({ text, key: this.#keyOf(item) });
		return { list, operation: "add", text, isMergeable };
	}

	#update(item: unknown, { list, live }: ListTarget): ListChange | undefined {
		const text = jsonText(item);
		if (live) this.#updateLive(live, item);
		const known = this.#items.find(({ key }) => key !== undefined && key === this.#keyOf(item));
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
		const key = String(keyValue);
		removeWhere(live ?? [], (item) => this.#keyOf(item) === key);
		const had = removeWhere(this.#items, (item) => item.key === key);
		return had ? { list, operation: "remove", text: jsonText(keyValue), isMergeable: true } : undefined;
	}

	#indexIn(items: readonly unknown[], item: unknown): number {
		const key = this.#keyOf(item);
		return items.findIndex((each) => each === item || (key !== undefined && this.#keyOf(each) === key));
	}

	#keyOf(item: unknown): string | undefined {
		if (this.#key === undefined || !isRecord(item)) return undefined;
		const value = item[this.#key];
		return value === undefined || value === null ? undefined : String(value);
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

function removeWhere<T>(items: T[], test: (item: T) => boolean): boolean {
	const before = items.length;
	for (let at = items.length - 1; at >= 0; at--) if (test(items[at] as T)) items.splice(at, 1);
	return items.length < before;
}
