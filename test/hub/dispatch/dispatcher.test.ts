import assert from "node:assert/strict";
import { HubException } from "../../../lib/errors/index.js";
import {
	type ClientConnection,
	type Completer,
	type CreateHubOptions,
	createHub,
	type Hub,
	type InvocationContext,
} from "../../../lib/hub/index.js";
import { type CompletionMessage, MessageType } from "../../../lib/protocols/index.js";
import { collectingLog, FakeWire, identityOf, invocation, settle } from "../fakes.js";

interface Opened {
	readonly hub: Hub;
	readonly client: ClientConnection;
	readonly wire: FakeWire;
}

function open(options: CreateHubOptions<never> = {}): Opened {
	const hub = createHub()(options as CreateHubOptions<never>);
	const wire = new FakeWire();
	return { hub, wire, client: hub.open(identityOf("c1"), wire) };
}

/** What an invocation with an id is answered. */
async function answerTo(
	{ client, wire }: Opened,
	target: string,
	...args: unknown[]
): Promise<CompletionMessage[]> {
	const from = wire.sent.length;
	await client.receive(invocation(target, args, "1"));
	await settle();
	return wire.sent.slice(from) as CompletionMessage[];
}

const asksRoute = ({ route }: Pick<InvocationContext, "route">): unknown => route;

const GENERIC = "An unexpected error occurred invoking 'm' on the server.";

