import assert from "node:assert/strict";
import { z } from "zod";
import {
	createHub,
	createServer,
	type HubFilter,
	type HubMethods,
	type InvocationContext,
	type Middleware,
	method,
} from "../../lib/index.js";

interface Client {
	received(user: string, text: string): void;
	confirm(text: string): boolean;
}

/** Knows nothing of the client's methods, and fits every hub. */
const shared = method({ args: [z.string()] }, (ctx, text) => ctx.clients.all.send("anything", text));

/** Knows another client's methods than the hub has. */
const foreign = method({}, (ctx: InvocationContext<{ gone(): void }>) => ctx.clients.all.send("gone"));

const hub = createHub<Client>()({
	maxMessageBytes: 1_000,
	methods: {
		send: (ctx, user: string, text: string) => ctx.clients.all.send("received", user, text),
		async *countdown(_ctx, from: number) {
			while (from > 0) yield from--;
		},
		sum: method({ streams: 1 }, async (_ctx, numbers: AsyncIterable<number>) => {
			let sum = 0;
			for await (const number of numbers) sum += number;
			return sum;
		}),
		add: method({ args: [z.number(), z.number()] }, (_ctx, a, b) => a + b),
		date: method({ args: [z.string().transform((text) => new Date(text))] }, (_ctx, date) => date.getTime()),
		both: method({ args: [z.string()], streams: 1 }, async (_ctx, name, items: AsyncIterable<Date>) => {
			for await (const item of items) item.getTime();
			return name.toUpperCase();
		}),
		ask: async (ctx, text: string) => {
			const isConfirmed: boolean = await ctx.clients.caller.with({ timeoutMs: 50 }).invoke("confirm", text);
			return isConfirmed;
		},
		checked: method({ args: [z.string()], authorize: (ctx) => ctx.user !== undefined }, async (ctx, text) => {
			const isConfirmed: boolean = await ctx.clients.caller.invoke("confirm", text);
			// @ts-expect-error: a client has no such method
			await ctx.clients.all.send("nope");
			return isConfirmed;
		}),
		declared: method({ streams: 1 }, async (ctx, items: AsyncIterable<string>) => {
			for await (const item of items) await ctx.clients.others.send("received", "ann", item);
			// @ts-expect-error: a client method's argument of another type
			await ctx.clients.others.send("received", 1, "x");
		}),
		shared,
	},
});
createHub<Client>()({
	// @ts-expect-error: this hub's clients have no such method
	methods: { foreign },
});

type Methods = HubMethods<typeof hub>;

/** What a browser project writes around the stock client; it is compiled here and never run. */
async function typed(call: Methods): Promise<void> {
	const sum: number = await call.add(1, 2);
	const time: number = await call.date("2026-11-21");
	const isConfirmed: boolean = await call.ask("sure?");
	await call.send("ann", "hi");
	const isChecked: boolean = await call.checked("sure?");
	await call.shared("hi");
	call.countdown(3).subscribe({ next: (left) => left.toFixed(), error() {}, complete() {} });
	const upload = call.countdown(1);
	const total: number = await call.sum(upload);
	void [sum, time, isConfirmed, isChecked, total];
	// @ts-expect-error: a text is no number
	await call.add("1", 2);
	// @ts-expect-error: the schema takes a text and gives a date
	await call.date(new Date());
	// @ts-expect-error: one argument too few
	await call.send("ann");
	// @ts-expect-error: a stream of numbers is no stream of dates
	await call.both("x", upload);
	// @ts-expect-error: not declared
	await call.nope();
	// @ts-expect-error: a client has no such method
	await hub.clients.all.send("nope");
	// @ts-expect-error: a client method's argument of another type
	await hub.clients.all.send("received", 1, "x");
	// @ts-expect-error: its answer is a boolean
	const text: string = await hub.clients.client("id").invoke("confirm", "x");
	void text;
}

/** Filters know the client's methods too. */
function filtered(): void {
	hub.use(async (ctx, next) => {
		await next();
		await ctx.clients.all.send("received", "ann", "hi");
		// @ts-expect-error: a client has no such method
		await ctx.clients.all.send("nope");
	});
	hub.use({
		invocation: (ctx, next) => (ctx.user ? next() : ctx.clients.caller.send("received", "server", "no")),
		async connected(ctx, next) {
			await next();
			// @ts-expect-error: a client method's argument of another type
			await ctx.clients.others.send("received", 1, "x");
		},
		disconnected: (ctx) => ctx.clients.all.send("received", "server", ctx.reason.kind),
	});
	// Those that know nothing of the client's methods fit every hub.
	const anywhere: Middleware = (_ctx, next) => next();
	const everywhere: HubFilter = { connected: (_ctx, next) => next() };
	hub.use(anywhere).use(everywhere);
	// @ts-expect-error: no such member
	hub.use({ connect: () => {} });
}

describe("hub types", () => {
	it("let a server take typed hubs, and clients know what they can call", () => {
		assert.equal(typeof createServer().map("/chat", hub).listen, "function");
		assert.deepEqual([typed.length, filtered.length], [1, 0]);
	});
});
