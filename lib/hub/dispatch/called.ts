import type { InvocationMessage, StreamInvocationMessage } from "../../protocols/index.js";
import type { ClientConnection } from "../clients/client-connection.js";
import type { CallFailure } from "../observing/observer.js";
import type { Download } from "../streams/download.js";
import type { Upload } from "../streams/upload.js";
import type { BoundMethod } from "./method.js";

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