describe("hub/dispatch/dispatcher", () => {
	it("answers with the result, and null for none", async () => {
		const opened = open({ methods: { m: () => 5, none: () => {} } });
		const completion = { type: MessageType.Completion, invocationId: "1", hasResult: true };
		assert.deepEqual(await answerTo(opened, "M"), [{ ...completion, result: 5 }]);
		assert.deepEqual(await answerTo(opened, "none"), [{ ...completion, result: null }]);
	});

	it("answers nothing where no id was sent, failures included", async () => {
		const { client, wire } = open({
			methods: {
				m() {
					throw new Error("x");
				},
			},
		});
		for (const target of ["m", "nope"]) await client.receive(invocation(target));
		await settle();
		assert.deepEqual(wire.sent, []);
	});

	it("lets a middleware answer, change the result and fail the call", async () => {
		const opened = open({ methods: { m: () => 1, n: () => 1 } });
		opened.hub.use(async (ctx, next) => {
			if (ctx.target === "other") {
				ctx.result = "own";
				return;
			}
			if (ctx.target === "n") throw new HubException("not for you");
			await next();
			ctx.result = [ctx.result, ctx.args];
		});
		assert.deepEqual((await answerTo(opened, "M", "a"))[0]?.result, [1, ["a"]]);
		assert.equal((await answerTo(opened, "other"))[0]?.result, "own");
		assert.equal(
			(await answerTo(opened, "N"))[0]?.error,
			"An unexpected error occurred invoking 'n' on the server. HubException: not for you",
		);
	});

	it("gives the middleware the declared name, and an unknown method's as it was sent", async () => {
		const targets: string[] = [];
		const opened = open({ methods: { sendAll: () => 1 } });
		opened.hub.use((ctx, next) => {
			targets.push(ctx.target);
			return next();
		});
		await answerTo(opened, "SENDALL");
		await answerTo(opened, "NoPe");
		assert.deepEqual(targets, ["sendAll", "NoPe"]);
	});

	it("checks arguments before any middleware runs", async () => {
		let runs = 0;
		const opened = open({ methods: { m: (_ctx: unknown, _a: unknown) => 1 } });
		opened.hub.use(() => void runs++);
		assert.equal(
			(await answerTo(opened, "m"))[0]?.error,
			"Failed to invoke 'm' due to an error on the server.",
		);
		assert.equal(runs, 0);
	});

	it("fails only the call when route, a middleware or a method throws, whatever is thrown", async () => {
		for (const thrown of [new Error("x"), "x", null, undefined, Object.create(null), Symbol("x"), 1n]) {
			const fail = (): never => {
				throw thrown;
			};
			for (const detailedErrors of [false, true]) {
				const method = open({ detailedErrors, methods: { m: fail } });
				const route = open({ detailedErrors, route: fail, methods: { m: asksRoute } });
				const middleware = open({ detailedErrors, methods: { m: () => 1 } });
				middleware.hub.use(fail);
				for (const opened of [method, route, middleware]) {
					const [completion, ...more] = await answerTo(opened, "m");
					assert(completion?.error?.startsWith(GENERIC), String(completion?.error));
					assert.deepEqual(more, []);
					assert.equal((await answerTo(opened, "m")).length, 1, "the slot is free again");
				}
			}
		}
	});

	it("calls a middleware's second next an error of the server", async () => {
		const opened = open({ methods: { m: () => 1 } });
		opened.hub.use(async (_ctx, next) => {
			await next();
			await next();
		});
		assert.equal((await answerTo(opened, "m"))[0]?.error, GENERIC);
	});

	it("routes by the hub's option", async () => {
		const opened = open({
			route: (target, args) => (target === "m" ? { vmId: String(args.first), root: "r" } : undefined),
			methods: { m: () => 1, other: () => 1 },
		});
		opened.hub.use((ctx) => {
			ctx.result = [ctx.vmId, ctx.route?.root];
		});
		assert.deepEqual((await answerTo(opened, "m", "a.b"))[0]?.result, ["a.b", "r"]);
		assert.deepEqual((await answerTo(opened, "other"))[0]?.result, [undefined, undefined]);
	});

	it("leaves the answer to a completer, and frees the slot meanwhile", async () => {
		const completers: Completer[] = [];
		const opened = open({ methods: { m: () => "now" } });
		opened.hub.use((ctx, next) => {
			if (ctx.target === "m") return next();
			completers.push(ctx.deferCompletion());
			return undefined;
		});
		assert.deepEqual(await answerTo(opened, "later"), []);
		assert.equal((await answerTo(opened, "m"))[0]?.result, "now");
		completers[0]?.complete("then");
		completers[0]?.complete("again");
		completers[0]?.fail("again");
		const last = opened.wire.sent.at(-1) as CompletionMessage;
		assert.deepEqual([opened.wire.sent.length, last.result], [2, "then"]);
	});

	it("shows a completer's failure as it is", async () => {
		const opened = open();
		opened.hub.use((ctx) => ctx.deferCompletion().fail("as it is"));
		assert.deepEqual(await answerTo(opened, "m"), [
			{ type: MessageType.Completion, invocationId: "1", error: "as it is" },
		]);
	});

	it("answers once where a middleware defers, and then throws or defers again", async () => {
		const completers: Completer[] = [];
		const opened = open();
		opened.hub.use((ctx) => {
			completers.push(ctx.deferCompletion(), ctx.deferCompletion());
			if (ctx.target === "m") throw new Error("after all");
		});
		assert.equal((await answerTo(opened, "m"))[0]?.error, GENERIC);
		await answerTo(opened, "twice");
		for (const completer of completers) completer.complete(1);
		assert.equal(opened.wire.sent.length, 2);
	});

	it("refuses every stream invocation, with the text that fits", async () => {
		const { client, wire } = open({ methods: { Known: () => 1 } });
		for (const target of ["known", "nope"]) {
			const { arguments: args } = invocation(target);
			client.receive({ type: MessageType.StreamInvocation, invocationId: "s", target, arguments: args });
			await client.receive(invocation("known"));
			await settle();
			client.receive({ type: MessageType.StreamInvocation, invocationId: "t", target, arguments: args });
		}
		await settle();
		assert.deepEqual(
			[...new Set(wire.sent.map((message) => (message as CompletionMessage).error))],
			[
				"The client attempted to invoke the non-streaming 'Known' method with a streaming invocation.",
				"Failed to invoke 'nope' due to an error on the server. HubException: Method does not exist.",
			],
		);
	});

	it("logs wrong arguments at debug, without a stack, and targets cut to 100 characters", async () => {
		const log = collectingLog();
		const opened = open({ log, methods: { two: (_ctx: unknown, _a: unknown, _b: unknown) => {} } });
		opened.hub.use(async (_ctx, next) => {
			await next();
			throw new Error("x");
		});
		await answerTo(opened, "two", 1);
		const reason = "Invocation provides 1 argument(s) but target expects 2.";
		const connectionId = "c1";
		assert.deepEqual(log.entries, [
			{ level: "debug", target: "two", connectionId, code: "ERR_ARGUMENTS", reason },
		]);
		opened.hub.use(() => {
			throw new Error("y");
		});
		await answerTo(opened, "t".repeat(30_000));
		assert.equal(log.entries[1]?.target, `${"t".repeat(99)}…`);
	});

	it("counts invocations and failures, and logs failures of the server only", async () => {
		const log = collectingLog();
		const opened = open({
			log,
			methods: {
				m() {
					throw new Error("x");
				},
			},
		});
		await answerTo(opened, "m");
		await answerTo(opened, "nope");
		assert.equal(opened.hub.counters.get("invocations"), 2);
		assert.equal(opened.hub.counters.get("invocationErrors"), 2);
		assert.deepEqual(log.lines, ["error An invocation failed."]);
	});
});
