import { z } from "zod";
import { HubException, type InvocationContext, type MethodTable, method } from "../../../lib/index.js";
import type { Journal } from "./journal.js";

/** An error that no client may read of, named as its twin in C#. */
export function secret(): Error {
	return Object.assign(new Error("secret"), { name: "InvalidOperationException" });
}

/** Methods with one answer, and those that fail. */
export const plainMethods: MethodTable = {
	Echo: method({ args: [z.unknown()] }, (_ctx, value) => value),
	Add: method({ args: [z.int(), z.int()] }, (_ctx, a, b) => a + b),
	Nothing: method({ args: [] }, () => {}),
	NothingLater: async () => new Promise<void>((resolve) => setImmediate(resolve)),
	NewName: () => "renamed",
	Reversed: (_ctx, bytes: string | Uint8Array) =>
		Buffer.from(bytes as string, typeof bytes === "string" ? "base64" : undefined).reverse(),
	Repeated: (_ctx, text: string, times: number) => text.repeat(times),
	LengthOf: (_ctx, text: string) => text.length,
	Promoted: (_ctx, person: { readonly rank: number }) => ({ ...person, rank: person.rank + 1 }),
	CountUp: ({ connection: { items } }) => {
		const count = ((items.get("count") as number | undefined) ?? 0) + 1;
		items.set("count", count);
		return count;
	},
	Fail: () => {
		throw secret();
	},
	FailLater: async () => {
		await new Promise<void>((resolve) => setImmediate(resolve));
		throw secret();
	},
	Refuse: (_ctx, text: string) => {
		throw new HubException(text);
	},
	AbortMe: (ctx) => ctx.connection.abort(),
};

/** What a test waits for. */
export function journalMethods(journal: Journal): MethodTable {
	return {
		Note: (_ctx, scope: string, text: string) => journal.note(scope, text),
		Reached: (_ctx, scope: string, count: number) => journal.reached(scope, count),
		Hold: async (_ctx, gate: string) => {
			journal.note(gate, "held");
			await journal.gate(gate).promise;
			journal.note(gate, "let go");
			return gate;
		},
		Release: (_ctx, gate: string) => journal.gate(gate).resolve(),
	};
}

/** Clients that are asked for results. */
export const askingMethods: MethodTable = {
	AskCaller: (ctx, target: string, value: unknown) => outcomeOf(ctx.clients.caller.invoke(target, value)),
	Ask: (ctx, connectionId: string, target: string, value: unknown) =>
		outcomeOf(ctx.clients.client(connectionId).invoke(target, value)),
};

async function outcomeOf(answer: Promise<unknown>): Promise<string> {
	try {
		return `result ${JSON.stringify(await answer)}`;
	} catch (error) {
		return `error ${(error as Error).message}`;
	}
}

/** Groups, users, and everybody that can be sent to. */
export const addressingMethods: MethodTable = {
	Join: (ctx, group: string) => ctx.groups.add(ctx.connectionId, group),
	Leave: (ctx, group: string) => ctx.groups.remove(ctx.connectionId, group),
	JoinFor: (ctx, connectionId: string, group: string) => ctx.groups.add(connectionId, group),
	WhoAmI: (ctx) => [ctx.connectionId, ctx.user?.id ?? null],
	Say: (ctx, audience: string, names: readonly string[], text: string) =>
		audienceOf(ctx, audience, names).send("said", text),
	SayTwo: (ctx, target: string, first: unknown, second: unknown) =>
		ctx.clients.caller.send(target, first, second),
};

type Audience = Pick<InvocationContext["clients"]["all"], "send">;

function audienceOf({ clients }: InvocationContext, audience: string, names: readonly string[]): Audience {
	const [name = "", ...rest] = names;
	const audiences: Readonly<Record<string, () => Audience>> = {
		all: () => clients.all,
		allExcept: () => clients.all.except(...names),
		others: () => clients.others,
		caller: () => clients.caller,
		client: () => clients.client(name),
		clients: () => clients.clients(names),
		group: () => clients.group(name),
		groups: () => clients.groups(names),
		groupExcept: () => clients.group(name).except(...rest),
		othersInGroup: () => clients.othersInGroup(name),
		user: () => clients.user(name),
		users: () => clients.users(names),
	};
	const found = audiences[audience];
	if (!found) throw new HubException("no such audience");
	return found();
}
