import { type Deferred, deferred } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import {
	excerpt,
	type InvocationMessage,
	MessageType,
	type StreamInvocationMessage,
} from "../../protocols/index.js";
import type { ClientConnection } from "../clients/client-connection.js";
import type { Count } from "../counters.js";
import type { Hub } from "../hub.js";
import { isAsyncSource } from "../streams/download.js";
import { Answers } from "./answers.js";
import type { Called } from "./called.js";
import { check, UnknownMethod } from "./check.js";
import { type Call, InvocationContext } from "./invocation-context.js";
import { type BoundMethod, bindMethods } from "./method.js";
import type { MethodTable } from "./method-types.js";
import { type Composed, compose, type Middleware, type Taker } from "./middleware.js";
import { openStreams, relayUploads, startStream } from "./stream-calls.js";

/** Takes invocations through the middleware list to the declared methods. */
export class Dispatcher {
	readonly #hub: Hub;
	readonly #methods: ReadonlyMap<string, BoundMethod>;
	readonly #answers: Answers;
	readonly #invocations: Count;
	readonly #list: Middleware[] = [];
	#pipeline: Composed<InvocationContext> = compose([]);
	/** Those at the head of the list, who are asked without a promise. */
	readonly #takers: Taker[] = [];
	/** What is behind them; the whole list where there are none. */
	#rest: Composed<InvocationContext> = this.#pipeline;
	/** Calls whose method, or a middleware, has not returned yet; those for streams are not among them. */
	#running = 0;
	#idle: Deferred<void> | undefined;

	constructor(hub: Hub, methods: MethodTable<never>) {
		this.#hub = hub;
		this.#methods = bindMethods(methods);
		this.#answers = new Answers(hub);
		this.#invocations = hub.counters.of("invocations");
	}

	use(middleware: Middleware): void {
		this.#list.push(middleware);
		this.#pipeline = this.#compose(this.#list);
		this.#rest = this.#compose(this.#list.slice(this.#takers.length));
	}

	/** Adds a layer that mostly needs no promise; it gets by without where nothing but its like stands before it. */
	take(taker: Taker): void {
		if (this.#takers.length === this.#list.length) this.#takers.push(taker);
		this.use(async (ctx, next) => {
			const taken = taker(ctx);
			return taken === true ? undefined : taken || next();
		});
	}

	/** The name that a method was declared with. */
	declared(target: string): string | undefined {
		return this.#boundTo(target)?.name;
	}

	/** A proxy has no methods. */
	#boundTo(target: string): BoundMethod | undefined {
		return this.#methods.size === 0 ? undefined : this.#methods.get(target.toLowerCase());
	}

