import { TrunklineError } from "../../errors/index.js";
import { MAX_READ_DEPTH } from "../hub-message.js";
import { isTooDeep } from "../values/json-value.js";

// Checks of what a peer of dotNetify's wire sent: each throws ERR_LINK_PROTOCOL with the value's name in its message.

/** Longest id of a hub or connection that is read, in characters. */
export const MAX_ID_LENGTH = 128;

/** The error for what is not as it has to be; it quotes nothing that the peer sent. */
export function refusal(message: string): TrunklineError {
	const text = `The peer of a link broke dotNetify's protocol: ${message}.`;
	return new TrunklineError("ERR_LINK_PROTOCOL", text);
}

/** Reads JSON text that is not nested too deep. */
export function parseJson(text: string, name: string): unknown {
	if (isTooDeep(text)) throw refusal(`${name} is nested deeper than ${MAX_READ_DEPTH}`);
	try {
		return JSON.parse(text);
	} catch {
		// The parser's error quotes the text, and contexts hold cookies.
		throw refusal(`${name} is not JSON`);
	}
}

/** Reads what may be missing or null. */
export function optional<T>(
	value: unknown,
	name: string,
	read: (value: unknown, name: string) => T,
): T | undefined {
	return value === undefined || value === null ? undefined : read(value, name);
}

/** A member to spread; none where there is no value. */
export function named<K extends string, V>(name: K, value: V | undefined): { [name in K]?: V } | undefined {
	return value === undefined ? undefined : ({ [name]: value } as { [name in K]?: V });
}

/** Checks that a value is text. */
export function asText(value: unknown, name: string): string {
	if (typeof value !== "string") throw refusal(`${name} must be text`);
	return value;
}

/** Checks that a value is text of at most {@link MAX_ID_LENGTH} characters. */
export function asShortText(value: unknown, name: string): string {
	const text = asText(value, name);
	if (text.length > MAX_ID_LENGTH) throw refusal(`${name} has more than ${MAX_ID_LENGTH} characters`);
	return text;
}

/** Checks that a value is an id: text of 1 to {@link MAX_ID_LENGTH} characters. */
export function asId(value: unknown, name: string): string {
	const id = asShortText(value, name);
	if (id === "") throw refusal(`${name} is empty`);
	return id;
}

/** Checks that a value is a port's number. */
export function asPort(value: unknown, name: string): number {
	if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
	throw refusal(`${name} must be a port number`);
}

/** Checks that a value is an array. */
export function asArray(value: unknown, name: string): readonly unknown[] {
	if (!Array.isArray(value)) throw refusal(`${name} must be an array`);
	return value;
}

/** Checks that a value is an array of texts. */
export function asTexts(value: unknown, name: string): string[] {
	return asArray(value, name).map((text) => asText(text, name));
}

/** Checks that a value is an object, and no array. */
export function asFields(value: unknown, name: string): Readonly<Record<string, unknown>> {
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw refusal(`${name} must be an object`);
	return value as Readonly<Record<string, unknown>>;
}
