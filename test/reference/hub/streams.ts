import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import { HubException, type InvocationContext, type MethodTable, method } from "../../../lib/index.js";
import type { Journal } from "./journal.js";
import { secret } from "./methods.js";

async function* upTo(count: number): AsyncGenerator<number> {
	for (let at = 1; at <= count; at++) yield at;
}

/** Streams to the client. */
export function downloads(journal: Journal): MethodTable {
	return {
		Counter: method({ args: [z.int()], stream: true }, (_ctx, to) => upTo(to)),
		async *Nulls() {
			yield null;
			yield { name: null };
		},
		async *Endless(ctx: InvocationContext, scope: string) {
			try {
				for (let at = 0; ; at++) {
					yield at;
					await wait(1, undefined, { signal: ctx.signal }).catch(() => {});
				}
			} finally {
				journal.note(scope, "stream over");
			}
		},
		async *Quiet(ctx: InvocationContext, scope: string) {
			try {
				yield "only";
				await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
			} finally {
				journal.note(scope, "stream over");
			}
		},
		async *RunsDry(_ctx: InvocationContext, after: number) {
			yield* upTo(after);
			throw new HubException("ran dry");
		},
		async *BreaksDown(_ctx: InvocationContext, after: number) {
			yield* upTo(after);
			throw secret();
		},
		NeverStarts: method({ stream: true }, () => {
			throw new HubException("no stream today");
		}),
	};
}

/** Streams of the client. */
export function uploads(journal: Journal): MethodTable {
	return {
		Sum: method({ args: [z.int()], streams: 1 }, async (_ctx, start, numbers: AsyncIterable<number>) => {
			let sum = start;
			for await (const number of numbers) sum += number;
			return sum;
		}),
		Collect: method({ streams: 1 }, async (_ctx, items: AsyncIterable<unknown>) => {
			const all: unknown[] = [];
			for await (const item of items) all.push(item);
			return all;
		}),
		First: method({ streams: 1 }, async (_ctx, items: AsyncIterable<unknown>) => {
			for await (const item of items) return item;
			return null;
		}),
		Take: method(
			{ streams: 1 },
			async (_ctx, scope: string, gate: string, items: AsyncIterable<string>): Promise<void> => {
				journal.note(scope, "taking");
				await journal.gate(gate).promise;
				try {
					for await (const item of items) journal.note(scope, item);
					journal.note(scope, "complete");
				} catch (error) {
					journal.note(scope, error instanceof HubException ? error.message : "lost");
					throw error;
				}
			},
		),
		EchoStream: method({ streams: 1 }, async function* (_ctx, items: AsyncIterable<unknown>) {
			yield* items;
		}),
		SumOfProducts: method(
			{ streams: 2 },
			async (_ctx, left: AsyncIterable<number>, right: AsyncIterable<number>) => {
				let sum = 0;
				const other = right[Symbol.asyncIterator]();
				for await (const number of left) {
					const { done, value } = await other.next();
					if (!done) sum += number * value;
				}
				return sum;
			},
		),
	};
}
