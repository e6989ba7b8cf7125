import { TrunklineError } from "../../errors/index.js";
import { MessageType } from "../../protocols/index.js";
import { PreparedMessage } from "../clients/prepared-message.js";
import { Download, isStreamSource } from "../streams/download.js";
import type { UploadRelay } from "../streams/upload.js";
import type { Answers } from "./answers.js";
import { type Called, keepPlace } from "./called.js";
import type { InvocationContext } from "./invocation-context.js";

/**
 * Makes a place for the streams of a call: those messages may follow in the same frame. A text refuses it. Uploads to a
 * method that is not declared wait for a middleware that takes them, where there is any: where they cannot, only that one
 * is told.
 */
export function openStreams(called: Called, hasMiddleware: boolean): string | undefined {
	const { client, bound } = called;
	const { streamIds } = called.message;
	if (!bound) {
		const refusal = openDownload(called);
		if (refusal === undefined && hasMiddleware) openUploads(called, streamIds);
		return refusal ?? enter(called);
	}
	if (bound.streams === streamIds?.length) openUploads(called, streamIds);
	const refusal = called.uploads?.refusal ?? openDownload(called) ?? enter(called);
	if (refusal !== undefined && called.uploads) client.streams.closeUploads(called.uploads.opened);
	return refusal;
}

function openUploads(called: Called, streamIds: readonly string[] = []): void {
	if (streamIds.length === 0) return;
	const opened = called.client.streams.openUploads(streamIds);
	const isRefused = typeof opened === "string";
	called.uploads = {
		opened: isRefused ? [] : opened,
		refusal: isRefused ? opened : undefined,
		isRelayed: false,
	};
}

/** One that has come with streams which it cannot have runs until it is told so: it needs a place as well. */
function enter(called: Called): string | undefined {
	if (called.download || called.uploads?.opened.length) return undefined;
	const refusal = called.client.streams.enter();
	if (refusal === undefined) called.place = "own";
	return refusal;
}

/** Gives the uploads of a call to a middleware. @throws as `InvocationContext.relayUploads` says */
export function relayUploads(called: Called, relay: UploadRelay, fail: (thrown: unknown) => void): void {
	const { client, uploads } = called;
	if (!uploads) return;
	if (uploads.isRelayed) {
		throw new TrunklineError("ERR_MIDDLEWARE", "The uploads of a call were taken already; take them once.");
	}
	uploads.isRelayed = true;
	keepPlace(called);
	const failed = (thrown: unknown): void => {
		client.streams.closeUploads(uploads.opened);
		fail(thrown);
	};
	client.streams.relayUploads(uploads.opened, guarded(relay, failed));
}

/** A relay that neither throws nor rejects. */
function guarded(relay: UploadRelay, failed: (thrown: unknown) => void): UploadRelay {
	return {
		item(message) {
			try {
				return relay.item(message)?.catch(failed);
			} catch (thrown) {
				failed(thrown);
				return undefined;
			}
		},
		completed(message) {
			try {
				relay.completed(message);
			} catch (thrown) {
				failed(thrown);
			}
		},
	};
}

function openDownload(called: Called): string | undefined {
	const { client, message } = called;
	if (message.type !== MessageType.StreamInvocation) return undefined;
	const download = client.streams.open(message.invocationId);
	if (!(download instanceof Download)) return download;
	called.download = download;
	called.place = "own";
	return undefined;
}

/** How a call reaches its method. */
type Pass = (called: Called) => Promise<InvocationContext>;

/** Takes a StreamInvocation as far as its first item; `answers` tells how it ends. Never rejects. */
export async function startStream(called: Called, pass: Pass, answers: Answers): Promise<void> {
	const { download } = called;
	if (!download) return;
	void answers.streamEnd(called, download);
	try {
		const ctx = await pass(called);
		if (ctx.isDeferred) return;
		if (!isStreamSource(ctx.result)) throw missingStream(called.target);
		void download.run(ctx.result, sinkOf(called));
	} catch (thrown) {
		download.fail(thrown);
	}
}

function sinkOf({ client, invocationId = "" }: Called): Parameters<Download["run"]>[1] {
	const { wire } = client;
	return {
		writable: () => wire.writable?.(),
		item: (item) =>
			client.sendPrepared(new PreparedMessage({ type: MessageType.StreamItem, invocationId, item })),
	};
}

function missingStream(target: string): TrunklineError {
	return new TrunklineError(
		"ERR_STREAM",
		`Method "${target}" is declared as a stream but answered with something that has no items.`,
	);
}
