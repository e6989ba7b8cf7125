import assert from "node:assert/strict";
import { z } from "zod";
import { deferred } from "../../../lib/base/index.js";
import {
	type ClientConnection,
	type CreateHubOptions,
	createHub,
	type Hub,
	method,
	type Taker,
} from "../../../lib/hub/index.js";
import { Arguments, type CompletionMessage, MessageType } from "../../../lib/protocols/index.js";
import { collectingLog, FakeWire, identityOf, invocation, settle } from "../fakes.js";

interface Opened {
	readonly hub: Hub;
	readonly client: ClientConnection;
	readonly wire: FakeWire;
}

async function open(options: CreateHubOptions<never> = {}, ...takers: readonly Taker[]): Promise<Opened> {
	const hub = createHub()(options as CreateHubOptions<never>);
	for (const take of takers) hub.use({ install: () => undefined, take });
	const wire = new FakeWire();
	const client = hub.open(identityOf("c1"), wire);
	await settle();
	return { hub, client, wire };
}

/** Results and errors of the answers so far. */
function answers({ wire }: Opened): unknown[] {
	return (wire.sent as CompletionMessage[]).map(({ error, result }) => error ?? result);
}

const UNKNOWN = "Failed to invoke 'm' due to an error on the server. HubException: Method does not exist.";
const FAILED = "An unexpected error occurred invoking 'm' on the server.";

