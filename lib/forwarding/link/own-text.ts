/** Texts that are the same for many, at most. */
const MAX_SHARED = 256;

const shared = new Map<string, string>();

/**
 * The same text in memory of its own. V8 makes a text that is cut out of a longer one hold all of that, and one that is
 * put together hold its parts: what is kept for long should not.
 */
export function ownText(text: string): string {
	return Buffer.from(text).toString();
}

/** The same text, in memory that is shared with whoever had it lately. */
export function sharedText(text: string): string {
	const known = shared.get(text);
	if (known !== undefined) return known;
	if (shared.size >= MAX_SHARED) shared.clear();
	const own = ownText(text);
	shared.set(own, own);
	return own;
}

/** The same value, its texts in memory of their own. */
export function ownValue<T>(value: T): T;
export function ownValue(value: unknown): unknown {
	if (typeof value === "string") return ownText(value);
	if (Array.isArray(value)) return value.map((item) => ownValue(item));
	if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
		return value;
	return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, ownValue(item)]));
}
