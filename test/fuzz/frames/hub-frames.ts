import { createRequire } from "node:module";
import { writeLengthPrefix } from "../../../lib/protocols/index.js";
import { mutatedBytes } from "./mutate-bytes.js";
import { mutatedValue, oddValue } from "./mutate-value.js";
import type { Random } from "./random.js";
import { type Sample, sample } from "./samples.js";

const { pack } = createRequire(import.meta.url)("msgpackr") as typeof import("msgpackr");

const SEPARATOR = "\u001e";
const VOID = 2;
const VALUE = 3;
const ERROR = 1;

/** How many mutated messages are not mutated at all, so that connections get somewhere. */
const LEFT_ALONE = 5;

function jsonRecord(message: unknown): Buffer {
	return Buffer.from(`${JSON.stringify(message) ?? "undefined"}${SEPARATOR}`);
}

/** A message in the order of the MessagePack hub protocol. */
function fields(message: Sample): unknown[] {
	const { type, headers = {}, invocationId = null, target, streamIds = [] } = message;
	const parts = message.arguments ?? [];
	switch (type) {
		case 1:
		case 4:
			return [type, headers, invocationId, target, parts, streamIds];
		case 2:
			return [type, headers, invocationId, message.item];
		case 3:
			return [type, headers, invocationId, ...outcome(message)];
		case 5:
			return [type, headers, invocationId];
		case 7:
			return [type, null, message.allowReconnect];
		case 8:
		case 9:
			return [type, message.sequenceId];
		default:
			return [type];
	}
}

function outcome(message: Sample): unknown[] {
	if (message.error !== undefined) return [ERROR, message.error];
	return "result" in message ? [VALUE, message.result] : [VOID];
}

function packed(message: unknown): Buffer {
	return pack(message);
}

/** Most lengths are right; the others are too small, too large, or none. */
function lengthOf(body: Buffer, random: Random): Buffer {
	if (!random.once(12)) return writeLengthPrefix(body.length);
	return random.pick<() => Buffer>([
		() => writeLengthPrefix(random.below(body.length + 40)),
		() => writeLengthPrefix(0),
		() => writeLengthPrefix(32_768 + random.below(3)),
		() => writeLengthPrefix(0x7fff_ffff),
		() => Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]),
		() => Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
		() => Buffer.from([0x80 | (body.length % 128), 0x80, 0x80, 0x00]),
	])();
}

/** A mutated message of the JSON hub protocol: of its fields, of its text, or of its bytes. */
export function jsonFrame(random: Random): Buffer {
	const message = sample(random);
	if (random.once(LEFT_ALONE)) return jsonRecord(message);
	if (random.once(30)) return jsonRecord(oddValue(random));
	if (random.once(2)) return jsonRecord(mutatedValue(message, random));
	const mutated = mutatedBytes(jsonRecord(message), jsonRecord(sample(random)), random);
	// Without a separator it would be the start of the next one, which is worth trying too.
	return random.once(6) ? mutated : Buffer.concat([mutated, Buffer.from(SEPARATOR)]);
}

/** A mutated message of the MessagePack hub protocol: of its fields, of its body, of its length or of all bytes. */
export function messagePackFrame(random: Random): Buffer {
	const message = fields(sample(random));
	if (random.once(LEFT_ALONE)) return framed(packed(message));
	if (random.once(8))
		return mutatedBytes(framed(packed(message)), framed(packed(fields(sample(random)))), random);
	const body = random.once(2)
		? packed(mutatedValue(message, random))
		: mutatedBytes(packed(message), packed(fields(sample(random))), random);
	return Buffer.concat([lengthOf(body, random), body]);
}

function framed(body: Buffer): Buffer {
	return Buffer.concat([writeLengthPrefix(body.length), body]);
}

const HANDSHAKES: readonly [object, ...object[]] = [
	{ protocol: "json", version: 1 },
	{ protocol: "json", version: 2 },
	{ protocol: "messagepack", version: 1 },
	{ protocol: "JSON", version: 0, extra: [1] },
	{ protocol: "nope", version: 1 },
	{ protocol: "json", version: 3 },
];

/** A mutated handshake, sometimes with what comes behind it in the same frame. */
export function handshakeFrame(random: Random): Buffer {
	const request = random.pick(HANDSHAKES);
	if (random.once(30)) return Buffer.alloc(random.below(40_000), 0x20);
	if (random.once(LEFT_ALONE)) return Buffer.concat([jsonRecord(request), jsonFrame(random)]);
	if (random.once(3)) return jsonRecord(mutatedValue(request, random));
	const mutated = mutatedBytes(jsonRecord(request), jsonRecord(random.pick(HANDSHAKES)), random);
	return random.once(3) ? mutated : Buffer.concat([mutated, Buffer.from(SEPARATOR)]);
}
