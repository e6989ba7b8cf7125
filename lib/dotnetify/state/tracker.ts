import { TrunklineError } from "../../errors/index.js";
import { jsonText, observableIn } from "./data.js";
import { type ListChange, type ListOperation, TrackedList } from "./list-changes.js";
import { type ClassMembers, classMembers, fieldError, fieldsOf, isField } from "./members.js";

/** What clients know of one member: a value with its JSON text, or a list item by item. */
export type Known = { readonly value: unknown; readonly text: string } | TrackedList;

/** One member that is not what the clients know. */
export interface ChangedMember {
	readonly name: string;
	/** The new value as JSON. */
	readonly text: string;
	/** What the clients knew before. */
	readonly before: Known | undefined;
}

/** Everything that the clients do not know yet. */
export interface Changes {
	readonly members: readonly ChangedMember[];
	readonly lists: readonly ListChange[];
}

/** What a {@link Tracker} needs. */
export interface TrackerOptions {
	/** How many list changes may wait; one more, and the whole list is sent instead. */
	readonly maxQueuedListChanges: number;
	/** An observable field has emitted. */
	onEmission(): void;
	/** An observable field has failed; it keeps its last value. */
	onObservableError(name: string, reason: unknown): void;
}

interface Subscription {
	readonly source: unknown;
	latest: unknown;
	handle: unknown;
}

/** Reads the members of one view model and knows which of them its clients have not got. */
export class Tracker {
	readonly members: ClassMembers;
	readonly #viewModel: Record<string, unknown>;
	readonly #options: TrackerOptions;
	readonly #subscriptions = new Map<string, Subscription>();
	readonly #forced = new Set<string>();
	#known = new Map<string, Known>();
	#queued: ListChange[] = [];

	constructor(viewModel: object, options: TrackerOptions) {
		this.#viewModel = viewModel as Record<string, unknown>;
		this.#options = options;
		this.members = classMembers(viewModel);
	}

	/** Whether the wire can read `name`. */
	isReadable(name: string): boolean {
		return isField(this.#viewModel, this.members, name) || this.members.accessors.get(name)?.canRead === true;
	}

	/** The value of a member; of an observable, its latest emission. */
	current(name: string): unknown {
		const value = this.#viewModel[name];
		const known = this.#subscriptions.get(name);
		if (known && known.source === value) return known.latest;
		if (known) this.#unsubscribe(name, known);
		return observableIn(value) ? this.#subscribe(name, value).latest : value;
	}

	/**
	 * Starts listening to the observable fields.
	 * @throws TrunklineError ERR_VIEW_MODEL_FIELD for a field that is not data, before a client can reach into it.
	 */
	start(): void {
		for (const name of fieldsOf(this.#viewModel, this.members)) this.#read(name);
	}

	/** Ends every subscription. */
	stop(): void {
		for (const [name, subscription] of this.#subscriptions) this.#unsubscribe(name, subscription);
	}

	/**
	 * The whole state as JSON: own fields in the order of their declaration, then getters (most derived class first),
	 * commands as null, item keys. From here on the clients know all of it.
	 * @throws TrunklineError ERR_VIEW_MODEL_FIELD for a member that is not data.
	 */
	fullState(): string {
		const known = new Map<string, Known>();
		for (const name of this.#names()) known.set(name, this.#read(name));
		const entries = [...known].map(([name, { text }]) => entry(name, text));
		for (const command of this.members.commands) entries.push(entry(command, "null"));
		for (const [list, key] of this.members.itemKeys)
			entries.push(entry(`${list}_itemKey`, JSON.stringify(key)));
		this.#known = known;
		this.#queued = [];
		this.#forced.clear();
		return `{${entries.join(",")}}`;
	}

	/** Has `name` sent with the next changes, whatever its value. */
	force(name: string): void {
		this.#forced.add(name);
	}

	/** Everything the clients do not know; from here on they do. Nothing is taken when a getter throws. */
	takeChanges(): Changes {
		const members: ChangedMember[] = [];
		const known = new Map<string, Known>();
		for (const name of this.#names()) {
			const before = this.#known.get(name);
			const after = this.#changed(name, before);
			if (!after) continue;
			known.set(name, after);
			members.push({ name, text: after.text, before });
		}
		for (const [name, after] of known) this.#known.set(name, after);
		const lists = this.#queued.filter(({ list }) => !known.has(list));
		this.#queued = [];
		this.#forced.clear();
		return { members, lists };
	}

	/** The clients did not get these after all: they are sent whole with the next changes. */
	forget({ members, lists }: Changes): void {
		for (const { name } of members) this.#known.delete(name);
		for (const { list } of lists) this.#known.delete(list);
	}

	/**
	 * Changes a list here and, at the next push, at the clients. The list's own field is changed unless it already
	 * shows the change; a list behind a getter is its owner's to change.
	 * @throws TrunklineError ERR_VIEW_MODEL where `name` is no list, or has no item key and needs one.
	 */
	changeList(name: string, operation: ListOperation, argument: unknown): void {
		const list = this.isReadable(name) ? this.current(name) : undefined;
		if (!Array.isArray(list)) throw this.#listError(name, "is no list that clients can see");
		const key = this.members.itemKeys.get(name);
		if (operation !== "add" && key === undefined) {
			throw this.#listError(name, `needs a key: static itemKeys = { ${name}: "…" }`);
		}
		const known = this.#known.get(name);
		// Without known items no client has the list yet: the next state has all of it.
		const tracked = known instanceof TrackedList ? known : new TrackedList([], key);
		const live = isField(this.#viewModel, this.members, name) ? list : undefined;
		const changes = this.#checked(name, () =>
			tracked.apply(operation, argument, { list: name, live, current: list }),
		);
		if (!(known instanceof TrackedList)) return;
		if (changes) this.#queue(name, changes);
		else this.#sendWhole(name);
	}

	/** With the next changes. */
	#sendWhole(name: string): void {
		this.#known.delete(name);
		this.#queued = this.#queued.filter(({ list }) => list !== name);
	}

	#queue(name: string, changes: readonly ListChange[]): void {
		this.#queued.push(...changes);
		if (this.#queued.length <= this.#options.maxQueuedListChanges) return;
		for (const { list } of this.#queued) this.#known.delete(list);
		this.#known.delete(name);
		this.#queued = [];
	}

	#names(): string[] {
		const fields = fieldsOf(this.#viewModel, this.members);
		for (const [name, { canRead }] of this.members.accessors)
			if (canRead && !fields.includes(name)) fields.push(name);
		return fields;
	}

	#changed(name: string, before: Known | undefined): Known | undefined {
		if (before && !this.#forced.has(name) && !(before instanceof TrackedList)) {
			const value = this.current(name);
			if (!isObject(value) && Object.is(value, before.value)) return undefined;
		}
		const after = this.#read(name);
		return before && before.text === after.text && !this.#forced.has(name) ? undefined : after;
	}

	#read(name: string): Known {
		const value = this.current(name);
		return this.#checked(name, () => {
			if (Array.isArray(value)) return new TrackedList(value, this.members.itemKeys.get(name));
			return { value: isObject(value) ? undefined : value, text: jsonText(value) };
		});
	}

	#checked<T>(name: string, read: () => T): T {
		try {
			return read();
		} catch (thrown) {
			throw fieldError(this.members, name, thrown);
		}
	}

