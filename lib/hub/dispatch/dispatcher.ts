import { type Deferred, deferred } from "../../base/index.js";
import { HubException, TrunklineError, unknownMethodText } from "../../errors/index.js";
import {
	type CompletionMessage,
	excerpt,
	type InvocationMessage,
	MessageType,
	type StreamInvocationMessage,
} from "../../protocols/index.js";
import type { ClientConnection } from "../clients/client-connection.js";
import { PreparedMessage } from "../clients/prepared-message.js";
import type { Hub } from "../hub.js";
import { failureOf } from "../observing/observation.js";
import type { CallFailure } from "../observing/observer.js";
import { Download, type DownloadEnd, isAsyncSource, isStreamSource } from "../streams/download.js";
import {
	failureText,
	notStreamingText,
	streamFailureText,
	streamingText,
	unauthorizedText,
} from "./failure-text.js";
import { type DeferredAnswer, InvocationContext } from "./invocation-context.js";
import { type BoundMethod, bindMethods } from "./method.js";
import type { MethodTable } from "./method-types.js";
import { type Composed, compose, type Middleware } from "./middleware.js";

/** Thrown where the pipeline ends without a method; what a middleware that catches it gets to read. */
class UnknownMethod extends HubException {
	constructor() {
		super("Method does not exist.");
	}
}

/** A call that is refused with a text of the protocol's, before anybody sees it. */
class Refused extends Error {}

/** Whom an answer is for, and of what. */
interface Called {
	readonly client: ClientConnection;
	readonly target: string;
	readonly invocationId: string | undefined;
	readonly bound: BoundMethod | undefined;
	readonly message: InvocationMessage | StreamInvocationMessage;
	/** The stream that answers; absent where one result does. */
	readonly download?: Download | undefined;
	/** What the client sends beside its arguments. */
	readonly uploads?: readonly unknown[] | undefined;
	/** When it was taken; undefined where nobody observes. */
	readonly startedAt: number | undefined;
	/** Why it failed, for those who observe. */
	failure: CallFailure | undefined;
}

type Answerer = (answer: DeferredAnswer) => void;

/** Takes invocations through the middleware list to the declared methods, and answers them. */
export class Dispatcher {
	readonly #hub: Hub;
	readonly #methods: ReadonlyMap<string, BoundMethod>;
	readonly #list: Middleware[] = [];
	#pipeline: Composed<InvocationContext> = compose([]);
	/** Calls whose method, or a middleware, has not returned yet; those for streams are not among them. */
	#running = 0;
	#idle: Deferred<void> | undefined;

	constructor(hub: Hub, methods: MethodTable<never>) {
		this.#hub = hub;
		this.#methods = bindMethods(methods);
	}

	use(middleware: Middleware): void {
		this.#list.push(middleware);
		this.#pipeline = compose([...this.#list], {
			answered(ctx, value) {
				ctx.result = value;
			},
			late: ({ target, connectionId }, cause) =>
				this.#logFailure({ target: excerpt(target), connectionId }, cause),
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
		const isPlain = bound && !bound.isStreaming && bound.streams === 0 && !bound.authorize;
		return isPlain && this.#list.length === 0 ? this.#call(called, bound) : this.#run(called);
	}

	/** Runs a call that sends or wants streams to its end, beside all others. */
	stream(client: ClientConnection, message: InvocationMessage | StreamInvocationMessage): void {
		const called = this.#called(client, message);
		const opened = this.#open(called);
		if (typeof opened !== "string") {
			void this.#runStream(opened);
			return;
		}
		called.failure = "Refused";
		this.#answer(called, { error: opened });
	}

