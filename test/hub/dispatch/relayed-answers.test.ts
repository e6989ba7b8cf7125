import assert from "node:assert/strict";
import {
	type ClientConnection,
	type Completer,
	type CreateHubOptions,
	createHub,
	type Hub,
	type HubObserver,
	type InvocationContext,
	PreparedMessage,
} from "../../../lib/hub/index.js";
import {
	Arguments,
	type CompletionMessage,
	type HubMessage,
	jsonProtocol,
	MessageType,
	type StreamInvocationMessage,
} from "../../../lib/protocols/index.js";
import { collectingLog, FakeWire, identityOf, invocation, settle } from "../fakes.js";

/** A message that somebody else has written, in json. */
function written(message: HubMessage): PreparedMessage {
	const invocationId = "invocationId" in message ? message.invocationId : undefined;
	return PreparedMessage.written({
		...{ type: message.type, invocationId, protocolName: "json", bytes: jsonProtocol.write(message) },
		decode: () => message,
	});
}

function completion(fields: Partial<CompletionMessage> = {}): CompletionMessage {
	return { type: MessageType.Completion, invocationId: "1", ...fields };
}

function item(value: unknown): HubMessage {
	return { type: MessageType.StreamItem, invocationId: "1", item: value };
}

function streamInvocation(target: string, streamIds?: readonly string[]): StreamInvocationMessage {
	return {
		...{ type: MessageType.StreamInvocation, invocationId: "1", target, arguments: Arguments.of([]) },
		streamIds,
	};
}

interface Relayed {
	readonly hub: Hub;
	readonly client: ClientConnection;
	readonly wire: FakeWire;
	/** The contexts of the calls that the hub's middleware has taken, and what answers them. */
	readonly calls: { readonly ctx: InvocationContext; readonly completer: Completer }[];
	readonly told: unknown[];
}

/** A hub whose middleware takes every call and answers none. */
function relaying(options: CreateHubOptions<never> = {}): Relayed {
	const hub = createHub()(options as CreateHubOptions<never>);
	const calls: Relayed["calls"] = [];
	hub.use((ctx) => void calls.push({ ctx, completer: ctx.deferCompletion() }));
	const told: unknown[] = [];
	const observer: HubObserver = {
		invocationEnded: ({ failure }) => told.push(["invocation", failure]),
		streamEnded: ({ failure, items, end }) => told.push(["stream", end, items, failure]),
	};
	hub.observe(observer);
	const wire = new FakeWire();
	return { hub, calls, told, wire, client: hub.open(identityOf("c1"), wire) };
}

async function call(relayed: Relayed, message: HubMessage): Promise<Relayed["calls"][number]> {
	await relayed.client.receive(message);
	await settle();
	const last = relayed.calls.at(-1);
	assert(last);
	return last;
}