	#compose(layers: readonly Middleware[]): Composed<InvocationContext> {
		return compose([...layers], {
			answered(ctx, value) {
				ctx.result = value;
			},
			late: ({ target, connectionId }, cause) =>
				this.#answers.logFailure({ target: excerpt(target), connectionId }, cause),
		});
	}

	/** Resolves when no method runs, whether its client is there or gone. Streams to clients do not count. */
	async idle(): Promise<void> {
		if (this.#running === 0) return;
		this.#idle ??= deferred();
		await this.#idle.promise;
	}

	#returned(): void {
		this.#running--;
		if (this.#running > 0) return;
		this.#idle?.resolve();
		this.#idle = undefined;
	}

	/**
	 * Runs one invocation to its end: at once, or as the promise says, which never rejects. True where it still has the
	 * slot that it was started in.
	 */
	dispatch(client: ClientConnection, message: InvocationMessage): Promise<boolean> | boolean {
		const called = this.#called(client, message);
		const { bound } = called;
		const ctx = this.#contextOf(called);
		if (bound && !isPlain(bound)) return this.#run(called, ctx, this.#pipeline);
		return this.#takers.length > 0 ? this.#offer(called, ctx) : this.#goOn(called, ctx);
	}

	/** Asks those who may take a call without a promise. */
	#offer(called: Called, ctx: InvocationContext): Promise<boolean> | boolean {
		try {
			for (const taker of this.#takers) {
				const taken = taker(ctx);
				if (taken === true) {
					this.#complete(ctx, ctx.result);
					return ctx.ended();
				}
				if (taken)
					return this.#settle(
						called,
						ctx,
						taken.then(() => ctx.result),
					);
			}
		} catch (thrown) {
			ctx.answer({ error: this.#answers.failed(called, thrown) });
			return ctx.ended();
		}
		return this.#goOn(called, ctx);
	}

	/** Takes a call on behind those. */
	#goOn(called: Called, ctx: InvocationContext): Promise<boolean> | boolean {
		const isLast = this.#list.length === this.#takers.length;
		return called.bound && isLast
			? this.#call(called, called.bound, ctx)
			: this.#run(called, ctx, this.#rest);
	}

	/** Runs a call that sends or wants streams to its end, beside all others. */
	stream(client: ClientConnection, message: InvocationMessage | StreamInvocationMessage): void {
		const called = this.#called(client, message);
		const refusal = openStreams(called, this.#list.length > 0);
		if (refusal !== undefined) {
			called.failure = "Refused";
			called.place = "left";
			this.#answers.answer(called, { error: refusal });
		} else {
			void this.#runStream(called);
		}
	}

	async #runStream(called: Called): Promise<void> {
		const pass = (call: Called) => this.#pass(call, this.#contextOf(call), this.#pipeline);
		if (called.download) await startStream(called, pass, this.#answers);
		else await this.#run(called, this.#contextOf(called), this.#pipeline);
		await called.download?.finished();
		if (called.place === "own") called.client.streams.leave();
		called.place = "left";
	}

	#called(client: ClientConnection, message: InvocationMessage | StreamInvocationMessage): Called {
		this.#invocations.value++;
		if (message.type === MessageType.Invocation) client.callStarted();
		const bound = this.#boundTo(message.target);
		const { invocationId } = message;
		const target = bound?.name ?? message.target;
		const startedAt = this.#startedAt(bound, message);
		return {
			client,
			target,
			invocationId,
			bound,
			message,
			startedAt,
			download: undefined,
			uploads: undefined,
			place: "none",
			failure: undefined,
		};
	}

	#startedAt(bound: BoundMethod | undefined, { type }: Called["message"]): number | undefined {
		const { observation, clock } = this.#hub;
		if (!observation) return undefined;
		const isStream = type === MessageType.StreamInvocation;
		observation.tell(isStream ? "streamStarted" : "invocationStarted", { method: bound?.name });
		return clock.elapsed();
	}

	/** A method that nothing stands before, without a promise where it needs none. */
	#call(called: Called, bound: BoundMethod, ctx: InvocationContext): Promise<boolean> | boolean {
		try {
			const args = bound.bind(called.message.arguments.values);
			if (args instanceof Promise) return this.#settle(called, ctx, this.#callLater(bound, ctx, args));
			const result = bound.call(ctx as InvocationContext<never>, args);
			if (isThenable(result)) return this.#settle(called, ctx, result);
			this.#complete(ctx, result);
		} catch (thrown) {
			ctx.answer({ error: this.#answers.failed(called, thrown) });
		}
		return ctx.ended();
	}

	async #callLater(
		bound: BoundMethod,
		ctx: InvocationContext,
		args: Promise<readonly unknown[]>,
	): Promise<unknown> {
		return bound.call(ctx as InvocationContext<never>, await args);
	}

	async #settle(called: Called, ctx: InvocationContext, result: PromiseLike<unknown>): Promise<boolean> {
		this.#running++;
		try {
			this.#complete(ctx, await result);
		} catch (thrown) {
			ctx.answer({ error: this.#answers.failed(called, thrown) });
		}
		this.#returned();
		return ctx.ended();
	}

	#complete(ctx: InvocationContext, result: unknown): void {
		ctx.result = result;
		if (ctx.isDeferred) return;
		if (isAsyncSource(result)) throw unexpectedStream(ctx.target);
		ctx.answer({ result });
	}

	/** The whole way: checks, middleware, method. */
	async #run(
		called: Called,
		ctx: InvocationContext,
		pipeline: Composed<InvocationContext>,
	): Promise<boolean> {
		this.#running++;
		try {
			await this.#pass(called, ctx, pipeline);
			this.#complete(ctx, ctx.result);
		} catch (thrown) {
			ctx.answer({ error: this.#answers.failed(called, thrown) });
		}
		this.#returned();
		return ctx.ended();
	}

	/** Checks the call and takes it through the middleware. */
	async #pass(
		called: Called,
		ctx: InvocationContext,
		pipeline: Composed<InvocationContext>,
	): Promise<InvocationContext> {
		const { bound, message, uploads } = called;
		const args = await bound?.bind(message.arguments.values);
		if (bound) await check(called, bound, ctx);
		await pipeline(ctx, async () => {
			if (!bound || !args) throw new UnknownMethod();
			ctx.result = await bound.call(ctx as InvocationContext<never>, [...args, ...(uploads?.opened ?? [])]);
		});
		return ctx;
	}

	#contextOf(called: Called): InvocationContext {
		const { client, target, message, invocationId, download } = called;
		const { arguments: args, streamIds } = message;
		const relay = streamIds && this.#relayOf(called);
		const uploadRefusal = called.uploads?.refusal;
		const call = {
			target,
			arguments: args,
			invocationId,
			stream: download,
			streamIds,
			uploadRefusal,
			relayUploads: relay,
		};
		return new InvocationContext(this.#hub, client, call, (answer) => this.#answers.answer(called, answer));
	}

	#relayOf(called: Called): NonNullable<Call["relayUploads"]> {
		return (ctx, relay) =>
			relayUploads(called, relay, (thrown) => {
				if (called.download) called.download.fail(thrown);
				else ctx.answer({ error: this.#answers.failed(called, thrown) });
			});
	}
}

/** A method that may run at once, whose arguments need not be known before. */
function isPlain({ isStreaming, streams, authorize }: BoundMethod): boolean {
	return !isStreaming && streams === 0 && !authorize;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
	return (
		typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
	);
}

function unexpectedStream(target: string): TrunklineError {
	return new TrunklineError(
		"ERR_STREAM",
		`Method "${target}" answered with a stream but is not declared to: make it a generator, or declare it by method({ stream: true }, …).`,
	);
}
