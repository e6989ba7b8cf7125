import assert from "node:assert/strict";
import { deferred } from "../../../lib/base/index.js";
import {
	type ClientConnection,
	type Completer,
	type CreateHubOptions,
	createHub,
	type InvocationContext,
	method,
	type UploadRelay,
} from "../../../lib/hub/index.js";
import { Arguments, type HubMessage, MessageType } from "../../../lib/protocols/index.js";
import { collectingLog, FakeWire, identityOf, settle } from "../fakes.js";

type Take = (ctx: InvocationContext, relay: UploadRelay) => unknown;

interface Opened {
	readonly client: ClientConnection;
	readonly wire: FakeWire;
	/** What the relay was given: items' values, and Completions. */
	readonly got: unknown[];
	/** Resolves what the relay waits for with each item, where a test sets it. */
	gate: Promise<void> | undefined;
}

/** A hub with one middleware, which may hand the uploads of a call to a relay that keeps what it gets. */
function open(take: Take, options: CreateHubOptions<never> = {}): Opened {
	const hub = createHub()(options as CreateHubOptions<never>);
	const wire = new FakeWire();
	const opened: Opened = { wire, got: [], gate: undefined, client: hub.open(identityOf("c1"), wire) };
	const relay: UploadRelay = {
		item({ item }) {
			opened.got.push(item);
			return opened.gate;
		},
		completed: (message) => void opened.got.push(message),
	};
	hub.use((ctx) => take(ctx, relay));
	return opened;
}

function call(streamIds: readonly string[], invocationId?: string): HubMessage {
	const target = "far";
	return {
		type: MessageType.Invocation,
		...{ invocationId, target, arguments: Arguments.of([]), streamIds },
	};
}

function streamCall(streamIds: readonly string[]): HubMessage {
	const type = MessageType.StreamInvocation;
	return { type, invocationId: "1", target: "far", arguments: Arguments.of([]), streamIds };
}

function item(invocationId: string, value: unknown): HubMessage {
	return { type: MessageType.StreamItem, invocationId, item: value };
}

function end(invocationId: string, error?: string): HubMessage {
	const failure = error === undefined ? {} : { error };
	return { type: MessageType.Completion, invocationId, ...failure };
}

/** As one frame brings them: nothing is awaited between, but where the client is asked to wait. */
async function receive({ client }: Opened, ...messages: readonly HubMessage[]): Promise<void> {
	await settle();
	for (const message of messages) await client.receive(message);
}

const UNKNOWN = "Failed to invoke 'far' due to an error on the server. HubException: Method does not exist.";

