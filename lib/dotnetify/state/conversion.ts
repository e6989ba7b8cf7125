import { WireException } from "../wire-exception.js";
import { isRecord, jsonText } from "./data.js";

/**
 * Converts what a client sent to the type of the value that it replaces, as .NET's converters do: texts to numbers,
 * booleans, dates and bytes, null to an empty text or list. A value that replaces null stays as it was sent.
 * @throws WireException with .NET's text where it cannot be converted.
 */
export function convertLike(current: unknown, sent: unknown): unknown {
	switch (typeof current) {
		case "string":
			return toText(sent);
		case "number":
			return toNumber(sent, Number.isInteger(current) ? "Int32" : "Double");
		case "bigint":
			return toBigInt(sent);
		case "boolean":
			return toBoolean(sent);
		case "object":
			return current === null ? ownData(sent) : likeObject(current, sent);
		default:
			return ownData(sent);
	}
}

/** A copy of sent data without fields called `__proto__`; dates and bytes as they are. */
export function ownData(sent: unknown): unknown {
	if (Array.isArray(sent)) return sent.map(ownData);
	if (!isRecord(sent)) return sent;
	const copy: Record<string, unknown> = {};
	for (const [name, value] of Object.entries(sent)) if (name !== "__proto__") copy[name] = ownData(value);
	return copy;
}

function toText(sent: unknown): string {
	if (sent === null || sent === undefined) return "";
	return typeof sent === "object" ? jsonText(sent).replace(/^"|"$/g, "") : String(sent);
}

/** Longest text that is read as a number, boolean or date, in characters: no number that means anything is longer. */
const MAX_SCALAR_LENGTH = 400;

// Each part begins with a character that the part before cannot take: no text makes it try twice.
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const WHOLE_NUMBER = /^[+-]?\d+$/;

/** What a client sent as the text of a scalar. @throws WireException before anything is searched in a text that is too long. */
function toScalarText(sent: unknown, type: string): string {
	const text = toText(sent);
	if (text.length <= MAX_SCALAR_LENGTH) return text;
	const shown = text.slice(0, MAX_SCALAR_LENGTH);
	throw new WireException(
		"ArgumentException",
		`${shown}… is not a valid value for ${type}. (Parameter 'value')`,
	);
}

function toNumber(sent: unknown, type: string): number {
	if (typeof sent === "number") return sent;
	if (typeof sent === "bigint") return Number(sent);
	const text = toScalarText(sent, type);
	if (NUMBER.test(text.trim())) return Number(text);
	throw new WireException(
		"ArgumentException",
		`${text} is not a valid value for ${type}. (Parameter 'value')`,
	);
}

function toBigInt(sent: unknown): bigint {
	const text = toScalarText(sent, "Int64").trim();
	if (WHOLE_NUMBER.test(text)) return BigInt(text.replace("+", ""));
	throw new WireException("ArgumentException", `${text} is not a valid value for Int64. (Parameter 'value')`);
}

function toBoolean(sent: unknown): boolean {
	if (typeof sent === "boolean") return sent;
	const text = toScalarText(sent, "Boolean");
	const word = text.trim().toLowerCase();
	if (word === "true" || word === "false") return word === "true";
	throw new WireException("FormatException", `${text} is not a valid value for Boolean.`);
}

function likeObject(current: object, sent: unknown): unknown {
	if (Array.isArray(current)) return sent === null ? [] : toList(sent);
	if (sent === null || sent === undefined) return null;
	if (current instanceof Date) return toDate(sent);
	if (current instanceof Uint8Array) return toBytes(sent);
	return toRecord(current, sent);
}

function toDate(sent: unknown): Date {
	const date =
		sent instanceof Date ? sent : new Date(typeof sent === "number" ? sent : toScalarText(sent, "DateTime"));
	if (!Number.isNaN(date.getTime())) return date;
	throw new WireException("FormatException", `${toText(sent)} is not a valid value for DateTime.`);
}

function toBytes(sent: unknown): Uint8Array {
	if (sent instanceof Uint8Array) return sent;
	if (typeof sent === "string") return Buffer.from(sent, "base64");
	throw new WireException("ArgumentException", "The value is not base64 text. (Parameter 'value')");
}

function toList(sent: unknown): unknown {
	const list = parsed(sent);
	if (Array.isArray(list)) return ownData(list);
	throw new WireException("ArgumentException", "The value is not a list. (Parameter 'value')");
}

function toRecord(current: object, sent: unknown): unknown {
	const record = parsed(sent);
	if (!isRecord(record)) {
		throw new WireException("ArgumentException", "The value is not an object. (Parameter 'value')");
	}
	const prototype: object | null = Object.getPrototypeOf(current);
	if (prototype === null || Object.getPrototypeOf(prototype) === null) return ownData(record);
	// An instance of a class keeps its class and its fields, as .NET's deserialiser would see to.
	const instance = Object.assign(Object.create(prototype), current) as Record<string, unknown>;
	for (const name of Object.keys(instance)) {
		if (Object.hasOwn(record, name)) instance[name] = convertLike(instance[name], record[name]);
	}
	return instance;
}

function parsed(sent: unknown): unknown {
	if (typeof sent !== "string") return sent;
	try {
		return JSON.parse(sent);
	} catch {
		return undefined;
	}
}
