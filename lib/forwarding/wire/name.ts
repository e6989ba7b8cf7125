import type { ByteWriter } from "./byte-writer.js";
import { MAX_NAME_BYTES, tooLarge } from "./limits.js";

/** UTF-8 takes at most three bytes for each unit of a text. */
const SURELY_SHORT: number = Math.floor(MAX_NAME_BYTES / 3);

/**
 * Writes a target, a key or the name of a group; `what` names it in the error.
 * @throws TrunklineError ERR_FORWARD_TOO_LARGE above {@link MAX_NAME_BYTES}
 */
export function writeName(writer: ByteWriter, name: string, what: string): void {
	if (name.length > SURELY_SHORT && Buffer.byteLength(name) > MAX_NAME_BYTES)
		throw tooLarge(what, MAX_NAME_BYTES);
	writer.text(name);
}