	#subscribe(name: string, source: unknown): Subscription {
		const subscription: Subscription = { source, latest: undefined, handle: undefined };
		this.#subscriptions.set(name, subscription);
		subscription.handle = observableIn(source)?.subscribe({
			next: (value) => {
				subscription.latest = value;
				if (subscription.handle !== undefined) this.#options.onEmission();
			},
			error: (reason) => this.#options.onObservableError(name, reason),
			complete: () => {},
		});
		return subscription;
	}

	#unsubscribe(name: string, { handle }: Subscription): void {
		this.#subscriptions.delete(name);
		const { unsubscribe } = (handle ?? {}) as { unsubscribe?: unknown };
		if (typeof handle === "function") handle();
		else if (typeof unsubscribe === "function") unsubscribe.call(handle);
	}

	#listError(name: string, why: string): TrunklineError {
		return new TrunklineError("ERR_VIEW_MODEL", `${this.members.className}.${name} ${why}.`);
	}
}

function entry(name: string, text: string): string {
	return `${JSON.stringify(name)}:${text}`;
}

function isObject(value: unknown): boolean {
	return typeof value === "object" && value !== null;
}

/**
 * Changes as the stock client has to get them, as JSON: members first, then list changes in their order. One message can hold
 * one `X_add`, one `X_update` and one `X_remove` per list; what does not fit starts the next message.
 */
export function changeMessages(members: readonly ChangedMember[], lists: readonly ListChange[]): string[] {
	const messages: Map<string, string[]>[] = [];
	let message = new Map(members.map(({ name, text }) => [name, [text]]));
	let last = new Map<string, string>();
	for (const { list, operation, text, isMergeable } of lists) {
		const name = `${list}_${operation}`;
		const texts = message.get(name);
		if (texts && isMergeable && last.get(list) === name) texts.push(text);
		else {
			if (texts) {
				messages.push(message);
				message = new Map();
				last = new Map();
			}
			message.set(name, [text]);
		}
		last.set(list, isMergeable || operation !== "add" ? name : "");
	}
	if (message.size > 0) messages.push(message);
	return messages.map(messageOf);
}

function messageOf(members: ReadonlyMap<string, readonly string[]>): string {
	const entries = [...members].map(([name, texts]) =>
		entry(name, texts.length > 1 ? `[${texts.join(",")}]` : (texts[0] ?? "null")),
	);
	return `{${entries.join(",")}}`;
}
