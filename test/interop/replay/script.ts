import { deferred } from "../../../lib/base/index.js";
import { HubTarget, MessageType } from "../../../lib/protocols/index.js";
import { type Comparable, comparable, contextOf } from "./comparison.js";
import type { CloseEvent, FrameEvent, Trace } from "./trace.js";

/** How long a recorded answer may take before the replay has failed, in milliseconds. */
const BOUND_MS = 8_000;

/** Which end of the wire is ours: the proxy, the app server behind a proxy, or the app server alone. */
export type End = "proxy" | "app-server" | "direct";

/** A message that ours has to send. */
export interface Expected {
	/** Who gets it: `client 4`, `link`, or `invoke <id>` for what a proxy forwards of a client. */
	readonly key: string;
	/** The event of the trace that it stands in. */
	readonly at: number;
	message: Comparable;
	/** Frames that the recorded app server sent upon it. */
	readonly answers: FrameEvent[];
}

/** A call that a replay makes. */
export interface Call {
	/** The event of the trace that it stands in. */
	readonly at: number;
	/** The WebSocket that it comes on. */
	readonly conn: number;
	readonly message: Comparable;
}

/** What ours has to send, in the recorded order; the listed differences edit it before a replay. */
export class Script {
	readonly trace: Trace;
	readonly end: End;
	readonly expected: Expected[] = [];
	/** Whether Completions and responses are each compared in their order, but not with one another. */
	isRace = false;

	constructor(trace: Trace, end: End) {
		this.trace = trace;
		this.end = end;
		for (const [at, event] of trace.events.entries()) {
			if (event.kind === "frame" && !event.isHandshake) this.#frame(event, at);
			else if (event.kind === "close") this.#close(event, at);
		}
	}

	/** What is played: the calls that came from clients, or from the recorded proxy. */
	get calls(): Call[] {
		const leg = this.end === "app-server" ? "link" : "client";
		return this.trace.events.flatMap((event, at) => {
			if (event.kind !== "frame" || event.direction !== "up" || event.leg !== leg) return [];
			const invocations = event.messages
				.map(comparable)
				.filter(({ type }) => type === MessageType.Invocation);
			return invocations.map((message) => ({ at, conn: event.conn, message }));
		});
	}

	/** How many messages everybody has before an event of the trace happens. */
	countsBefore(at: number): Map<string, number> {
		const counts = new Map<string, number>();
		for (const expected of this.expected) {
			if (expected.at < at) counts.set(expected.key, (counts.get(expected.key) ?? 0) + 1);
		}
		return counts;
	}

	/** What one recipient gets. */
	of(key: string): Expected[] {
		return this.expected.filter((expected) => expected.key === key);
	}

	/** Takes out what ours does not send; returns how many. */
	drop(matches: (expected: Expected) => boolean): number {
		const kept = this.expected.filter((expected) => !matches(expected));
		const dropped = this.expected.length - kept.length;
		this.expected.splice(0, this.expected.length, ...kept);
		return dropped;
	}

	/** Changes what ours sends otherwise; returns how many. */
	change(matches: (expected: Expected) => boolean, change: (message: Comparable) => Comparable): number {
		const changed = this.expected.filter(matches);
		for (const expected of changed) expected.message = change(expected.message);
		return changed.length;
	}

	/** Adds what ours sends as well, after everything that stands in the event `at` or before it. */
	insert(at: number, key: string, message: Comparable): number {
		const behind = this.expected.findIndex((expected) => expected.at > at);
		this.expected.splice(behind < 0 ? this.expected.length : behind, 0, { key, at, message, answers: [] });
		return 1;
	}

	#frame(event: FrameEvent, at: number): void {
		const { leg, direction, conn } = event;
		const isAnswer = direction === "down" && leg === (this.end === "app-server" ? "link" : "client");
		const isInvoke = this.end === "proxy" && leg === "link" && direction === "up";
		if (this.end === "proxy" && leg === "link" && direction === "down") this.#answer(event);
		if (!isAnswer && !isInvoke) return;
		for (const each of event.messages) {
			const message = comparable(each);
			const key = isInvoke ? invokeKey(message) : leg === "link" ? "link" : `client ${conn}`;
			this.expected.push({ key, at, message, answers: [] });
		}
	}

	/** The app server answers what came last. */
	#answer(event: FrameEvent): void {
		const invoke = this.expected.findLast(({ key }) => key.startsWith("invoke"));
		if (event.messages.length > 0) invoke?.answers.push(event);
	}

	/** A socket that was cut has no code that would say anything. */
	#close({ leg, direction, conn, code }: CloseEvent, at: number): void {
		if (this.end === "app-server" || leg !== "client" || direction === "up" || code === 1006) return;
		this.expected.push({ key: `client ${conn}`, at, message: { close: code }, answers: [] });
	}
}

/** `invoke <id>` of the client that an `Invoke` is for. */
export function invokeKey(message: Comparable): string {
	return `invoke ${String(contextOf(message)?.["ConnectionId"])}`;
}

/** The view-model id and the data of a response, on a link or to a client. */
export function responseOf({
	target,
	arguments: args,
}: Comparable): { vmId: unknown; data: unknown } | undefined {
	if (target !== HubTarget.Response) return undefined;
	const [response] = args as readonly (readonly unknown[])[];
	const values = response?.length === 3 ? (response[1] as readonly unknown[]) : (response ?? []);
	return { vmId: values.at(-2), data: values.at(-1) };
}

/** Whether a message ends a connection in order. */
export function isClose({ type }: Comparable): boolean {
	return type === MessageType.Close;
}

/** What has arrived so far, by who got it. */
export class Received {
	readonly #messages = new Map<string, Comparable[]>();
	#changed = deferred<void>();

	add(key: string, message: Comparable): void {
		const messages = this.#messages.get(key);
		if (messages) messages.push(message);
		else this.#messages.set(key, [message]);
		this.#changed.resolve();
		this.#changed = deferred<void>();
	}

	get keys(): readonly string[] {
		return [...this.#messages.keys()];
	}

	of(key: string): readonly Comparable[] {
		return this.#messages.get(key) ?? [];
	}

	/** Waits until each key has as many messages; returns what is missing when that takes too long. */
	async until(counts: ReadonlyMap<string, number>): Promise<string | undefined> {
		const late = deferred<void>();
		const timer = setTimeout(late.resolve, BOUND_MS);
		const deadline = Date.now() + BOUND_MS;
		while (this.#missing(counts) && Date.now() < deadline)
			await Promise.race([this.#changed.promise, late.promise]);
		clearTimeout(timer);
		return this.#missing(counts);
	}

	#missing(counts: ReadonlyMap<string, number>): string | undefined {
		for (const [key, count] of counts) {
			const has = this.of(key).length;
			if (has < count) return `${key} has ${has} of ${count} messages`;
		}
		return undefined;
	}
}
