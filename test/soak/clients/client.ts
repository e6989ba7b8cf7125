import { setTimeout as wait } from "node:timers/promises";
import { type HubProtocol, jsonProtocol, messagePackProtocol } from "../../../lib/protocols/index.js";
import type { Random } from "../../fuzz/frames/random.js";
import type { Address, Carrier, Violence } from "./carrier.js";
import { LongPollingCarrier, ServerSentEventsCarrier } from "./http-carriers.js";
import { type Outcome, Session } from "./session.js";
import { WebSocketCarrier } from "./web-socket-carrier.js";

/** A client says something about once in this time. */
const THINKING_MS = 5_000;
/** How long its connections live. */
const LIFE_MS = 30_000;
const GROUPS = 500;
/** Groups that were not there in the warm-up: an empty one that is left would show. */
const OWN = process.pid;
const MOST_ITEMS = 12;
/** Before it tries again where it was not let in. */
const RETRY_MS = 200;

const ENDS: readonly [Violence | "close" | "goodbye", ...(Violence | "close" | "goodbye")[]] = [
	...(["destroy", "reset", "half-close", "mid-message", "close", "goodbye"] as const),
];

/** What kinds of clients there are; each transport that negotiate names has one at least. */
export const KINDS = {
	"WebSockets json": { transport: "WebSockets", protocol: jsonProtocol, open: WebSocketCarrier.open },
	"WebSockets messagepack": {
		...{ transport: "WebSockets", protocol: messagePackProtocol, open: WebSocketCarrier.open },
	},
	"ServerSentEvents json": {
		...{ transport: "ServerSentEvents", protocol: jsonProtocol, open: ServerSentEventsCarrier.open },
	},
	"LongPolling json": { transport: "LongPolling", protocol: jsonProtocol, open: LongPollingCarrier.open },
	"LongPolling messagepack": {
		...{ transport: "LongPolling", protocol: messagePackProtocol, open: LongPollingCarrier.open },
	},
} as const satisfies Record<string, Kind>;

interface Kind {
	readonly transport: string;
	readonly protocol: HubProtocol;
	open(address: Address): Promise<Carrier>;
}

/** Where clients tell what they went through. */
export interface Diary {
	connected(kind: string): void;
	ended(how: string): void;
	worked(what: string): void;
	/** A connect that failed: where a machine is full, some do. */
	notLetIn(text: string): void;
	fault(text: string): void;
}

/** What a client is given. */
export interface SoakClientOptions {
	readonly address: Address;
	readonly random: Random;
	readonly diary: Diary;
	readonly stopping: AbortSignal;
}

/** A client that comes, works, dies, and comes back. */
export class SoakClient {
	readonly #kind: keyof typeof KINDS;
	readonly #address: Address;
	readonly #random: Random;
	readonly #diary: Diary;
	readonly #stopping: AbortSignal;

	constructor(kind: keyof typeof KINDS, { address, random, diary, stopping }: SoakClientOptions) {
		this.#kind = kind;
		this.#address = address;
		this.#random = random;
		this.#diary = diary;
		this.#stopping = stopping;
	}

	/** Lives until it is told to stop. */
	async live(): Promise<void> {
		while (!this.#stopping.aborted) {
			const carrier = await this.#open();
			if (carrier) await this.#connection(carrier);
			else await this.#pause(RETRY_MS);
		}
	}

