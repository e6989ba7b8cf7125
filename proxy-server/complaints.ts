import { TrunklineError } from "../lib/index.js";

/** What zod says about one wrong field; its message is what was expected. */
export interface Issue {
	readonly path: readonly PropertyKey[];
	readonly message: string;
	readonly keys?: readonly string[];
}

/** Longest piece of a wrong value that a message shows, in characters. */
const SHOWN_CHARACTERS = 60;

/** Settings whose values no message may show. */
const SECRET = /SECRET/;

/** A wrong value in a few words. */
export function shown(value: unknown): string {
	if (value === undefined) return "nothing";
	if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
	if (typeof value === "object" && value !== null) return "an object";
	const text = (typeof value === "string" ? JSON.stringify(value) : String(value)).replace(
		/\/\/[^/@\s]*@/g,
		"//…@",
	);
	return text.length > SHOWN_CHARACTERS
		? `${text.slice(0, SHOWN_CHARACTERS)}… (${text.length} characters)`
		: text;
}

function at(data: unknown, path: readonly PropertyKey[]): unknown {
	let value = data;
	for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
	return value;
}

/** `[1].url` for a path of keys; environment variables stand alone. */
function pathText(path: readonly PropertyKey[]): string {
	return path
		.map((key, nth) => (typeof key === "number" ? `[${key}]` : `${nth > 0 ? "." : ""}${String(key)}`))
		.join("");
}

/** One line: where, what was found, what was expected. Secrets are not shown. */
export function complaint(data: unknown, issue: Issue): string {
	const paths = issue.keys?.map((key) => [...issue.path, key]) ?? [issue.path];
	return paths
		.map((path) => {
			const where = pathText(path);
			const found = SECRET.test(where) ? "a value that is not shown" : shown(at(data, path));
			return `${where === "" ? "" : `${where}: `}found ${found}, expected ${issue.message}`;
		})
		.join("\n");
}

/** The error for wrong settings: one line per wrong field. */
export function configurationError(lines: readonly string[], cause?: unknown): TrunklineError {
	return new TrunklineError("ERR_CONFIGURATION", lines.join("\n"), { cause });
}
