import { convertLike, ownData } from "./conversion.js";
import { isOpenRecord, jsonText, observableIn } from "./data.js";
import { isField } from "./members.js";
import type { ChangedMember, Tracker } from "./tracker.js";

/** Something that a client's paths can be applied to. */
export interface UpdateTarget {
	readonly viewModel: object;
	readonly tracker: Tracker;
	/** Runs for a path that names nothing reachable. */
	onUnresolved(path: string, value: unknown): unknown;
}

type Members = Record<string, unknown>;

/**
 * Writes one value that a client sent, or calls the method that it names and awaits it. `A` and `A.B.C` name members
 * and fields of records in them; `List.$key.Field` a field of the item that `List_get(key)` returns. Only declared members
 * and own, writable fields of records are ever touched: items of a list only where its writer declared `List_get`.
 */
export async function applyUpdate(target: UpdateTarget, path: string, sent: unknown): Promise<void> {
	const segments = path.split(".");
	const isDone =
		segments.length === 1 ? await setMember(target, path, sent) : await setField(target, segments, sent);
	if (!isDone) await target.onUnresolved(path, sent);
}

async function setMember(
	{ viewModel, tracker }: UpdateTarget,
	name: string,
	sent: unknown,
): Promise<boolean> {
	const members = viewModel as Members;
	if (isField(viewModel, tracker.members, name)) return setOwn(members, name, tracker.current(name), sent);
	const accessor = tracker.members.accessors.get(name);
	if (accessor?.canWrite) {
		members[name] = convertLike(accessor.canRead ? members[name] : undefined, sent);
		return true;
	}
	if (!tracker.members.methods.has(name)) return false;
	await (members[name] as (argument: unknown) => unknown).call(viewModel, ownData(sent));
	return true;
}

function setOwn(owner: Members, name: string, current: unknown, sent: unknown): boolean {
	const source = observableIn(owner[name]);
	if (!source) return assign(owner, name, () => convertLike(current, sent));
	const { next } = owner[name] as { next?: unknown };
	if (typeof next !== "function") return false;
	next.call(owner[name], convertLike(current, sent));
	return true;
}

function assign(owner: Members, name: string, value: () => unknown): boolean {
	// Own and enumerable: nothing inherited, no length of a list, no __proto__.
	const descriptor = Object.getOwnPropertyDescriptor(owner, name);
	if (!descriptor?.enumerable || !(descriptor.writable || descriptor.set)) return false;
	owner[name] = value();
	return true;
}

async function setField(target: UpdateTarget, segments: readonly string[], sent: unknown): Promise<boolean> {
	const leaf = segments.at(-1) ?? "";
	const first = await firstStep(target, segments);
	const owner = segments.slice(first.used, -1).reduce(fieldOfRecord, first.value);
	if (!isOpenRecord(owner)) return false;
	return assign(owner, leaf, () => convertLike(owner[leaf], sent));
}

/** The member that a path begins with, or the list item where the path goes on with `$key`. */
async function firstStep(
	target: UpdateTarget,
	[name = "", second = ""]: readonly string[],
): Promise<{ value: unknown; used: number }> {
	if (!target.tracker.isReadable(name)) return { value: undefined, used: 1 };
	const value = target.tracker.current(name);
	if (!second.startsWith("$")) return { value, used: 1 };
	return { value: await itemOf(target, name, second.slice(1)), used: 2 };
}

async function itemOf({ viewModel, tracker }: UpdateTarget, list: string, key: string): Promise<unknown> {
	const getter = `${list}_get`;
	if (!tracker.members.methods.has(getter)) return undefined;
	const get = (viewModel as Members)[getter] as (key: unknown) => unknown;
	return await get.call(viewModel, typedKey(tracker.current(list), tracker.members.itemKeys.get(list), key));
}

/** A key in the type of the keys in the list: paths have only texts. */
function typedKey(items: unknown, keyName: string | undefined, key: string): unknown {
	const first: unknown = Array.isArray(items) ? items[0] : undefined;
	const example = keyName !== undefined && isOpenRecord(first) ? first[keyName] : undefined;
	return typeof example === "number" ? Number(key) : key;
}

function findByKey(items: readonly unknown[], keyName: string, key: string): unknown {
	return items.find(
		(item) => isOpenRecord(item) && Object.hasOwn(item, keyName) && String(item[keyName]) === key,
	);
}

function isContainer(value: unknown): value is Members {
	return Array.isArray(value) || isOpenRecord(value);
}

/** One step of a client's path; lists are not stepped into, so that nobody reaches the items of others by number. */
function fieldOfRecord(owner: unknown, name: string): unknown {
	return isOpenRecord(owner) ? ownField(owner, name) : undefined;
}

function ownField(owner: unknown, name: string): unknown {
	if (!isContainer(owner) || !Object.prototype.propertyIsEnumerable.call(owner, name)) return undefined;
	return owner[name];
}

/** One thing that a client sent: path and value. */
export type SentValue = readonly [path: string, value: unknown];

/**
 * Whether a changed member holds just what this client sent, so that it need not be told: the record of what it knew,
 * with the sent values in place, is the member as it is now.
 */
export function isEcho(
	change: ChangedMember,
	sent: readonly SentValue[],
	itemKey: string | undefined,
): boolean {
	const mine = sent.filter(([path]) => path === change.name || path.startsWith(`${change.name}.`));
	if (mine.length === 0) return false;
	const before = { root: parse(change.before?.text) };
	const after = { root: parse(change.text) };
	for (const [path, value] of mine) {
		const names = ["root", ...path.split(".").slice(1)];
		const leaf = names.pop() ?? "";
		const old = ownerAt(before, names, itemKey);
		const now = ownerAt(after, names, itemKey);
		if (!old || !now || !Object.hasOwn(now, leaf) || !isSame(value, now[leaf])) return false;
		old[leaf] = now[leaf];
	}
	return JSON.stringify(before) === JSON.stringify(after);
}

function parse(text: string | undefined): unknown {
	return text === undefined ? undefined : JSON.parse(text);
}

function ownerAt(root: object, names: readonly string[], itemKey: string | undefined): Members | undefined {
	let owner: unknown = root;
	for (const name of names) {
		const isKey = Array.isArray(owner) && name.startsWith("$") && itemKey !== undefined;
		owner = isKey ? findByKey(owner as unknown[], itemKey, name.slice(1)) : ownField(owner, name);
	}
	return isContainer(owner) ? owner : undefined;
}

/** Whether the client shows a value as it is when it sent `sent`: texts of numbers and booleans count as these. */
function isSame(sent: unknown, now: unknown): boolean {
	if (sent === null || now === null || typeof now === "object") return jsonText(sent) === JSON.stringify(now);
	return (
		typeof sent !== "object" && String(sent).toLowerCase() === String(now).toLowerCase() && isExact(sent, now)
	);
}

function isExact(sent: unknown, now: unknown): boolean {
	return typeof now !== "string" || String(sent) === now;
}
