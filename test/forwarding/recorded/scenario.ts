import { Subject } from "@microsoft/signalr";
import { type Deferred, deferred, type ManualClock } from "../../../lib/base/index.js";
import type { AcceptLinksOptions } from "../../../lib/forwarding/index.js";
import { acceptLinks } from "../../../lib/forwarding/index.js";
import type { Frame } from "../../../lib/forwarding/wire/index.js";
import {
	type ClientConnection,
	type Delivery,
	invocationOf,
	PreparedMessage,
} from "../../../lib/hub/index.js";
import { createHub, type Hub, type InvocationContext, method } from "../../../lib/index.js";
import { MessageType } from "../../../lib/protocols/index.js";
import { FakeWire, identityOf, invocation } from "../../hub/fakes.js";
import type { Client, Scene, Station } from "../support/scene.js";

interface Told {
	told(text: string): void;
}
type Context = InvocationContext<Told>;

/** When an app server first says how busy it is, in milliseconds of its clock. */
const LOAD_MS = 250;

/** An app server's hub for a small session, that takes links as it is told. Its clock moves in {@link tellLoad} only. */
export function appHub(accept: AcceptLinksOptions, clock: ManualClock): Hub {
	const gates: Record<string, Deferred<void>> = { call: deferred(), stream: deferred() };
	const board = (text: string, delivery: Delivery): PreparedMessage =>
		new PreparedMessage(invocationOf("told", [text]), delivery);
	const hub = createHub<Told>()({
		...{ clock, recovery: "reopen" },
		methods: {
			echo: (_ctx: Context, value: unknown) => value,
			join: (ctx: Context, group: string) => ctx.groups.add(ctx.connectionId, group),
			leave: (ctx: Context, group: string) => ctx.groups.remove(ctx.connectionId, group),
			tell: (ctx: Context, group: string, text: string) => void ctx.clients.group(group).send("told", text),
			tellAll: (ctx: Context, text: string) => void ctx.clients.all.send("told", text),
			/** The newest value of a state, for all of a group and for one. */
			score: (ctx: Context, group: string, text: string) => {
				void ctx.clients.group(group).state("score").send("told", text);
				void ctx.clients.caller.state("score").send("told", `${text} again`);
			},
			/** A change of a state, of which clients that read slowly get the whole. */
			change: (ctx: Context, key: string) =>
				ctx.connection.sendPrepared(board("change", { kind: "change", key })),
			keep: (ctx: Context, key: string) => ctx.connection.retain(key, { target: "echo", arguments: [key] }),
			drop: (ctx: Context, key: string) => ctx.connection.forget(key),
			end: (ctx: Context) => ctx.abort(),
			open: (_ctx: Context, gate: string) => gates[gate]?.resolve(),
			wait: async () => {
				await gates["call"]?.promise;
			},
			collect: method(
				{ streams: 1 },
				async ({ clients: { caller } }: Context, items: AsyncIterable<string>) => {
					await caller.send("told", "begun");
					for await (const item of items) await caller.send("told", item);
				},
			),
			async *count(_ctx: Context, to: number) {
				for (let at = 0; at < to; at++) yield at;
			},
			async *gated() {
				yield 0;
				await gates["stream"]?.promise;
				yield 1;
			},
			async *endless(ctx: Context) {
				try {
					yield 0;
					await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
				} finally {
					await ctx.clients.caller.send("told", "cancelled");
				}
			},
		},
	}) as unknown as Hub;
	hub.stateSources.add((client, key) => client.sendPrepared(board("whole", { kind: "whole", key })));
	return hub.use(acceptLinks({ ...accept, maxWaitingPerClient: 1 }));
}

/** Makes its app server say how busy it is. */
export function tellLoad(clock: ManualClock): void {
	clock.advance(LOAD_MS);
}

/** What clients of a proxy heard. */
export interface Heard {
	readonly answers: unknown[];
	readonly told: string[];
}

