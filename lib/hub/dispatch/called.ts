import { HubException } from "../../errors/index.js";
import type { InvocationMessage, StreamInvocationMessage } from "../../protocols/index.js";
import type { ClientConnection } from "../clients/client-connection.js";
import { failureOf } from "../observing/observation.js";
import type { CallFailure } from "../observing/observer.js";
import type { Download } from "../streams/download.js";
import type { Upload } from "../streams/upload.js";
import { notStreamingText, streamingText, unauthorizedText } from "./failure-text.js";
import type { InvocationContext } from "./invocation-context.js";
import type { BoundMethod } from "./method.js";

/** Thrown where the pipeline ends without a method; what a middleware that catches it gets to read. */
export class UnknownMethod extends HubException {
	constructor() {
		super("Method does not exist.");
	}
}

/** A call that is refused with a text of the protocol's, before anybody sees it. */
export class Refused extends Error {}

/** The streams of a client that belong to one of its calls. */
export interface CallUploads {
	readonly opened: readonly Upload[];
	/** Why there are none for a middleware that asks for them. */
	readonly refusal: string | undefined;
	/** They go to a middleware. */
	isRelayed: boolean;
}

/** A call that was taken from its client: whom the answer is for, and of what. */
export interface Called {
	readonly client: ClientConnection;
	readonly target: string;
	readonly invocationId: string | undefined;
	readonly bound: BoundMethod | undefined;
	readonly message: InvocationMessage | StreamInvocationMessage;
	/** When it was taken; undefined where nobody observes. */
	readonly startedAt: number | undefined;
	/** The stream that answers; absent where one result does. */
	download: Download | undefined;
	/** What the client sends beside its arguments, where it was taken. */
	uploads: CallUploads | undefined;
	/**
	 * Its place among the streams of its client: `own` until it has returned, and its generator has ended; then `left`. One
	 * that has `none` is counted by its uploads.
	 */
	place: "none" | "own" | "left";
	/** Why it failed, for those who observe. */
	failure: CallFailure | undefined;
}

/** Counts a call whose uploads will not count any more: what was started by it may run much longer. */
export function keepPlace(called: Called): void {
	if (called.place !== "none") return;
	called.client.streams.stay();
	called.place = "own";
}

/** @throws Refused where the call may not reach its method, HubException for a wrong number of streams */
export async function check(
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

/** What those who observe are told of a failed call. */
export function callFailureOf(thrown: unknown): CallFailure {
	if (thrown instanceof UnknownMethod) return "UnknownMethod";
	return thrown instanceof Refused ? "Refused" : failureOf(thrown);
}