describe("hub/streams relayed uploads", () => {
	it("reach a middleware whole, also what came in the frame of the call", async () => {
		const opened = open((ctx, relay) => {
			ctx.deferCompletion();
			ctx.relayUploads(relay);
		});
		await receive(opened, call(["a"], "1"), item("a", 1), item("a", 2), end("a", "mine"));
		await settle();
		assert.deepEqual(opened.got, [1, 2, end("a", "mine")]);
		assert.equal(opened.client.streams.size, 0, "the id is free again");
	});

	it("wait for a middleware that takes its time, bounded, and then come as they come", async () => {
		const gate = deferred();
		const opened = open(
			async (ctx, relay) => {
				ctx.deferCompletion();
				await gate.promise;
				ctx.relayUploads(relay);
			},
			{ streamBufferCapacity: 2 },
		);
		await receive(opened, call(["a", "b"], "1"), item("a", 1), item("a", 2), item("b", "x"));
		const held = opened.client.receive(item("a", 3));
		assert(held, "the third one holds the reading");
		gate.resolve();
		await held;
		await receive(opened, item("b", "y"), end("b"), item("a", 4), end("a"));
		assert.deepEqual(
			opened.got.filter((each) => typeof each === "number"),
			[1, 2, 3, 4],
		);
		assert.deepEqual(
			opened.got.filter((each) => typeof each === "string"),
			["x", "y"],
		);
		assert.deepEqual(opened.got.slice(-4), ["y", end("b"), 4, end("a")]);
	});

	it("hold the reading while the relay does, and let it go when the call is answered", async () => {
		let completer: Completer | undefined;
		const opened = open((ctx, relay) => {
			completer = ctx.deferCompletion();
			ctx.relayUploads(relay);
		});
		await receive(opened, call(["a"], "1"));
		await settle();
		const gate = deferred();
		opened.gate = gate.promise;
		const first = opened.client.receive(item("a", 1));
		assert(first);
		gate.resolve();
		await first;
		opened.gate = deferred().promise;
		const second = opened.client.receive(item("a", 2));
		assert(second);
		completer?.complete();
		await second;
		assert.equal(opened.client.receive(item("a", 3)), undefined);
		assert.deepEqual(opened.got, [1, 2]);
	});

	it("are over when the call is answered, and their ids are free", async () => {
		const completers: Completer[] = [];
		const opened = open((ctx, relay) => {
			completers.push(ctx.deferCompletion());
			ctx.relayUploads(relay);
		});
		await receive(opened, call(["a"], "1"));
		await settle();
		completers[0]?.fail("theirs");
		await receive(opened, item("a", "late"), end("a"));
		assert.deepEqual(opened.got, []);
		await receive(opened, call(["a"], "2"), item("a", 1));
		await settle();
		assert.deepEqual(opened.got, [1]);
		const [, second] = completers;
		await receive(opened, end("a"), call(["a"], "3"), item("a", 2));
		await settle();
		second?.complete();
		await receive(opened, item("a", 3));
		assert.deepEqual(opened.got, [1, end("a"), 2, 3], "the end of a call is that of its own streams only");
	});

	it("of a call that nobody answers go on until they end", async () => {
		const opened = open((ctx, relay) => ctx.relayUploads(relay));
		await receive(opened, call(["a"]));
		await settle();
		await receive(opened, item("a", 1), item("a", 2), end("a"));
		assert.deepEqual(opened.got, [1, 2, end("a")]);
		assert.equal(opened.client.streams.size, 0);
		assert.deepEqual(opened.wire.sent, []);
	});

	it("stay open as long as the stream that answers", async () => {
		let completer: Completer | undefined;
		const opened = open((ctx, relay) => {
			completer = ctx.deferCompletion();
			ctx.relayUploads(relay);
		});
		await receive(opened, streamCall(["a"]));
		await settle();
		await receive(opened, item("a", 1));
		assert.deepEqual(opened.got, [1]);
		assert.equal(opened.client.streams.size, 2);
		completer?.complete();
		await settle();
		await receive(opened, item("a", 2));
		assert.deepEqual(opened.got, [1]);
		assert.equal(opened.client.streams.size, 0);
	});

	it("end when the client cancels the stream, and when it goes", async () => {
		const opened = open((ctx, relay) => {
			ctx.deferCompletion();
			ctx.relayUploads(relay);
		});
		await receive(opened, streamCall(["a"]));
		await settle();
		await opened.client.receive({ type: MessageType.CancelInvocation, invocationId: "1" });
		await settle();
		await receive(opened, item("a", 1), call(["b"], "2"));
		await settle();
		await opened.client.ended({ kind: "lost" });
		await receive(opened, item("b", 2), end("b"));
		assert.deepEqual(opened.got, []);
		assert.equal(opened.client.streams.size, 0);
	});

	it("of a declared method can be taken as well, and reach it where nobody takes them", async () => {
		const methods = {
			far: method({ streams: 1 }, async (_ctx, items: AsyncIterable<unknown>) => {
				const all: unknown[] = [];
				for await (const each of items) all.push(each);
				return all;
			}),
		};
		let isTaken = true;
		const hub = createHub()({ methods });
		const wire = new FakeWire();
		const got: unknown[] = [];
		hub.use((ctx, next) => {
			if (!isTaken) return next();
			ctx.relayUploads({ item: (message) => void got.push(message.item), completed: () => {} });
			return "taken";
		});
		const client = hub.open(identityOf("c1"), wire);
		await receive({ client, wire, got, gate: undefined }, call(["a"], "1"), item("a", 1), end("a"));
		await settle();
		isTaken = false;
		await receive({ client, wire, got, gate: undefined }, call(["a"], "2"), item("a", 2), end("a"));
		await settle();
		assert.deepEqual(
			wire.sent.map((message) => message.type === MessageType.Completion && message.result),
			["taken", [2]],
		);
	});

	it("are dropped where nobody takes them: the method does not exist", async () => {
		const hub = createHub()({});
		const wire = new FakeWire();
		hub.use((_ctx, next) => next());
		const client = hub.open(identityOf("c1"), wire);
		for (const message of [call(["a"], "1"), item("a", 1), end("a"), call(["a"], "1")])
			await client.receive(message);
		await settle();
		assert.deepEqual(
			wire.sent.map((message) => message.type === MessageType.Completion && message.error),
			[UNKNOWN, UNKNOWN],
		);
		assert.equal(client.streams.size, 0);
	});

	it("are too many only for a middleware that wants them", async () => {
		const ids = ["a", "b", "c"];
		for (const isTaken of [true, false]) {
			const hub = createHub()({ maxStreamsPerConnection: 2 });
			const wire = new FakeWire();
			const client = hub.open(identityOf("c1"), wire);
			hub.use((ctx, next) => {
				if (!isTaken) return next();
				ctx.deferCompletion();
				ctx.relayUploads({ item: () => undefined, completed: () => {} });
				return undefined;
			});
			await settle();
			await client.receive(call(ids, "1"));
			await client.receive(call(["a", "a"], "2"));
			await settle();
			assert.deepEqual(
				wire.sent.map((message) => message.type === MessageType.Completion && message.error),
				isTaken
					? ["This connection has 0 streams open; 2 are allowed at once.", "Stream ID 'a' is already in use."]
					: [UNKNOWN, UNKNOWN],
			);
			assert.equal(client.streams.size, 0);
		}
	});

	it("fail the call where they are taken twice, or the relay throws or rejects", async () => {
		const log = collectingLog();
		const failing: Take[] = [
			(ctx, relay) => {
				ctx.deferCompletion();
				ctx.relayUploads(relay);
				ctx.relayUploads(relay);
			},
			(ctx) => {
				ctx.deferCompletion();
				const item = (): never => {
					throw new Error("no");
				};
				ctx.relayUploads({ item, completed: () => {} });
			},
			(ctx) => {
				ctx.deferCompletion();
				ctx.relayUploads({ item: () => Promise.reject(new Error("no")), completed: () => {} });
			},
			(ctx) => {
				ctx.deferCompletion();
				const completed = (): never => {
					throw new Error("no");
				};
				ctx.relayUploads({ item: () => undefined, completed });
			},
		];
		for (const take of failing) {
			for (const message of [call(["a"], "1"), streamCall(["a"])]) {
				const opened = open(take, { log });
				await receive(opened, message);
				await settle();
				await receive(opened, item("a", 1), end("a"));
				await settle();
				const [answer] = opened.wire.sent;
				assert(answer?.type === MessageType.Completion);
				assert.equal(answer.error, "An unexpected error occurred invoking 'far' on the server.");
				assert.equal(opened.wire.sent.length, 1);
				assert.equal(opened.client.streams.size, 0);
			}
		}
		assert.equal(log.lines.length, failing.length * 2);
	});

	for (const [what, take] of [
		["relays them", (ctx, relay) => ctx.relayUploads(relay)],
		["answers early", (ctx) => ctx.deferCompletion().complete()],
	] as const satisfies readonly (readonly [string, Take])[]) {
		it(`count until their middleware has returned, one that ${what} and goes on`, async () => {
			const gate = deferred();
			let running = 0;
			const opened = open(
				async (ctx, relay) => {
					running++;
					take(ctx, relay);
					await gate.promise;
				},
				{ maxStreamsPerConnection: 2 },
			);
			for (const id of ["1", "2", "3"]) {
				await receive(opened, call([id], id));
				await settle();
				await receive(opened, item(id, 1), end(id));
				await settle();
			}
			assert.equal(running, 2);
			assert.equal(opened.client.streams.size, 2);
			const refused = opened.wire.sent.find(
				(message) => message.type === MessageType.Completion && message.invocationId === "3",
			);
			assert(refused?.type === MessageType.Completion);
			assert.equal(refused.error, "This connection has 2 streams open; 2 are allowed at once.");
			gate.resolve();
			await settle();
			assert.equal(opened.client.streams.size, 0);
		});
	}

	it("taken when the middleware has returned long ago leave no place behind", async () => {
		let late: (() => void) | undefined;
		const opened = open((ctx, relay) => {
			ctx.deferCompletion();
			late = () => ctx.relayUploads(relay);
		});
		await receive(opened, call(["a"], "1"));
		await settle();
		late?.();
		assert.equal(opened.client.streams.size, 1);
		await receive(opened, item("a", 1), end("a"));
		assert.deepEqual(opened.got, [1, end("a")]);
		assert.equal(opened.client.streams.size, 0);
	});

	it("are nothing to take where the client sends none", async () => {
		const opened = open((ctx, relay) => {
			ctx.relayUploads(relay);
			return "none";
		});
		await receive(opened, { ...call([], "1"), streamIds: undefined } as HubMessage);
		await settle();
		assert.deepEqual(
			opened.wire.sent.map((message) => message.type === MessageType.Completion && message.result),
			["none"],
		);
	});
});