	#called(client: ClientConnection, message: InvocationMessage | StreamInvocationMessage): Called {
		this.#hub.counters.add("invocations");
		if (message.type === MessageType.Invocation) client.callStarted();
		const bound = this.#methods.get(message.target.toLowerCase());
		const { invocationId } = message;
		const target = bound?.name ?? message.target;
		const startedAt = this.#startedAt(bound, message);
		return { client, target, invocationId, bound, message, startedAt, failure: undefined };
	}

	#startedAt(bound: BoundMethod | undefined, { type }: Called["message"]): number | undefined {
		const { observation, clock } = this.#hub;
		if (!observation) return undefined;
		const isStream = type === MessageType.StreamInvocation;
		observation.tell(isStream ? "streamStarted" : "invocationStarted", { method: bound?.name });
		return clock.elapsed();
	}

	/** A method that nothing stands before, without a promise where it needs none. */
	#call(called: Called, bound: BoundMethod): Promise<boolean> | boolean {
		let ctx: InvocationContext | undefined;
		try {
			const args = bound.bind(called.message.arguments.values);
			ctx = this.#contextOf(called, (answer) => this.#answer(called, answer));
			if (args instanceof Promise) return this.#settle(called, ctx, this.#callLater(bound, ctx, args));
			const result = bound.call(ctx as InvocationContext<never>, args);
			if (isThenable(result)) return this.#settle(called, ctx, result);
			this.#complete(ctx, result);
		} catch (thrown) {
			const error = this.#failed(called, thrown);
			if (ctx) ctx.answer({ error });
			else this.#answer(called, { error });
		}
		return ctx?.hasSlot ?? true;
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
			ctx.answer({ error: this.#failed(called, thrown) });
		}
		this.#returned();
		return ctx.hasSlot;
	}

	#complete(ctx: InvocationContext, result: unknown): void {
		ctx.result = result;
		if (ctx.isDeferred) return;
		if (isAsyncSource(result)) throw unexpectedStream(ctx.target);
		ctx.answer({ result });
	}

	/** The whole way: checks, middleware, method. */
	async #run(called: Called): Promise<boolean> {
		let answer: Answerer = (found) => this.#answer(called, found);
		let ctx: InvocationContext | undefined;
		this.#running++;
		try {
			ctx = await this.#pass(called, (made) => {
				answer = (found) => made.answer(found);
			});
			this.#complete(ctx, ctx.result);
		} catch (thrown) {
			answer({ error: this.#failed(called, thrown) });
		}
		this.#returned();
		return ctx?.hasSlot ?? true;
	}

	async #runStream(called: Called): Promise<void> {
		const { client, download, message } = called;
		if (!download) await this.#run(called);
		else if (await this.#start(called, download)) await download.ended;
		if (called.uploads) client.streams.closeUploads(message.streamIds ?? []);
	}

	/** Takes a StreamInvocation as far as its first item; false where there is none, and the stream is over. */
	async #start(called: Called, download: Download): Promise<boolean> {
		void download.ended.then(() => this.#endStream(called, download));
		try {
			const ctx = await this.#pass(called, () => {});
			if (ctx.isDeferred) return false;
			if (!isStreamSource(ctx.result)) throw missingStream(called.target);
			void download.run(ctx.result, this.#sinkOf(called));
			return true;
		} catch (thrown) {
			download.fail(thrown);
			return false;
		}
	}

	/** Checks the call and takes it through the middleware list; `made` gets its context as soon as there is one. */
	async #pass(called: Called, made: (ctx: InvocationContext) => void): Promise<InvocationContext> {
		const { bound, message, uploads = [] } = called;
		const args = await bound?.bind(message.arguments.values);
		const ctx = this.#contextOf(called, (found) => this.#answer(called, found));
		made(ctx);
		if (bound) await check(called, bound, ctx);
		await this.#pipeline(ctx, async () => {
			if (!bound || !args) throw new UnknownMethod();
			ctx.result = await bound.call(ctx as InvocationContext<never>, [...args, ...uploads]);
		});
		return ctx;
	}

	/** Makes a place for the streams of a call: those messages may follow in the same frame. A text refuses it. */
	#open(called: Called): Called | string {
		const { client, bound, message } = called;
		const { streamIds = [] } = message;
		const isRefused = !bound || bound.streams !== streamIds.length;
		const uploads = isRefused ? [] : client.streams.openUploads(streamIds);
		if (typeof uploads === "string") return uploads;
		if (message.type !== MessageType.StreamInvocation) return { ...called, uploads };
		const download = client.streams.open(message.invocationId);
		if (download instanceof Download) return { ...called, uploads, download };
		client.streams.closeUploads(isRefused ? [] : streamIds);
		return download;
	}

	#sinkOf({ client, invocationId = "" }: Called): Parameters<Download["run"]>[1] {
		const { wire } = client;
		return {
			writable: () => wire.writable?.(),
			item: (item) =>
				client.sendPrepared(new PreparedMessage({ type: MessageType.StreamItem, invocationId, item })),
		};
	}

	/** Tells the client how its stream ended, unless it is gone. */
	async #endStream(called: Called, download: Download): Promise<void> {
		const end = await download.ended;
		if (end !== "lost") this.#completeStream(called, download, end);
		this.#ended(called, end);
	}

	#completeStream(called: Called, download: Download, end: DownloadEnd): void {
		const error = end === "failed" ? this.#streamFailed(called, download) : undefined;
		this.#sendCompletion(called, {
			type: MessageType.Completion,
			invocationId: called.invocationId ?? "",
			error,
		});
	}

	#streamFailed(called: Called, { error, hasStarted }: Download): string {
		const text = this.#failed(called, error);
		return hasStarted ? streamFailureText(error, this.#hub.options.detailedErrors) : text;
	}

	#contextOf(called: Called, answer: Answerer): InvocationContext {
		const { client, target, message, invocationId, download } = called;
		const { arguments: args, streamIds } = message;
		const route = this.#hub.options.route?.(target, args);
		const call = { target, arguments: args, invocationId, route, stream: download, streamIds };
		return new InvocationContext(this.#hub, client, call, answer);
	}

	/** Counts and logs a failed invocation; returns what its caller is told. */
	#failed(called: Called, thrown: unknown): string {
		const { client, target } = called;
		this.#hub.counters.add("invocationErrors");
		called.failure = callFailureOf(thrown);
		if (thrown instanceof UnknownMethod) return unknownMethodText(target);
		if (thrown instanceof Refused) return thrown.message;
		this.#logFailure({ target: excerpt(target), connectionId: client.connectionId }, thrown);
		return failureText(target, thrown, this.#hub.options.detailedErrors);
	}

	/** A caller can pass wrong arguments as often as it likes: that is no event for the log. */
	#logFailure(fields: object, thrown: unknown): void {
		const { log } = this.#hub;
		if (thrown instanceof TrunklineError && thrown.code === "ERR_ARGUMENTS") {
			log.debug({ ...fields, code: thrown.code, reason: thrown.message }, "An invocation was refused.");
		} else {
			log.error({ err: thrown, ...fields }, "An invocation failed.");
		}
	}

	/** Called once for each call but for streams, however it ended. */
	#answer(called: Called, answer: DeferredAnswer): void {
		const { invocationId, download } = called;
		if (answer.error !== undefined) called.failure ??= "Error";
		// Whoever took the answer of a stream over gives it here: nothing else is to be sent for it.
		download?.stop("lost");
		if (invocationId !== undefined)
			this.#sendCompletion(called, completionOf(invocationId, answer, download));
		if (!download) this.#ended(called, "failed");
	}

	/** All is done for a call; `end` is that of its stream, where it wanted one. */
	#ended(called: Called, end: DownloadEnd): void {
		const { client, message, bound, startedAt, failure, download } = called;
		const isStream = message.type === MessageType.StreamInvocation;
		if (!isStream) client.callEnded();
		if (startedAt === undefined) return;
		const { observation, clock } = this.#hub;
		const facts = { method: bound?.name, durationMs: clock.elapsed() - startedAt, failure };
		if (isStream) observation?.tell("streamEnded", { ...facts, items: download?.items ?? 0, end });
		else observation?.tell("invocationEnded", facts);
	}

	/** Sends a Completion, or that its result could not be written. */
	#sendCompletion(called: Called, completion: CompletionMessage): void {
		const { client } = called;
		try {
			client.sendPrepared(new PreparedMessage(completion));
		} catch (cause) {
			const { type, invocationId } = completion;
			const error = this.#failed(called, cause);
			client.sendPrepared(new PreparedMessage({ type, invocationId, error }));
		}
	}
}