/** How the scenario waits for what nobody answers. */
export interface Pauses {
	/** Frames of this type that the proxy has said so far. */
	count(type: Frame["type"]): number;
	/** The app server has said of so many clients that it is done with them. */
	closed(count: number): Promise<void>;
	/** The app server has said a frame of this type, which clients do not hear of. */
	said(type: "load" | "hold"): Promise<void>;
	/** The app server is told to stop. */
	stopping(): void;
}

/** A client of the proxy's in the test's hands: whether it reads is a matter of {@link isSlow}. */
class SlowWire extends FakeWire {
	readonly #heard: (text: string) => void;
	#room: Deferred<void> | undefined;

	constructor(heard: (text: string) => void) {
		super();
		this.#heard = heard;
	}

	get isSlow(): boolean {
		return this.#room !== undefined;
	}

	set isSlow(isSlow: boolean) {
		this.#room?.resolve();
		this.#room = isSlow ? deferred() : undefined;
	}

	writable(): Promise<void> | undefined {
		return this.#room?.promise;
	}

	override send(prepared: PreparedMessage): void {
		const { message } = prepared;
		if (message.type === MessageType.Invocation) this.#heard(String(message.arguments.values[0]));
		else if (message.type === MessageType.StreamItem) this.#heard(`item ${message.item}`);
		else if (message.type === MessageType.Completion) this.#heard(`answer ${message.invocationId}`);
	}
}

interface Slow {
	readonly wire: SlowWire;
	readonly connection: ClientConnection;
}

/**
 * A small session, one thing after another, which makes both ends say every kind of frame. What it has not are calls that
 * clients answer, as their ids are others in each process, and clients that come from another app server.
 */
class Session {
	readonly heard: Heard = { answers: [], told: [] };
	readonly #scene: Scene;
	readonly #proxy: Station;
	readonly #pauses: Pauses;

	constructor(scene: Scene, proxy: Station, pauses: Pauses) {
		this.#scene = scene;
		this.#proxy = proxy;
		this.#pauses = pauses;
	}