	async #pause(ms: number): Promise<void> {
		await wait(ms, undefined, { signal: this.#stopping }).catch(() => undefined);
	}

	async #open(): Promise<Carrier | undefined> {
		try {
			return await KINDS[this.#kind].open(this.#address);
		} catch (error) {
			this.#diary.notLetIn(`${this.#kind}: ${(error as Error).message}`);
			return undefined;
		}
	}

	async #connection(carrier: Carrier): Promise<void> {
		const session = new Session(carrier, KINDS[this.#kind].protocol);
		this.#diary.connected(this.#kind);
		if (this.#random.once(50)) {
			// It never speaks, or dies while the handshake is under way.
			if (this.#random.once(2)) void session.shakeHands();
			await this.#end(session);
		} else if (await session.shakeHands()) {
			await this.#life(session);
		} else {
			this.#diary.fault(`${this.#kind}: the connection ended in its handshake`);
		}
		await session.closed;
		if (session.fault !== undefined) this.#diary.fault(`${this.#kind}: ${session.fault}`);
	}

	async #life(session: Session): Promise<void> {
		const end = performance.now() + this.#random.below(2 * LIFE_MS);
		while (performance.now() < end && !this.#stopping.aborted) {
			await this.#pause(this.#random.below(2 * THINKING_MS));
			if (session.isClosed) {
				this.#diary.fault(`${this.#kind}: the server ended the connection`);
				return;
			}
			// Not waited for: a client may end in the middle of its work.
			void this.#work(session);
		}
		await this.#end(session);
	}

	async #end(session: Session): Promise<void> {
		const how = this.#random.pick(ENDS);
		this.#diary.ended(how);
		if (how === "close" || how === "goodbye") session.close(how === "goodbye");
		else session.kill(how);
		await session.closed;
	}

	async #work(session: Session): Promise<void> {
		switch (this.#random.below(7)) {
			case 0:
				return this.#group(session);
			case 1:
				return this.#download(session);
			case 2:
				return this.#sum(session);
			case 3:
				return this.#both(session);
			case 4:
				return this.#asked(session);
			default:
				return this.#echo(session);
		}
	}

	async #echo(session: Session): Promise<void> {
		const value = { text: "x".repeat(this.#random.below(400)), list: [this.#random.below(100), null] };
		this.#check("echo", await session.invoke("echo", value), value);
	}

	async #asked(session: Session): Promise<void> {
		const value = this.#random.below(1_000);
		this.#check("client result", await session.invoke("ask", value), value);
	}

	async #group(session: Session): Promise<void> {
		const group = `group ${OWN} ${this.#random.below(GROUPS)}`;
		const joined = await session.invoke("join", group);
		if (joined) this.#check("group", joined, null);
		session.tell("tell", group, "hello");
	}

	async #download(session: Session): Promise<void> {
		const count = this.#random.below(MOST_ITEMS);
		if (this.#random.once(3)) {
			await session.stream("count", [1_000], this.#random.below(500));
			this.#diary.worked("stream, cancelled");
			return;
		}
		const outcome = await session.stream("count", [count]);
		this.#checkItems(
			"stream",
			outcome,
			Array.from({ length: count }, (_, index) => index),
		);
	}

	async #sum(session: Session): Promise<void> {
		const items = Array.from({ length: this.#random.below(MOST_ITEMS) }, () => this.#random.below(10));
		// One without an end runs until its client dies.
		const isLeftOpen = this.#random.once(20);
		const outcome = await session.upload("sum", items, { isStream: false, isLeftOpen });
		if (isLeftOpen) return;
		this.#check(
			"upload",
			outcome,
			items.reduce((total, item) => total + item, 0),
		);
	}

	async #both(session: Session): Promise<void> {
		const items = Array.from({ length: this.#random.below(MOST_ITEMS) }, () => this.#random.below(10));
		const isLeftOpen = this.#random.once(10);
		const outcome = await session.upload("double", items, { isStream: true, isLeftOpen });
		if (isLeftOpen) return;
		this.#checkItems(
			"both directions",
			outcome,
			items.map((item) => item * 2),
		);
	}

	#check(what: string, outcome: Outcome | undefined, wanted: unknown): void {
		if (!outcome) return;
		const { error, result } = outcome.completion;
		const [found, right] = [JSON.stringify(error ?? result ?? null), JSON.stringify(wanted)];
		if (found === right) this.#diary.worked(what);
		else this.#diary.fault(`${this.#kind}, ${what}: ${error ?? "a wrong answer"}`);
	}

	#checkItems(what: string, outcome: Outcome | undefined, wanted: readonly unknown[]): void {
		if (!outcome) return;
		const { error } = outcome.completion;
		const [found, right] = [JSON.stringify(error ?? outcome.items), JSON.stringify(wanted)];
		if (found === right) this.#diary.worked(what);
		else this.#diary.fault(`${this.#kind}, ${what}: ${error ?? "a wrong answer"}`);
	}
}