describe("hub/dispatch takers", () => {
	it("take a call at once, without a promise", async () => {
		const taken: string[] = [];
		const opened = await open({}, (ctx) => {
			taken.push(ctx.target);
			ctx.result = 7;
			return true;
		});
		assert.equal(opened.client.receive(invocation("m", [], "1")), undefined);
		assert.equal(opened.client.receive(invocation("n")), undefined);
		assert.equal(opened.client.running, 0);
		assert.deepEqual([taken, answers(opened)], [["m", "n"], [7]]);
	});

	it("answer later by a completer", async () => {
		const opened = await open({}, (ctx) => {
			const completer = ctx.deferCompletion();
			setImmediate(() => completer.complete("late"));
			return true;
		});
		void opened.client.receive(invocation("m", [], "1"));
		assert.deepEqual(answers(opened), []);
		assert.equal(opened.client.running, 0, "the next call need not wait");
		await settle();
		await settle();
		assert.deepEqual(answers(opened), ["late"]);
	});

	it("hold the next call of their client as long as they wait", async () => {
		const gate = deferred();
		const taken: unknown[] = [];
		const opened = await open({}, (ctx) => {
			taken.push(ctx.invocationId);
			return ctx.invocationId === "1" ? gate.promise : true;
		});
		assert.equal(opened.client.receive(invocation("m", [], "1")), undefined);
		const held = opened.client.receive(invocation("m", [], "2"));
		assert(held);
		await settle();
		assert.deepEqual([taken, answers(opened)], [["1"], []]);
		gate.resolve();
		await held;
		assert.deepEqual(
			[taken, answers(opened)],
			[
				["1", "2"],
				[null, null],
			],
		);
	});

	it("let a call go on: to the next one, the middleware behind them, the method", async () => {
		const seen: string[] = [];
		const opened = await open(
			{ methods: { m: (_ctx: unknown, value: unknown) => value } } as CreateHubOptions<never>,
			() => {
				seen.push("first");
				return false;
			},
			() => {
				seen.push("second");
				return false;
			},
		);
		await opened.client.receive(invocation("m", [5], "1"));
		assert.deepEqual([seen, answers(opened)], [["first", "second"], [5]]);
		opened.hub.use(async (_ctx, next) => {
			seen.push("middleware");
			await next();
		});
		await opened.client.receive(invocation("m", [6], "2"));
		await settle();
		assert.deepEqual(seen, ["first", "second", "first", "second", "middleware"]);
		await opened.client.receive(invocation("nope", [], "3"));
		await settle();
		assert.deepEqual(answers(opened), [5, 6, UNKNOWN.replace("'m'", "'nope'")]);
	});

	it("answer as for an unknown method where nobody takes the call", async () => {
		const opened = await open({}, () => false);
		await opened.client.receive(invocation("m", [], "1"));
		await settle();
		assert.deepEqual(answers(opened), [UNKNOWN]);
	});

	it("stand at their place in the list, also behind middleware", async () => {
		const seen: string[] = [];
		const opened = await open({});
		const take =
			(name: string, taken: boolean): Taker =>
			() => {
				seen.push(name);
				return taken;
			};
		opened.hub.use({ install: () => undefined, take: take("first", false) });
		opened.hub.use(async (_ctx, next) => {
			seen.push("middleware");
			await next();
		});
		opened.hub.use({ install: () => undefined, take: take("last", true) });
		opened.hub.use(() => void seen.push("never"));
		await opened.client.receive(invocation("m", [], "1"));
		await settle();
		assert.deepEqual(seen, ["first", "middleware", "last"]);
		assert.deepEqual(answers(opened), [null]);
	});

	it("stand in front of the middleware of their own extension", async () => {
		const seen: string[] = [];
		const opened = await open({});
		opened.hub.use({
			install: () => () => void seen.push("middleware"),
			take: ({ target }) => {
				seen.push("taker");
				return target === "m";
			},
		});
		for (const target of ["m", "n"]) await opened.client.receive(invocation(target));
		await settle();
		assert.deepEqual(seen, ["taker", "taker", "middleware"]);
	});

	it("fail the call by throwing, at once or later", async () => {
		const log = collectingLog();
		const thrower: Taker = ({ invocationId }) => {
			if (invocationId === "1") throw new Error("secret");
			return Promise.reject(new Error("secret"));
		};
		const opened = await open({ log }, thrower);
		for (const id of ["1", "2"]) await opened.client.receive(invocation("m", [], id));
		await settle();
		assert.deepEqual(answers(opened), [FAILED, FAILED]);
		assert.equal(opened.client.running, 0);
		const behind = await open({ log });
		behind.hub.use((_ctx, next) => next());
		behind.hub.use({ install: () => undefined, take: thrower });
		for (const id of ["1", "2"]) await behind.client.receive(invocation("m", [], id));
		await settle();
		assert.deepEqual(answers(behind), [FAILED, FAILED]);
	});

	it("see a call before its arguments are read, unless the method asks who may", async () => {
		let reads = 0;
		const args = (): Arguments =>
			Arguments.from("json", Buffer.from("[1]"), () => {
				reads++;
				return [1];
			});
		const checked = method({ args: [z.string()] }, () => "checked");
		const guarded = method({ args: [z.string()], authorize: () => true }, () => "guarded");
		let isTaking = true;
		const taken: string[] = [];
		const opened = await open({ methods: { checked, guarded } } as CreateHubOptions<never>, ({ target }) => {
			if (isTaking) taken.push(target);
			return isTaking;
		});
		const type = MessageType.Invocation;
		await opened.client.receive({ type, target: "CHECKED", arguments: args() });
		assert.deepEqual([taken, reads], [["checked"], 0]);
		isTaking = false;
		for (const target of ["checked", "guarded"])
			await opened.client.receive({ type, invocationId: "1", target, arguments: args() });
		await settle();
		isTaking = true;
		await opened.client.receive({ type, invocationId: "1", target: "guarded", arguments: args() });
		await settle();
		assert.deepEqual(taken, ["checked"], "wrong arguments of a guarded method reach nobody");
		const text = (target: string): string => `Failed to invoke '${target}' due to an error on the server.`;
		assert.deepEqual(answers(opened), [text("checked"), text("guarded"), text("guarded")]);
	});

	it("take calls for streams and with streams as any middleware", async () => {
		const seen: unknown[] = [];
		const opened = await open({}, (ctx) => {
			seen.push(ctx.isStream, ctx.streamIds);
			ctx.deferCompletion().complete();
			return true;
		});
		const call = { invocationId: "1", target: "m", arguments: Arguments.of([]) };
		await opened.client.receive({ type: MessageType.StreamInvocation, ...call });
		await opened.client.receive({ type: MessageType.Invocation, ...call, streamIds: ["a"] });
		await settle();
		assert.deepEqual(seen, [true, undefined, false, ["a"]]);
		assert.deepEqual(answers(opened), [undefined, null]);
		assert.equal(opened.client.streams.size, 0);
	});

	it("leave the route alone that nobody asks for", async () => {
		let routed = 0;
		const route = (): { vmId: string; root: string } => {
			routed++;
			return { vmId: "a.b", root: "a" };
		};
		const seen: unknown[] = [];
		const opened = await open({ route }, (ctx) => {
			if (ctx.target === "asks") seen.push(ctx.vmId, ctx.route?.root, ctx.vmId);
			return true;
		});
		await opened.client.receive(invocation("m"));
		assert.equal(routed, 0);
		await opened.client.receive(invocation("asks"));
		assert.deepEqual([seen, routed], [["a.b", "a", "a.b"], 1]);
	});
});