describe("hub/dispatch relayed answers", () => {
	it("go to the client as they were written, once, and end the call for all accounts", async () => {
		const relayed = relaying();
		const sent: PreparedMessage[] = [];
		relayed.wire.send = (message) => void sent.push(message);
		const { completer } = await call(relayed, invocation("far", [], "1"));
		const draining = relayed.client.drain();
		await settle();
		assert.equal(relayed.client.isEnded, false, "a call runs");
		const answer = written(completion({ hasResult: true, result: 7 }));
		completer.relay(answer);
		completer.relay(written(completion()));
		completer.complete(1);
		completer.fail("no");
		await draining;
		assert.deepEqual(sent, [answer]);
		assert.deepEqual(relayed.told, [["invocation", undefined]]);
	});

	it("tell those who observe that they are errors, where they are said to be", async () => {
		const relayed = relaying();
		const { completer } = await call(relayed, invocation("far", [], "1"));
		completer.relay(written(completion({ error: "theirs" })), "Error");
		assert.deepEqual(relayed.wire.sent, [completion({ error: "theirs" })]);
		assert.deepEqual(relayed.told, [["invocation", "Error"]]);
	});

	it("are kept from a client that is gone, and end the call all the same", async () => {
		const relayed = relaying();
		const { completer } = await call(relayed, invocation("far", [], "1"));
		await relayed.client.ended({ kind: "lost" });
		completer.relay(written(completion()));
		assert.deepEqual(relayed.wire.sent, []);
		assert.deepEqual(relayed.told, [["invocation", undefined]]);
	});

	it("become an error where the client's protocol cannot have them", async () => {
		const log = collectingLog();
		const relayed = relaying({ log });
		relayed.wire.send = ({ message }) => void relayed.wire.sent.push(message);
		const { completer } = await call(relayed, invocation("far", [], "1"));
		completer.relay(
			PreparedMessage.written({
				...{ type: MessageType.Completion, invocationId: "1" },
				...{ protocolName: "messagepack", bytes: Buffer.from("x") },
				decode(): never {
					throw new Error("broken");
				},
			}),
		);
		const error = "An unexpected error occurred invoking 'far' on the server.";
		assert.deepEqual(relayed.wire.sent, [completion({ error })]);
		assert.deepEqual(relayed.told, [["invocation", "Error"]]);
		assert.deepEqual(log.lines, ["error An invocation failed."]);
	});

	it("end a stream: its items, its Completion, and nothing behind them", async () => {
		const relayed = relaying();
		const { ctx, completer } = await call(relayed, streamInvocation("far"));
		assert(ctx.isStream);
		completer.relayItem(written(item(1)));
		completer.relayItem(written(item(2)));
		assert.equal(ctx.signal.aborted, false);
		completer.relay(written(completion()));
		completer.relayItem(written(item(3)));
		completer.relay(written(completion()));
		await settle();
		assert.deepEqual(relayed.wire.sent, [item(1), item(2), completion()]);
		assert.deepEqual(relayed.told, [["stream", "completed", 2, undefined]]);
		assert(ctx.signal.aborted);
		assert.equal(relayed.client.streams.size, 0);
	});

	it("fail a stream, where they are errors", async () => {
		const relayed = relaying();
		const { completer } = await call(relayed, streamInvocation("far"));
		completer.relay(written(completion({ error: "theirs" })), "Error");
		await settle();
		assert.deepEqual(relayed.wire.sent, [completion({ error: "theirs" })]);
		assert.deepEqual(relayed.told, [["stream", "failed", 0, "Error"]]);
	});

	it("are dropped once the client has cancelled the stream, which ends it as any other", async () => {
		const relayed = relaying();
		const { ctx, completer } = await call(relayed, streamInvocation("far"));
		let isAborted = false;
		ctx.signal.addEventListener("abort", () => {
			isAborted = true;
		});
		completer.relayItem(written(item(1)));
		await relayed.client.receive({ type: MessageType.CancelInvocation, invocationId: "1" });
		assert(isAborted, "at once, so that the cancel can be sent on");
		completer.relayItem(written(item(2)));
		completer.relay(written(completion()));
		await settle();
		completer.complete();
		await settle();
		assert.deepEqual(relayed.wire.sent, [item(1), completion({ error: undefined })]);
		assert.deepEqual(relayed.told, [["stream", "cancelled", 1, undefined]]);
	});

	it("leave the place of a cancelled stream to others as soon as its client was told, whoever still sends items", async () => {
		const relayed = relaying({ maxStreamsPerConnection: 1 });
		for (let at = 0; at < 5; at++) {
			const { completer } = await call(relayed, streamInvocation("far"));
			assert.equal(relayed.calls.length, at + 1);
			assert.equal(relayed.client.streams.size, 1);
			completer.relayItem(written(item(at)));
			await relayed.client.receive({ type: MessageType.CancelInvocation, invocationId: "1" });
			await settle();
			completer.relayItem(written(item("late")));
			assert.equal(relayed.client.streams.size, 0);
		}
		assert.deepEqual(
			relayed.wire.sent,
			[0, 1, 2, 3, 4].flatMap((at) => [item(at), completion({ error: undefined })]),
		);
	});

	it("are dropped where the client is gone, and its signal tells", async () => {
		const relayed = relaying();
		const { ctx, completer } = await call(relayed, streamInvocation("far"));
		const { signal } = ctx;
		await relayed.client.ended({ kind: "lost" });
		assert(signal.aborted);
		completer.relayItem(written(item(1)));
		completer.relay(written(completion()));
		await settle();
		assert.deepEqual(relayed.wire.sent, []);
		assert.deepEqual(relayed.told, [["stream", "lost", 0, undefined]]);
	});

	it("fail a stream whose item the client's protocol cannot have", async () => {
		const relayed = relaying();
		const { ctx, completer } = await call(relayed, streamInvocation("far"));
		const { wire } = relayed;
		const send = wire.send.bind(wire);
		wire.send = (message) => {
			if (message.type === MessageType.StreamItem) throw new Error("broken");
			send(message);
		};
		completer.relayItem(written(item(1)));
		assert(ctx.signal.aborted);
		await settle();
		const error = "An unexpected error occurred invoking 'far' on the server.";
		assert.deepEqual(wire.sent, [completion({ error })]);
	});

	it("have no items where no stream was asked for", async () => {
		const relayed = relaying();
		const { completer } = await call(relayed, invocation("far", [], "1"));
		completer.relayItem(written(item(1)));
		assert.deepEqual(relayed.wire.sent, []);
	});
});
