import assert from "node:assert/strict";
import { Subject } from "@microsoft/signalr";
import { type Deferred, deferred } from "../../../lib/base/index.js";
import { type CreateHubOptions, HubException, type InvocationContext, method } from "../../../lib/index.js";
import { collectingLog } from "../fakes.js";
import { type AnyClient, failureOf, type Live, live } from "../live.js";

/** Everything that a stock client hears of a stream. */
function collect(stream: {
	subscribe(subscriber: { next(item: unknown): void; error(error: unknown): void; complete(): void }): {
		dispose(): void;
	};
}): { items: unknown[]; ended: Promise<unknown>; dispose(): void; has(count: number): Promise<void> } {
	const items: unknown[] = [];
	const end = deferred<unknown>();
	const waiting: { count: number; gate: Deferred<void> }[] = [];
	const { dispose } = bound(
		stream.subscribe({
			next(item) {
				items.push(item);
				for (const { count, gate } of waiting) if (items.length >= count) gate.resolve();
			},
			error: (error) => end.resolve(error instanceof Error ? error.message : error),
			complete: () => end.resolve("complete"),
		}),
	);
	return {
		...{ items, ended: end.promise, dispose },
		async has(count) {
			if (items.length >= count) return;
			const gate = deferred();
			waiting.push({ count, gate });
			await gate.promise;
		},
	};
}

function bound(subscription: { dispose(): void }): { dispose(): void } {
	return { dispose: () => subscription.dispose() };
}

const finallyRan = { gate: deferred<string>() };
/** What holds `stuck` and `late`. */
const unstick = { gate: deferred() };

function methods(): NonNullable<CreateHubOptions<AnyClient>["methods"]> {
	finallyRan.gate = deferred<string>();
	unstick.gate = deferred();
	return {
		async *count(_ctx: InvocationContext, to: number) {
			for (let at = 1; at <= to; at++) yield at;
		},
		*list() {
			yield "a";
			yield "b";
		},
		listed: method({ stream: true }, () => [1, 2, 3]),
		async *endless(ctx: InvocationContext) {
			try {
				for (let at = 0; ; at++) {
					yield at;
					await new Promise((resolve) => setImmediate(resolve));
				}
			} finally {
				finallyRan.gate.resolve(ctx.signal.aborted ? "aborted" : "not aborted");
			}
		},
		async *hangs(ctx: InvocationContext) {
			try {
				yield 1;
				await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
				yield 2;
			} finally {
				finallyRan.gate.resolve("done");
			}
		},
		async *stuck() {
			yield 1;
			await unstick.gate.promise;
		},
		late: method({ stream: true }, async () => {
			await unstick.gate.promise;
			return [1];
		}),
		async *dry() {
			yield 1;
			throw new HubException("ran dry");
		},
		async *secret() {
			yield 1;
			throw new Error("secret");
		},
		failsBefore: method({ stream: true }, () => {
			throw new Error("secret");
		}),
		none: method({ stream: true }, () => 7),
		async *unwritable() {
			yield 1;
			const cycle: unknown[] = [];
			cycle.push(cycle);
			yield cycle;
		},
		plain: () => "plain",
		wrong: () => (async function* () {})(),
		sum: method({ streams: 1 }, async (_ctx, start: number, numbers: AsyncIterable<number>) => {
			let sum = start;
			for await (const number of numbers) sum += number;
			return sum;
		}),
		first: method({ streams: 1 }, async (_ctx, items: AsyncIterable<unknown>) => {
			for await (const item of items) return item;
			return null;
		}),
		drain: method({ streams: 1 }, async (_ctx, items: AsyncIterable<unknown>) => {
			try {
				for await (const _ of items);
			} catch (error) {
				finallyRan.gate.resolve((error as { code?: string }).code ?? (error as Error).message);
				throw error;
			}
		}),
		parked: method({ streams: 1 }, async (_ctx, items: AsyncIterable<unknown>) => {
			await unstick.gate.promise;
			for await (const item of items) return item;
			return null;
		}),
		double: method({ streams: 1 }, async function* (_ctx, numbers: AsyncIterable<number>) {
			for await (const number of numbers) yield number * 2;
		}),
		zip: method({ streams: 2 }, async (_ctx, a: AsyncIterable<number>, b: AsyncIterable<number>) => {
			const list: number[] = [];
			for await (const item of a) list.push(item);
			for await (const item of b) list.push(item);
			return list;
		}),
		guarded: method({ stream: true, authorize: () => false }, () => [1]),
		guardedPlain: method({ authorize: async (ctx) => ctx.user !== undefined }, () => "in"),
	};
}

