import { setTimeout as wait } from "node:timers/promises";
import { type ClientProxy, createHub, type Hub, type InvocationContext, method } from "../../../lib/index.js";
import { ENTRY, type JournalWriter } from "./journal.js";
import { type AppSettings, EVERYONE } from "./settings.js";

/** Any method: what clients can be asked for is up to the tests. */
type Client = Record<string, (...parameters: readonly unknown[]) => unknown>;
type Context = InvocationContext<Client>;

const FILLER_BYTES = 1_000;

function sendNumber(to: ClientProxy<Client>, target: "down" | "tick", ...numbers: readonly number[]): void {
	// What cannot be sent is not there when the books are compared.
	to.send(target, ...numbers).catch(() => undefined);
}

/** Numbers what is sent to each client, and writes it down first. */
class Downs {
	readonly #journal: JournalWriter;
	readonly #incarnation: number;
	readonly #numbers = new Map<number, number>();

	constructor({ incarnation }: AppSettings, journal: JournalWriter) {
		this.#journal = journal;
		this.#incarnation = incarnation;
	}

	send(ctx: Context, life: number): void {
		const number = (this.#numbers.get(life) ?? 0) + 1;
		this.#numbers.set(life, number);
		this.#journal.enter(ENTRY.down, life, number);
		sendNumber(ctx.clients.client(ctx.connectionId), "down", this.#incarnation, number);
	}
}

/** Checks that a message comes as the one who sent it. */
class Identities {
	readonly #lives = new Map<string, number>();
	readonly #journal: JournalWriter;

	constructor(journal: JournalWriter) {
		this.#journal = journal;
	}

	know(connectionId: string, life: number): void {
		this.#lives.set(connectionId, life);
	}

	check({ connectionId }: Context, life: number): void {
		const known = this.#lives.get(connectionId);
		if (known === undefined || known === life) return;
		this.#journal.tell({ fault: `a message of ${life} came over the connection of ${known}` });
	}

	forget(connectionId: string): void {
		this.#lives.delete(connectionId);
	}
}

async function* count(_ctx: Context, to: number): AsyncGenerator<number> {
	for (let at = 0; at < to; at++) {
		yield at;
		await wait(1);
	}
}

async function sum(_ctx: Context, items: AsyncIterable<unknown>): Promise<number> {
	let total = 0;
	for await (const item of items) total += Number(item);
	return total;
}

async function* double(_ctx: Context, items: AsyncIterable<unknown>): AsyncGenerator<number> {
	for await (const item of items) yield Number(item) * 2;
}

/** Sends the caller more than it may like. */
function fill(ctx: Context, messages: number): void {
	const text = "x".repeat(FILLER_BYTES);
	const to = ctx.clients.client(ctx.connectionId);
	for (let at = 0; at < messages; at++) to.send("filled", text).catch(() => undefined);
}

function tickAll(hub: Hub<Client>, { tickMs, incarnation }: AppSettings, journal: JournalWriter): void {
	if (tickMs === undefined) return;
	let number = 0;
	setInterval(() => {
		number++;
		journal.enter(ENTRY.tick, 0, number);
		sendNumber(hub.clients.group(EVERYONE), "tick", incarnation, number);
	}, tickMs).unref();
}

/** A hub with methods of every kind. */
export function plainHub(settings: AppSettings, journal: JournalWriter): Hub {
	const downs = new Downs(settings, journal);
	const identities = new Identities(journal);
	const take = (kind: number) => (ctx: Context, life: number, number: number) => {
		journal.enter(kind, life, number);
		identities.check(ctx, life);
		downs.send(ctx, life);
		return kind === ENTRY.echo ? number : undefined;
	};
	const hub = createHub<Client>()({
		...settings.hub,
		methods: {
			async hello(ctx: Context, life: number) {
				identities.know(ctx.connectionId, life);
				await ctx.groups.add(ctx.connectionId, EVERYONE);
				return ctx.connectionId;
			},
			note: take(ENTRY.note),
			echo: take(ENTRY.echo),
			/** Answers when it is too late. */
			hang(ctx: Context) {
				journal.tell({ called: "hang" });
				return new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
			},
			slow(_ctx: Context, ms: number) {
				journal.tell({ called: "slow" });
				return wait(ms, ms);
			},
			ask: (ctx: Context, value: unknown) => ctx.clients.client(ctx.connectionId).invoke("asked", value),
			fill,
			count,
			sum: method({ streams: 1 }, sum),
			double: method({ streams: 1, stream: true }, double),
		},
	});
	hub.on("disconnected", ({ connectionId }) => identities.forget(connectionId));
	tickAll(hub, settings, journal);
	return hub as unknown as Hub;
}
