import { isUtf8 } from "node:buffer";
import { MAX_READ_DEPTH, protocolError } from "../hub-message.js";
import { plainValue, unwritable, type ValueForm } from "./plain-value.js";

/**
 * The value of JSON text in UTF-8, nested no deeper than `maxDepth`.
 * @throws TrunklineError ERR_PROTOCOL
 */
export function readJson(bytes: Buffer, maxDepth: number = MAX_READ_DEPTH): unknown {
	if (!isUtf8(bytes)) throw protocolError("A JSON message is not UTF-8.");
	const text = bytes.toString("utf8");
	if (isTooDeep(text, maxDepth))
		throw protocolError(`A JSON message is nested deeper than ${MAX_READ_DEPTH}.`);
	try {
		return JSON.parse(text);
	} catch {
		// Without a cause: the parser's error quotes the text, and the log must not.
		throw protocolError("A message is not JSON.");
	}
}

const BRACKETS = /["[\]{}]/g;

/** Whether JSON text is nested deeper than `maxDepth`. Most has fewer brackets than that, wherever they stand. */
export function isTooDeep(text: string, maxDepth: number = MAX_READ_DEPTH): boolean {
	return hasManyOpenings(text, maxDepth) && depthOf(text) > maxDepth;
}

function hasManyOpenings(text: string, most: number): boolean {
	let openings = 0;
	for (const bracket of ["[", "{"]) {
		for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
			if (++openings > most) return true;
		}
	}
	return false;
}

/** The deepest nesting of brackets outside of strings; exact for JSON, and for anything else JSON.parse decides. */
function depthOf(text: string): number {
	let depth = 0;
	let deepest = 0;
	BRACKETS.lastIndex = 0;
	for (let match = BRACKETS.exec(text); match; match = BRACKETS.exec(text)) {
		if (match[0] === '"') {
			BRACKETS.lastIndex = endOfString(text, match.index + 1);
		} else if (match[0] === "[" || match[0] === "{") {
			deepest = Math.max(deepest, ++depth);
		} else {
			depth--;
		}
	}
	return deepest;
}

function endOfString(text: string, from: number): number {
	let at = from;
	while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
	return at + 1;
}

/**
 * A value as the JSON hub protocol writes it: what the wire of view models carries inside of a text.
 * @throws TrunklineError ERR_SERIALIZATION for a value that cannot be written.
 */
export function jsonText(value: unknown): string {
	return writeValue(value);
}

function writeValue(value: unknown): string {
	if (typeof value === "string") return JSON.stringify(value);
	const found = { bigint: false };
	const plain = plainValue(value, formOf(found));
	try {
		return found.bigint ? writeWithBigInts(plain) : JSON.stringify(plain);
	} catch (thrown) {
		throw unwritable(thrown);
	}
}

function formOf(found: { bigint: boolean }): ValueForm {
	return {
		bytes: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64"),
		date: (date) => date.toISOString(),
		number: (value) => value,
		bigint: (value) => {
			found.bigint = true;
			return value;
		},
	};
}

/** JSON.stringify has no way to write a BigInt (JSON.rawJSON is missing in Node 20). */
function writeWithBigInts(value: unknown): string {
	if (typeof value === "bigint") return value.toString();
	if (typeof value !== "object" || value === null) return JSON.stringify(value);
	if (Array.isArray(value)) return `[${value.map(writeWithBigInts).join(",")}]`;
	const fields = Object.entries(value).map(
		([name, field]) => `${JSON.stringify(name)}:${writeWithBigInts(field)}`,
	);
	return `{${fields.join(",")}}`;
}
