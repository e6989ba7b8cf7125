import type { ArgumentEncoding } from "../arguments.js";
import { firstJsonText, peekJson } from "./json-peek.js";
import { firstMessagePackText, peekMessagePack } from "./messagepack-peek.js";
import type { RawMessage } from "./raw-message.js";

/**
 * Finds type, invocationId, target, streamIds and headers of one record without its framing, and leaves its values as
 * they stand. `undefined` says that the record is to be parsed: it is of another type, or unusual, or wrong. Whatever
 * the parser refuses is refused here, or there, or when the values are decoded.
 * @throws TrunklineError ERR_PROTOCOL for a record that the parser refuses too.
 */
export function peek(encoding: ArgumentEncoding, record: Buffer): RawMessage | undefined {
	return encoding === "json" ? peekJson(record) : peekMessagePack(record);
}

/**
 * The first of a call's arguments if it is text (for view models: the vmId), the others not read; undefined where it is
 * something else, where there is none, and where they cannot be read.
 */
export function firstText(encoding: ArgumentEncoding, values: Buffer): string | undefined {
	return encoding === "json" ? firstJsonText(values) : firstMessagePackText(values);
}