for (const messagePack of [false, true]) {
	describe(`hub/streams (${messagePack ? "messagepack" : "json"})`, () => {
		let scene: Live;
		beforeEach(async () => {
			scene = await live({ methods: methods(), maxStreamsPerConnection: 4 });
		});
		afterEach(() => scene.close());
		const client = () => scene.client({ messagePack });

		it("streams what generators yield, in order, and completes", async () => {
			const connection = await client();
			const counted = collect(connection.stream("COUNT", 500));
			assert.equal(await counted.ended, "complete");
			assert.deepEqual(
				counted.items,
				Array.from({ length: 500 }, (_, at) => at + 1),
			);
			for (const [name, items] of [
				["list", ["a", "b"]],
				["listed", [1, 2, 3]],
			] as const) {
				const stream = collect(connection.stream(name));
				assert.equal(await stream.ended, "complete");
				assert.deepEqual(stream.items, items);
			}
		});

		it("runs streams beside each other and beside invocations", async () => {
			const connection = await client();
			const endless = collect(connection.stream("endless"));
			await endless.has(3);
			assert.equal(await connection.invoke("plain"), "plain");
			assert.equal(await collect(connection.stream("count", 3)).ended, "complete");
			const { length } = endless.items;
			await endless.has(length + 3);
			endless.dispose();
			assert.equal(await finallyRan.gate.promise, "aborted");
		});

		it("lets a generator that waits hear of a cancel and go on to its finally, and its client call on", async () => {
			const connection = await client();
			const stream = collect(connection.stream("hangs"));
			await stream.has(1);
			stream.dispose();
			assert.equal(await finallyRan.gate.promise, "done");
			assert.equal(await connection.invoke("plain"), "plain");
		});

		it("ends the generators of a client that is gone", async () => {
			const connection = await client();
			await collect(connection.stream("endless")).has(1);
			await connection.stop();
			assert.equal(await finallyRan.gate.promise, "aborted");
		});

		it("tells of failures as ASP.NET Core does", async () => {
			const connection = await client();
			const failed = async (name: string): Promise<unknown> => collect(connection.stream(name)).ended;
			assert.equal(
				await failed("dry"),
				"An error occurred on the server while streaming results. HubException: ran dry",
			);
			assert.equal(await failed("secret"), "An error occurred on the server while streaming results.");
			assert.equal(await failed("unwritable"), "An error occurred on the server while streaming results.");
			const before = "An unexpected error occurred invoking 'failsBefore' on the server.";
			assert.equal(await failed("failsBefore"), before);
			assert.equal(await failed("none"), "An unexpected error occurred invoking 'none' on the server.");
			assert.equal(await failed("guarded"), "Failed to invoke 'guarded' because user is unauthorized");
			assert.equal(
				await failed("nope"),
				"Failed to invoke 'nope' due to an error on the server. HubException: Method does not exist.",
			);
			assert.equal(
				await failed("plain"),
				"The client attempted to invoke the non-streaming 'plain' method with a streaming invocation.",
			);
		});

		it("refuses a stream that is invoked, and a plain method that answers with one", async () => {
			const connection = await client();
			assert.equal(
				await failureOf(connection.invoke("count", 1)),
				"The client attempted to invoke the streaming 'count' method with a non-streaming invocation.",
			);
			assert.equal(
				await failureOf(connection.invoke("wrong")),
				"An unexpected error occurred invoking 'wrong' on the server.",
			);
			assert.equal(
				await failureOf(connection.invoke("guardedPlain")),
				"Failed to invoke 'guardedPlain' because user is unauthorized",
			);
		});

		it("opens no more streams than allowed", async () => {
			const connection = await client();
			const open = [1, 2, 3, 4].map(() => collect(connection.stream("endless")));
			for (const stream of open) await stream.has(1);
			const refused = await collect(connection.stream("count", 1)).ended;
			assert.equal(refused, "This connection has 4 streams open; 4 are allowed at once.");
			open[0]?.dispose();
			await finallyRan.gate.promise;
			assert.equal(await connection.invoke("plain"), "plain");
			assert.equal(await collect(connection.stream("count", 1)).ended, "complete");
		});

		it("counts a stream that was cancelled until its generator has ended", async () => {
			const connection = await client();
			for (let at = 0; at < 4; at++) {
				const stream = collect(connection.stream("stuck"));
				await stream.has(1);
				stream.dispose();
			}
			const refused = await collect(connection.stream("count", 1)).ended;
			assert.equal(refused, "This connection has 4 streams open; 4 are allowed at once.");
			unstick.gate.resolve();
			await connection.invoke("plain");
			assert.equal(await collect(connection.stream("count", 1)).ended, "complete");
		});

		it("counts a stream that was cancelled until its method has answered", async () => {
			const connection = await client();
			for (let at = 0; at < 4; at++) {
				collect(connection.stream("late")).dispose();
			}
			await connection.invoke("plain");
			const refused = await collect(connection.stream("count", 1)).ended;
			assert.equal(refused, "This connection has 4 streams open; 4 are allowed at once.");
			unstick.gate.resolve();
			await connection.invoke("plain");
			assert.equal(await collect(connection.stream("count", 1)).ended, "complete");
		});

		it("reads what a client streams, with and without arguments, both ways", async () => {
			const connection = await client();
			const numbers = new Subject<number>();
			const sum = connection.invoke("sum", 100, numbers);
			const doubles = new Subject<number>();
			const doubled = collect(connection.stream("double", doubles));
			for (let at = 1; at <= 50; at++) {
				numbers.next(at);
				doubles.next(at);
			}
			numbers.complete();
			doubles.complete();
			assert.equal(await sum, 100 + 1275);
			assert.equal(await doubled.ended, "complete");
			assert.equal(doubled.items.length, 50);
			assert.equal(doubled.items[49], 100);
		});

		it("drops what comes for a method that has ended", async () => {
			const connection = await client();
			const items = new Subject<unknown>();
			const first = connection.invoke("first", items);
			for (let at = 0; at < 100; at++) items.next(at);
			assert.equal(await first, 0);
			items.next("late");
			items.complete();
			assert.equal(await connection.invoke("plain"), "plain");
		});

		it("throws a client's error into the method, and tells the caller its text", async () => {
			const connection = await client();
			const items = new Subject<unknown>();
			const drained = failureOf(connection.invoke("drain", items));
			items.next(1);
			items.error(new Error("boom"));
			assert.match(
				await drained,
				/^An unexpected error occurred invoking 'drain' on the server\. HubException: .*boom/,
			);
		});

		it("throws into the method where the client goes in the middle", async () => {
			const connection = await client();
			const items = new Subject<unknown>();
			connection.invoke("drain", items).catch(() => {});
			items.next(1);
			await connection.invoke("plain");
			await connection.stop();
			assert.equal(await finallyRan.gate.promise, "ERR_CONNECTION_CLOSED");
		});

		it("says where the number of streams is wrong", async () => {
			const connection = await client();
			assert.equal(
				await failureOf(connection.invoke("sum", 1)),
				"An unexpected error occurred invoking 'sum' on the server. HubException: Client sent 0 stream(s), Hub method expects 1.",
			);
			const extra = new Subject<number>();
			assert.equal(
				await failureOf(connection.invoke("plain", extra)),
				"An unexpected error occurred invoking 'plain' on the server. HubException: Client sent 1 stream(s), Hub method expects 0.",
			);
			extra.complete();
		});
	});
}

