import { messageOf, TrunklineError } from "../../errors/index.js";

/** How deep a value that is written may be nested; what is deeper, or refers to itself, is refused. */
export const MAX_WRITE_DEPTH = 500;

/** What one hub protocol makes of the values that JavaScript has and its format lacks. */
export interface ValueForm {
	readonly bytes: (bytes: Uint8Array) => unknown;
	readonly date: (date: Date) => unknown;
	readonly number: (value: number) => unknown;
	readonly bigint: (value: bigint) => unknown;
}

/**
 * Makes a value of nothing but null, booleans, texts, arrays, plain objects and what `form` returns. Objects with a
 * `toJSON` stand for what it returns, a Map becomes an object, a Set an array; `undefined`, functions and symbols
 * are null in arrays and left out of objects.
 * What needs no change is returned as it is, not copied.
 * @throws TrunklineError ERR_SERIALIZATION for a value that refers to itself, is nested too deep, or throws when read.
 */
export function plainValue(value: unknown, form: ValueForm): unknown {
	try {
		return convert(value, form, 0) ?? null;
	} catch (thrown) {
		throw unwritable(thrown);
	}
}

/** The error for a value that a hub protocol cannot write. */
export function unwritable(thrown: unknown): TrunklineError {
	if (thrown instanceof TrunklineError) return thrown;
	return new TrunklineError(
		"ERR_SERIALIZATION",
		`A value cannot be written: ${messageOf(thrown)}. Send plain data: no cycles, no getters that throw.`,
		{ cause: thrown },
	);
}

/** `undefined` where the value has no written form. */
function convert(value: unknown, form: ValueForm, depth: number): unknown {
	switch (typeof value) {
		case "object":
			return value === null ? null : convertObject(value, form, depth);
		case "number":
			return form.number(value);
		case "bigint":
			return form.bigint(value);
		case "function":
		case "symbol":
			return undefined;
		default:
			return value;
	}
}

function convertObject(value: object, form: ValueForm, depth: number): unknown {
	if (depth >= MAX_WRITE_DEPTH) {
		throw new TrunklineError(
			"ERR_SERIALIZATION",
			`A value refers to itself or is nested deeper than ${MAX_WRITE_DEPTH}; send plain data without cycles.`,
		);
	}
	if (Array.isArray(value)) return convertArray(value, form, depth);
	if (isPlain(value)) return convertFields(value, form, depth);
	return convertInstance(value, form, depth);
}

function isPlain(value: object): boolean {
	const prototype: unknown = Object.getPrototypeOf(value);
	if (prototype !== Object.prototype && prototype !== null) return false;
	return typeof (value as { toJSON?: unknown }).toJSON !== "function";
}

function convertInstance(value: object, form: ValueForm, depth: number): unknown {
	if (value instanceof Uint8Array) return form.bytes(value);
	if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer)
		return form.bytes(new Uint8Array(value));
	if (value instanceof DataView)
		return form.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
	if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : form.date(value);
	const { toJSON } = value as { toJSON?: unknown };
	if (typeof toJSON === "function") return convert(toJSON.call(value, ""), form, depth + 1);
	if (value instanceof Map) return convertFields(Object.fromEntries(value), form, depth);
	if (value instanceof Set || ArrayBuffer.isView(value)) {
		return convertArray(Array.from(value as unknown as Iterable<unknown>), form, depth);
	}
	if (value instanceof Number || value instanceof String || value instanceof Boolean)
		return convert(value.valueOf(), form, depth);
	return convertFields({ ...value }, form, depth);
}

function convertArray(items: readonly unknown[], form: ValueForm, depth: number): readonly unknown[] {
	let copy: unknown[] | undefined;
	for (let at = 0; at < items.length; at++) {
		const written = convert(items[at], form, depth + 1) ?? null;
		if (written === items[at]) continue;
		copy ??= items.slice();
		copy[at] = written;
	}
	return copy ?? items;
}

function convertFields(fields: object, form: ValueForm, depth: number): object {
	let changed: Map<string, unknown> | undefined;
	for (const key of Object.keys(fields)) {
		const value = (fields as Record<string, unknown>)[key];
		const written = convert(value, form, depth + 1);
		if (written === value && written !== undefined) continue;
		changed ??= new Map();
		changed.set(key, written);
	}
	return changed ? withFields(fields, changed) : fields;
}

function withFields(fields: object, changed: ReadonlyMap<string, unknown>): object {
	const entries = Object.entries(fields).map(
		([key, value]) => [key, changed.has(key) ? changed.get(key) : value] as const,
	);
	// fromEntries defines its properties: a field named __proto__ stays a field.
	return Object.fromEntries(entries.filter(([, written]) => written !== undefined));
}