	/** Does something, and waits for a frame of the proxy's. */
	async #saying(type: Frame["type"], act: () => unknown): Promise<void> {
		const before = this.#pauses.count(type);
		await act();
		await this.#scene.until(() => this.#pauses.count(type) > before);
	}

	#hears(name: string, text: string): void {
		this.heard.told.push(`${name}: ${text}`);
		this.#scene.watch.changed();
	}

	#told(count: number): Promise<void> {
		return this.#scene.until(() => this.heard.told.length === count);
	}

	async #client(name: string): Promise<Client> {
		let client: Client | undefined;
		await this.#saying("open", async () => {
			client = await this.#scene.client(this.#proxy.url);
			client.connection.on("told", (text: string) => this.#hears(name, text));
		});
		return client as Client;
	}

	async #slowClient(): Promise<Slow> {
		const wire = new SlowWire((text) => this.#hears("slow", text));
		const opened: ClientConnection[] = [];
		await this.#saying("open", () => opened.push(this.#proxy.hub.open(identityOf("slow"), wire)));
		return { wire, connection: opened[0] as ClientConnection };
	}

	async run(): Promise<Heard> {
		const [a, b] = [await this.#client("a"), await this.#client("b")];
		const slow = await this.#slowClient();
		await this.#pauses.said("load");
		await this.#call([a, b]);
		await this.#stream(a);
		await this.#overrun(a, b);
		await this.#readSlowly(a, slow);
		await this.#end(a, b);
		// What one client hears comes in order; that others hear it first, or later, is no matter.
		this.heard.told.sort((one, other) => nameOf(one).localeCompare(nameOf(other)));
		return this.heard;
	}

	async #call([a, b]: readonly [Client, Client]): Promise<void> {
		const { answers } = this.heard;
		for (const client of [a, b]) {
			answers.push(await client.invoke("echo", { text: "grüße", list: [1, null, true] }));
			answers.push(await client.invoke("join", "room"));
		}
		answers.push(await a.invoke("tell", "room", "hello"));
		await this.#told(2);
		answers.push(await a.invoke("tellAll", "all"));
		await this.#told(5);
		answers.push(await a.invoke("score", "room", "1:0"));
		await this.#told(8);
		answers.push(await b.invoke("leave", "room"));
		for (const method of ["keep", "drop"]) answers.push(await a.invoke(method, "the key"));
	}

	async #stream({ connection, invoke }: Client): Promise<void> {
		const items: unknown[] = [];
		await new Promise<void>((complete, error) => {
			connection.stream("count", 2).subscribe({ next: (item) => items.push(item), complete, error });
		});
		this.heard.answers.push(items);
		const subject = new Subject<string>();
		const collected = invoke("collect", subject);
		await this.#told(9);
		subject.next("up");
		await this.#told(10);
		subject.complete();
		this.heard.answers.push(await collected);
		let subscription: { dispose(): void } | undefined;
		await new Promise<void>((resolve) => {
			const [next, complete, error] = [() => resolve(), () => {}, () => {}];
			subscription = connection.stream("endless").subscribe({ next, complete, error });
		});
		await this.#saying("message", () => subscription?.dispose());
		await this.#told(11);
	}

	/** More of a client waits than may. */
	async #overrun(a: Client, b: Client): Promise<void> {
		const answers: Promise<unknown>[] = [];
		for (const [method, value] of [["wait"], ["echo", 1], ["echo", 2], ["echo", 3]] as const) {
			await this.#saying("message", () => answers.push(b.invoke(method, ...(value ? [value] : []))));
		}
		await this.#pauses.said("hold");
		await this.#saying("message", () => a.connection.send("open", "call"));
		this.heard.answers.push(await Promise.all(answers));
	}

	async #readSlowly(a: Client, { wire, connection: slow }: Slow): Promise<void> {
		wire.isSlow = true;
		slow.receive(invocation("change", ["board"], "1"));
		await this.#told(12);
		await this.#saying("resync", () => {
			wire.isSlow = false;
		});
		await this.#told(13);
		wire.isSlow = true;
		await this.#saying("pause", () =>
			slow.receive({ ...invocation("gated", [], "2"), type: MessageType.StreamInvocation } as never),
		);
		await this.#saying("message", () => a.connection.send("open", "stream"));
		await this.#saying("resume", () => {
			wire.isSlow = false;
		});
		await this.#told(16);
		await this.#saying("close", () => slow.ended({ kind: "closed" }));
		await this.#pauses.closed(1);
	}

	async #end(a: Client, b: Client): Promise<void> {
		await this.#saying("close", () => b.connection.send("end"));
		await this.#pauses.closed(2);
		await this.#saying("close", () => a.stop());
		await this.#pauses.closed(3);
		await this.#saying("drained", () => this.#pauses.stopping());
	}
}

const nameOf = (told: string): string => told.slice(0, told.indexOf(":"));

/** A small session; see {@link Session}. */
export function session(scene: Scene, proxy: Station, pauses: Pauses): Promise<Heard> {
	return new Session(scene, proxy, pauses).run();
}

/** What they hear, whoever is at the other end. */
export const EXPECTED: Heard = {
	answers: [
		...Array.from({ length: 2 }, () => [{ text: "grüße", list: [1, null, true] }, null]).flat(),
		...[null, null, null, null, null, null],
		[0, 1],
		null,
		[null, 1, 2, 3],
	],
	told: [
		...["a: hello", "a: all", "a: 1:0", "a: 1:0 again", "a: begun", "a: up", "a: cancelled"],
		...["b: hello", "b: all", "b: 1:0"],
		...["slow: all", "slow: answer 1", "slow: whole", "slow: item 0", "slow: item 1", "slow: answer 2"],
	],
};