describe("hub/streams (wire)", () => {
	let scene: Live;
	beforeEach(async () => {
		scene = await live({ methods: methods() });
	});
	afterEach(() => scene.close());

	it("refuses an id that is in use, and the first stream goes on", async () => {
		const raw = await scene.raw();
		raw.send({ type: 4, invocationId: "1", target: "hangs", arguments: [] });
		assert.deepEqual(await raw.next(), { type: 2, invocationId: "1", item: 1 });
		raw.send({ type: 4, invocationId: "1", target: "count", arguments: [1] });
		const refused = { type: 3, invocationId: "1", error: "Invocation ID '1' is already in use." };
		assert.deepEqual(await raw.next(), refused);
		raw.send({ type: 5, invocationId: "1" });
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "1" });
	});

	it("takes two streams in one call, whose items come mixed and in the same frame", async () => {
		const raw = await scene.raw();
		raw.send({ type: 1, invocationId: "1", target: "zip", arguments: [], streamIds: ["a", "b"] });
		for (const [invocationId, item] of [
			["b", 3],
			["a", 1],
			["b", 4],
			["a", 2],
		])
			raw.send({ type: 2, invocationId, item });
		raw.send({ type: 3, invocationId: "b" });
		raw.send({ type: 3, invocationId: "a" });
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: [1, 2, 3, 4] });
	});

	it("passes over items, ends and cancels of streams that are not there", async () => {
		const raw = await scene.raw();
		raw.send({ type: 2, invocationId: "9", item: 1 });
		raw.send({ type: 3, invocationId: "9" });
		raw.send({ type: 5, invocationId: "9" });
		raw.send({ type: 1, invocationId: "1", target: "plain", arguments: [] });
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: "plain" });
	});

	it("reads no more of a client that sends faster than its method takes", async () => {
		const raw = await scene.raw();
		raw.send({ type: 1, target: "hold", arguments: [], streamIds: ["a"] });
		raw.send({ type: 4, invocationId: "2", target: "double", arguments: [], streamIds: ["b"] });
		for (let item = 0; item < 20; item++) raw.send({ type: 2, invocationId: "b", item });
		raw.send({ type: 3, invocationId: "b" });
		for (let item = 0; item < 20; item++)
			assert.deepEqual(await raw.next(), { type: 2, invocationId: "2", item: item * 2 });
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "2" });
	});

	it("reads no more of a client whose uploads hold too many items together", async () => {
		await scene.close();
		scene = await live({ methods: methods(), streamBufferCapacity: 1 });
		const raw = await scene.raw();
		for (let at = 0; at < 12; at++) {
			raw.send({ type: 1, invocationId: `${at}`, target: "parked", arguments: [], streamIds: [`u${at}`] });
			raw.send({ type: 2, invocationId: `u${at}`, item: at });
			raw.send({ type: 3, invocationId: `u${at}` });
		}
		raw.invoke("last", "plain");
		for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
		assert.deepEqual(raw.records, []);
		unstick.gate.resolve();
		const answered = new Set<string>();
		while (answered.size < 13) answered.add(((await raw.next()) as { invocationId: string }).invocationId);
		assert(answered.has("last"));
	});

	it("lets no more calls with the wrong streams run than may have streams, whatever holds them up", async () => {
		await scene.close();
		let running = 0;
		const gate = deferred();
		scene = await live({ methods: methods(), maxStreamsPerConnection: 6 });
		scene.hub.use(async (_ctx, next) => {
			running++;
			await gate.promise;
			await next();
		});
		const raw = await scene.raw();
		// The first one's three streams wait for a middleware that may take them; the others have a place each.
		for (const target of ["nope", "plain", "sum", "zip", "nope", "sum"])
			raw.send({ type: 1, invocationId: target, target, arguments: [0], streamIds: ["a", "b", "c"] });
		const refused = "This connection has 6 streams open; 6 are allowed at once.";
		for (const invocationId of ["nope", "sum"])
			assert.deepEqual(await raw.next(), { type: 3, invocationId, error: refused });
		assert.equal(running, 1, "three were refused before any middleware");
		gate.resolve();
		for (let at = 0; at < 4; at++) await raw.next();
		raw.send({ type: 4, invocationId: "1", target: "count", arguments: [1] });
		assert.deepEqual(await raw.next(), { type: 2, invocationId: "1", item: 1 });
	});

	it("leaves the streams of a call alone that another one names which is refused", async () => {
		const raw = await scene.raw();
		raw.send({ type: 1, invocationId: "1", target: "sum", arguments: [0], streamIds: ["a"] });
		raw.send({ type: 2, invocationId: "a", item: 1 });
		raw.send({ type: 1, invocationId: "2", target: "nope", arguments: [], streamIds: ["a"] });
		assert.equal(((await raw.next()) as { invocationId: string }).invocationId, "2");
		raw.send({ type: 2, invocationId: "a", item: 2 });
		raw.send({ type: 3, invocationId: "a" });
		assert.deepEqual(await raw.next(), { type: 3, invocationId: "1", result: 3 });
	});

	it("says only at debug that a client sent the wrong number of streams", async () => {
		await scene.close();
		const log = collectingLog();
		scene = await live({ methods: methods(), log });
		const raw = await scene.raw();
		raw.send({ type: 1, invocationId: "1", target: "sum", arguments: [0], streamIds: ["a", "b"] });
		await raw.next();
		const found = log.entries.find(({ target }) => target === "sum");
		assert.equal(found?.level, "debug");
		assert.equal(found?.err, undefined);
	});
});
