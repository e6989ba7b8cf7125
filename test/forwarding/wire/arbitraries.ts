import fc from "fast-check";
import type { Acks, ClientSelection, Frame, Hello } from "../../../lib/forwarding/wire/index.js";
import type { RawMessage } from "../../../lib/protocols/index.js";

/** Objects as a reader makes them. */
function record<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
	return fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

/** Any number that a link carries; small ones more often. */
export const number: fc.Arbitrary<number> = fc.oneof(fc.nat(300), fc.maxSafeNat());
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const text = fc.string({ unit: "grapheme" });
const name = fc.string({ unit: "grapheme", maxLength: 20 });
const id = fc.string({ unit: "grapheme", minLength: 1 });
const encoding = fc.constantFrom("json" as const, "messagepack" as const);
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
	fc.option(arbitrary, { nil: undefined });

const headers = maybe(
	fc.dictionary(text, text).map((entries) => Object.fromEntries(Object.entries(entries))),
);
const head = { encoding, headers, invocationId: id };
const target = fc.oneof(fc.constantFrom("Request_VM", "Update_VM", "Dispose_VM", "Response_VM"), name);
const call = { ...head, target, arguments: bytes, streamIds: maybe(fc.array(text)) };

const rawMessage: fc.Arbitrary<RawMessage> = fc.oneof(
	record({ ...call, type: fc.constant(1 as const), invocationId: maybe(id) }),
	record({ ...call, type: fc.constant(4 as const) }),
	record({ ...head, type: fc.constant(2 as const), item: bytes }),
	record({ ...head, type: fc.constant(3 as const), error: maybe(text), result: fc.constant(undefined) }),
	record({ ...head, type: fc.constant(3 as const), error: fc.constant(undefined), result: bytes }),
	record({ ...head, type: fc.constant(5 as const) }),
);

const numbers = fc.array(number);
const selection: fc.Arbitrary<ClientSelection> = fc.oneof(
	record({ kind: fc.constant("all" as const), except: numbers }),
	record({ kind: fc.constant("groups" as const), groups: fc.array(name), except: numbers }),
	record({ kind: fc.constant("clients" as const), clients: numbers }),
);

const client = number;
const of = <T extends string>(...types: T[]): fc.Arbitrary<T> => fc.constantFrom(...types);

/** MessagePack has no value without a byte. */
const value = fc.uint8Array({ minLength: 1, maxLength: 200 }).map((array) => Buffer.from(array));

export const proxyFrame: fc.Arbitrary<Frame> = fc.oneof(
	record({ type: of("message"), client, message: rawMessage }),
	record({ type: of("open"), client, recovered: fc.boolean(), migrated: fc.boolean(), context: bytes }),
	record({ type: of("close"), client, reason: of("closed", "lost", "migrated"), text }),
	record({ type: of("pause", "resume"), client }),
	record({ type: of("resync"), client, key: name }),
	record({ type: of("drained") }),
	record({ type: of("itemUp"), client, name, value: maybe(value) }),
);

const records = fc.uniqueArray(record({ encoding, record: bytes }), {
	selector: (record) => record.encoding,
});

const state = maybe(record({ kind: of("state", "whole", "change"), key: name }));

export const appFrame: fc.Arbitrary<Frame> = fc.oneof(
	record({
		type: of("record"),
		client,
		messageType: fc.integer({ min: 1, max: 7 }),
		invocationId: maybe(text),
		state,
		record: bytes,
	}),
	record({ type: of("itemDown"), client, name, value: maybe(value) }),
	record({ type: of("join", "leave"), client, group: name }),
	record({ type: of("send"), selection, records, state }),
	record({ type: of("abort"), client, allowReconnect: fc.boolean(), text: maybe(text) }),
	record({ type: of("retain"), client, key: name, target: name, encoding, arguments: bytes }),
	record({ type: of("forget"), client, key: name }),
	record({ type: of("drain"), timeoutMs: number }),
	record({ type: of("load"), clients: number, delayMs: number }),
	record({ type: of("hold", "go", "closed", "admitted"), client }),
);

export const acks: fc.Arbitrary<Acks> = record({
	links: fc.array(
		record({
			link: fc.nat(1_023),
			incarnation: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
			received: number,
		}),
		{ maxLength: 8 },
	),
	delivered: number,
	window: number,
});

const identity = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((array) => Buffer.from(array));

export const hello: fc.Arbitrary<Hello> = record({
	versions: fc
		.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(9))
		.map(([lowest, more]): [number, number] => [lowest, lowest + more]),
	role: of("proxy", "app"),
	instance: identity,
	session: identity,
	link: fc.nat(1_023),
	incarnation: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
	delivered: number,
	window: number,
	features: fc.array(name, { maxLength: 64 }),
});
