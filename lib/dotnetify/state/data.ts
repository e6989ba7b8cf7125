/** How deep a member's value may be nested; what is deeper, or refers to itself, is refused. */
export const MAX_DATA_DEPTH = 64;

/** Thrown by {@link jsonText} for a value that is not data. */
export class NotDataError extends Error {
	override readonly name = "NotDataError";
	/** What stands there, with its article: `a Map`, `a function`. */
	readonly found: string;

	constructor(found: string) {
		super(`Not data: ${found}`);
		this.found = found;
	}
}

/** What is needed of an observable (rxjs and everything with `Symbol.observable`). */
export interface ObservableLike {
	subscribe(observer: {
		next(value: unknown): void;
		error(reason: unknown): void;
		complete(): void;
	}): unknown;
}

function isObject(value: unknown): value is Record<PropertyKey, unknown> {
	return typeof value === "object" && value !== null;
}

/** The observable that a value is or stands for; `undefined` for everything else. */
export function observableIn(value: unknown): ObservableLike | undefined {
	if (!isObject(value)) return undefined;
	// Read at each call: libraries define Symbol.observable when they are loaded.
	const symbol = (Symbol as { observable?: symbol }).observable ?? "@@observable";
	const interop = value[symbol];
	if (typeof interop === "function") return interop.call(value) as ObservableLike;
	const { subscribe } = value as { subscribe?: unknown };
	return typeof subscribe === "function" ? (value as unknown as ObservableLike) : undefined;
}

/**
 * Writes data as JSON: null, booleans, texts, numbers (NaN and infinities are null), BigInts (as a number), dates (ISO
 * 8601), bytes (base64), lists, records. `undefined` is null, and left out of records. An object with `toJSON` stands
 * for what that returns. A record is an object whose class, if any, has no methods; only its own fields are written.
 * @throws NotDataError for anything else: functions, symbols, Maps, promises, services, sockets, cycles.
 */
export function jsonText(value: unknown): string {
	return write(value, 0) ?? "null";
}

function write(value: unknown, depth: number): string | undefined {
	switch (typeof value) {
		case "string":
			return JSON.stringify(value);
		case "number":
			return Number.isFinite(value) ? JSON.stringify(value) : "null";
		case "boolean":
		case "bigint":
			return String(value);
		case "undefined":
			return undefined;
		case "object":
			return value === null ? "null" : writeObject(value, depth + 1);
		default:
			throw new NotDataError(`a ${typeof value}`);
	}
}

function writeObject(value: object, depth: number): string | undefined {
	if (depth > MAX_DATA_DEPTH) {
		throw new NotDataError(`something that is nested deeper than ${MAX_DATA_DEPTH} or refers to itself`);
	}
	if (Array.isArray(value)) return `[${value.map((item) => write(item, depth) ?? "null").join(",")}]`;
	if (value instanceof Date) return Number.isNaN(value.getTime()) ? "null" : JSON.stringify(value);
	if (value instanceof Uint8Array) return JSON.stringify(base64(value));
	const { toJSON } = value as { toJSON?: unknown };
	if (typeof toJSON === "function") return write(toJSON.call(value, ""), depth);
	const refused = refusalOf(value);
	if (refused !== undefined) throw new NotDataError(refused);
	return writeRecord(value as Record<string, unknown>, depth);
}

function writeRecord(record: Readonly<Record<string, unknown>>, depth: number): string {
	let text = "";
	for (const name of Object.keys(record)) {
		const written = write(record[name], depth);
		if (written !== undefined) text += `${text && ","}${JSON.stringify(name)}:${written}`;
	}
	return `{${text}}`;
}

/** Bytes as base64 text. */
function base64(bytes: Uint8Array): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

const REFUSALS = new WeakMap<object, string | null>();

/** Why an object is no record, or `undefined`; found out once per class. */
function refusalOf(value: object): string | undefined {
	const prototype: object | null = Object.getPrototypeOf(value);
	if (prototype === null || Object.getPrototypeOf(prototype) === null) return undefined;
	let refusal = REFUSALS.get(prototype);
	if (refusal === undefined) {
		refusal = classRefusal(value, prototype);
		REFUSALS.set(prototype, refusal);
	}
	return refusal ?? undefined;
}

function classRefusal(value: object, prototype: object): string | null {
	const tag = Object.prototype.toString.call(value).slice(8, -1);
	if (tag !== "Object") return `a ${tag}`;
	const name = prototype.constructor?.name || "a nameless class";
	for (let at: object | null = prototype; at && Object.getPrototypeOf(at); at = Object.getPrototypeOf(at)) {
		if (hasMethods(at)) return `an instance of ${name}, a class with methods`;
	}
	return null;
}

function hasMethods(prototype: object): boolean {
	return Object.entries(Object.getOwnPropertyDescriptors(prototype)).some(
		([name, descriptor]) => name !== "constructor" && typeof descriptor.value === "function",
	);
}

/** Whether a value is an object with fields that a path can lead into: no list, date or bytes. */
export function isRecord(value: unknown): value is Record<string, unknown> {
	return (
		isObject(value) && !Array.isArray(value) && !(value instanceof Date) && !(value instanceof Uint8Array)
	);
}

/** Whether a path may lead into a value: a record whose class, if any, has no methods. */
export function isOpenRecord(value: unknown): value is Record<string, unknown> {
	return isRecord(value) && refusalOf(value) === undefined;
}
