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
