import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { type ErrorCode, TrunklineError } from "../../lib/errors/index.js";
import {
	Arguments,
	type HubMessage,
	type HubProtocol,
	MessageType,
	type RecordSplitter,
} from "../../lib/protocols/index.js";

/** A hub message as JSON has it: the arguments are an array. */
export type PlainMessage = Readonly<Record<string, unknown>> & {
	readonly type: number;
	readonly arguments?: unknown;
	readonly item?: unknown;
};

export interface RecordVector {
	readonly name: string;
	readonly record: string;
	readonly message?: PlainMessage;
}

/** Reads test/vectors, whichever of test/ and dist/test/ this runs from. */
export function readVectors<T>(name: string): T {
	return JSON.parse(
		readFileSync(new URL(`test/vectors/${name}.json`, pathToFileURL(`${process.cwd()}/`)), "utf8"),
	) as T;
}

export function toMessage(plain: PlainMessage): HubMessage {
	const values = plain.arguments;
	return (Array.isArray(values)
		? { ...plain, arguments: Arguments.of(values) }
		: plain) as unknown as HubMessage;
}

export function toPlain(message: HubMessage | undefined): PlainMessage | undefined {
	if (message && "arguments" in message) return { ...message, arguments: message.arguments.values };
	return message as PlainMessage | undefined;
}

export function throwsCode(code: ErrorCode): (thrown: unknown) => boolean {
	return (thrown) => {
		assert.ok(thrown instanceof TrunklineError, `${String(thrown)} is no TrunklineError`);
		assert.equal(thrown.code, code);
		return true;
	};
}

/** All records that a splitter gives for these chunks. */
export function split(splitter: RecordSplitter, chunks: readonly Buffer[]): Buffer[] {
	const records: Buffer[] = [];
	for (const chunk of chunks) {
		splitter.push(chunk);
		for (let record = splitter.next(); record; record = splitter.next()) records.push(record);
	}
	return records;
}

/** The one message that bytes hold, without what frames it. */
export function unframed(protocol: HubProtocol, bytes: Buffer): Buffer {
	const [record] = split(protocol.createSplitter(Number.POSITIVE_INFINITY), [bytes]);
	assert.ok(record);
	return record;
}

/** Cuts bytes at the given places (taken modulo the length). */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
	const at = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
	return [...at, bytes.length].map((end, index) => bytes.subarray(at[index - 1] ?? 0, end));
}

const id = fc.string({ minLength: 1 });
const flag = fc.boolean();
const name = fc.string().filter((text) => text !== "__proto__");
const optionalHeaders = fc.option(fc.dictionary(name, fc.string(), { minKeys: 1, noNullPrototype: true }), {
	nil: undefined,
});
const streamIds = fc.option(fc.array(id, { minLength: 1 }), { nil: undefined });

/** Values that both protocols carry unchanged. */
export const value = fc.letrec<{ node: unknown }>((tie) => ({
	node: fc.oneof(
		{ depthSize: "small", withCrossShrink: true },
		fc.constantFrom<unknown>(null, true, false),
		fc.maxSafeInteger(),
		fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
		fc.string({ unit: "grapheme" }),
		fc.array(tie("node")),
		fc.dictionary(name, tie("node"), { noNullPrototype: true }),
	),
})).node;

function defined(fields: PlainMessage): PlainMessage {
	return Object.fromEntries(
		Object.entries(fields).filter(([, field]) => field !== undefined),
	) as PlainMessage;
}

const call = { target: id, arguments: fc.array(value), streamIds, headers: optionalHeaders };
const completion = { type: fc.constant(MessageType.Completion), invocationId: id, headers: optionalHeaders };

/** Any message, in the form that `parse` gives. */
export const plainMessage: fc.Arbitrary<PlainMessage> = fc
	.oneof(
		fc.record({
			type: fc.constant(MessageType.Invocation),
			invocationId: fc.option(id, { nil: undefined }),
			...call,
		}),
		fc.record({
			type: fc.constant(MessageType.StreamItem),
			invocationId: id,
			item: value,
			headers: optionalHeaders,
		}),
		fc.record({ ...completion, error: fc.string() }),
		fc.record({ ...completion, hasResult: fc.constant(true), result: value }),
		fc.record(completion),
		fc.record({ type: fc.constant(MessageType.StreamInvocation), invocationId: id, ...call }),
		fc.record({
			type: fc.constant(MessageType.CancelInvocation),
			invocationId: id,
			headers: optionalHeaders,
		}),
		fc.record({ type: fc.constant(MessageType.Ping) }),
		fc.record({
			type: fc.constant(MessageType.Close),
			error: fc.option(fc.string(), { nil: undefined }),
			allowReconnect: flag,
		}),
		fc.record({ type: fc.constantFrom(MessageType.Ack, MessageType.Sequence), sequenceId: fc.maxSafeNat() }),
	)
	.map((message) => defined(message as PlainMessage));