/** @throws Refused where the call may not reach its method, HubException for a wrong number of streams */
async function check(
	{ target, message, download }: Called,
	bound: BoundMethod,
	ctx: InvocationContext,
): Promise<void> {
	if (bound.authorize && !(await bound.authorize(ctx as InvocationContext<never>))) {
		throw new Refused(unauthorizedText(target));
	}
	if (bound.isStreaming && !download) throw new Refused(streamingText(target));
	if (!bound.isStreaming && download) throw new Refused(notStreamingText(target));
	const found = message.streamIds?.length ?? 0;
	if (found === bound.streams) return;
	throw new HubException(`Client sent ${found} stream(s), Hub method expects ${bound.streams}.`);
}

function callFailureOf(thrown: unknown): CallFailure {
	if (thrown instanceof UnknownMethod) return "UnknownMethod";
	return thrown instanceof Refused ? "Refused" : failureOf(thrown);
}

function completionOf(
	invocationId: string,
	answer: DeferredAnswer,
	download: Download | undefined,
): CompletionMessage {
	const type = MessageType.Completion;
	if (answer.error !== undefined) return { type, invocationId, error: answer.error };
	return download
		? { type, invocationId }
		: { type, invocationId, hasResult: true, result: answer.result ?? null };
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

function missingStream(target: string): TrunklineError {
	return new TrunklineError(
		"ERR_STREAM",
		`Method "${target}" is declared as a stream but answered with something that has no items.`,
	);
}
