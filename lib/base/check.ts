import { TrunklineError } from "../errors/index.js";
import { type Log, silentLog } from "./log.js";

function refuse(name: string, expected: string, found: unknown): TrunklineError {
	return new TrunklineError("ERR_OPTION", `Option "${name}" must be ${expected}; found ${describe(found)}.`);
}

function describe(value: unknown): string {
	if (typeof value === "string") return JSON.stringify(value);
	if (typeof value === "function") return "a function";
	if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
	return String(value);
}

/** An option that counts something: a whole number of at least `least` (default 1), or its default. */
export function countOption(name: string, value: number | undefined, byDefault: number, least = 1): number {
	if (value === undefined) return byDefault;
	if (!Number.isSafeInteger(value) || value < least)
		throw refuse(name, `a whole number of at least ${least}`, value);
	return value;
}

/** An option in milliseconds: more than zero and at most what a Node timer can hold, or its default. */
export function durationOption(name: string, value: number | undefined, byDefault: number): number {
	if (value === undefined) return byDefault;
	if (typeof value !== "number" || !(value > 0) || value > 2_147_483_647) {
		throw refuse(name, "a number of milliseconds between 1 and 2147483647", value);
	}
	return value;
}

/** A limit in the unit that its name says; `null` means no limit. */
export function limitOption(name: string, value: number | null | undefined, byDefault: number): number {
	return value === null ? Number.POSITIVE_INFINITY : countOption(name, value, byDefault);
}

/** A switch, or its default. The text "false" of an environment variable would be as good as true. */
export function booleanOption(name: string, value: boolean | undefined, byDefault: boolean): boolean {
	if (value === undefined) return byDefault;
	if (typeof value === "boolean") return value;
	throw refuse(name, "true or false", value);
}

/** An option that is called, or undefined. A value in its place would be found out at the first client only. */
export function functionOption<Called>(name: string, value: Called): Called {
	if (value === undefined || typeof value === "function") return value;
	throw refuse(name, "a function", value);
}

/** The option `log`, or silence. */
export function logOption(log: Log | undefined): Log {
	if (log === undefined) return silentLog;
	const isLog = (["debug", "info", "warn", "error"] as const).every(
		(level) => typeof log?.[level] === "function",
	);
	if (isLog) return log;
	throw refuse("log", 'something with "debug", "info", "warn" and "error", such as pino() or console', log);
}

/**
 * Refuses an option whose name is not known: it may be a misspelt `authenticate`, and nobody would notice. `owner` begins
 * the sentence, `help` ends it where no name is like it. @throws TrunklineError ERR_OPTION
 */
export function refuseUnknown(
	options: object,
	known: readonly string[],
	{ owner, help }: { readonly owner: string; readonly help: string },
): void {
	for (const [name, value] of Object.entries(options)) {
		if (value === undefined || known.includes(name)) continue;
		const meant = nearest(name, known);
		const hint = meant === undefined ? help : `did you mean "${meant}"?`;
		throw new TrunklineError("ERR_OPTION", `${owner} has no option "${name}": ${hint}`);
	}
}

/** The name that begins like this one: three letters and half of its length at least. */
function nearest(name: string, known: readonly string[]): string | undefined {
	const common = (other: string): number => {
		const [one, two] = [name.toLowerCase(), other.toLowerCase()];
		let length = 0;
		while (length < one.length && one[length] === two[length]) length++;
		return length;
	};
	const [best] = [...known].sort((one, two) => common(two) - common(one));
	const most = best === undefined ? 0 : common(best);
	return most >= 3 && most * 2 >= name.length ? best : undefined;
}
