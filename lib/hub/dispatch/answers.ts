import { TrunklineError, unknownMethodText } from "../../errors/index.js";
import { type CompletionMessage, excerpt, MessageType } from "../../protocols/index.js";
import { PreparedMessage } from "../clients/prepared-message.js";
import type { Hub } from "../hub.js";
import type { Download, DownloadEnd } from "../streams/download.js";
import { type Called, keepPlace } from "./called.js";
import { callFailureOf, isCausedByClient, Refused, UnknownMethod } from "./check.js";
import { failureText, streamFailureText } from "./failure-text.js";
import type { DeferredAnswer } from "./invocation-context.js";

/** Tells callers how their calls ended, and keeps the accounts of it: counters, log, observers. */
export class Answers {
	readonly #hub: Hub;

	constructor(hub: Hub) {
		this.#hub = hub;
	}

	/** Called once for each call but for streams that end by themselves, however it ended. */
	answer(called: Called, answer: DeferredAnswer): void {
		const { invocationId, download } = called;
		// The client has cancelled it, and was told so, or is gone.
		if (download?.isOver) return;
		if (answer.error !== undefined) called.failure ??= "Error";
		else if (answer.relayed) called.failure ??= answer.failure;
		// Whoever took the answer of a stream over gives it here: nothing else is to be sent for it.
		download?.answered(answer.relayed ? (answer.failure ? "failed" : "completed") : "lost");
		if (invocationId !== undefined) this.#send(called, messageOf(invocationId, answer, download));
		if (!download) this.#ended(called, "failed");
	}

	/** Counts and logs a failed invocation; returns what its caller is told. */
	failed(called: Called, thrown: unknown): string {
		const { client, target } = called;
		this.#hub.counters.add("invocationErrors");
		called.failure = callFailureOf(thrown);
		if (thrown instanceof UnknownMethod) return unknownMethodText(target);
		if (thrown instanceof Refused) return thrown.message;
		this.logFailure({ target: excerpt(target), connectionId: client.connectionId }, thrown);
		return failureText(target, thrown, this.#hub.options.detailedErrors);
	}

	/** What clients can bring about as often as they like is no event for the log, and their texts do not belong there. */
	logFailure(fields: object, thrown: unknown): void {
		const { log } = this.#hub;
		if (isCausedByClient(thrown)) {
			const code = thrown instanceof TrunklineError ? thrown.code : thrown.name;
			log.debug({ ...fields, code, reason: excerpt(thrown.message) }, "An invocation was refused.");
		} else {
			log.error({ err: thrown, ...fields }, "An invocation failed.");
		}
	}

	/** Waits for the end of a stream and tells the client of it, unless it is gone. */
	async streamEnd(called: Called, download: Download): Promise<void> {
		const end = await download.ended;
		if (end !== "lost" && !download.isAnswered) this.#completeStream(called, download, end);
		this.#ended(called, end);
	}

	#completeStream(called: Called, download: Download, end: DownloadEnd): void {
		const error = end === "failed" ? this.#streamFailed(called, download) : undefined;
		const invocationId = called.invocationId ?? "";
		this.#send(called, new PreparedMessage({ type: MessageType.Completion, invocationId, error }));
	}

	#streamFailed(called: Called, { error, hasStarted }: Download): string {
		const text = this.failed(called, error);
		return hasStarted ? streamFailureText(error, this.#hub.options.detailedErrors) : text;
	}

	/** All is done for a call; `end` is that of its stream, where it wanted one. */
	#ended(called: Called, end: DownloadEnd): void {
		const { client, message, bound, startedAt, failure, download, uploads } = called;
		const isStream = message.type === MessageType.StreamInvocation;
		if (uploads && !isUnanswered(called)) {
			keepPlace(called);
			client.streams.closeUploads(uploads.opened);
		}
		if (!isStream) client.callEnded();
		if (startedAt === undefined) return;
		const { observation, clock } = this.#hub;
		const facts = { method: bound?.name, durationMs: clock.elapsed() - startedAt, failure };
		if (isStream) observation?.tell("streamEnded", { ...facts, items: download?.items ?? 0, end });
		else observation?.tell("invocationEnded", facts);
	}

	/** Sends a Completion, or that its result could not be written. */
	#send(called: Called, completion: PreparedMessage): void {
		const { client, invocationId = "" } = called;
		try {
			client.sendPrepared(completion);
		} catch (cause) {
			const error = this.failed(called, cause);
			client.sendPrepared(new PreparedMessage({ type: MessageType.Completion, invocationId, error }));
		}
	}
}

/** Nobody waits for the answer of such a call: its uploads go on until they end by themselves. */
function isUnanswered({ uploads, invocationId }: Called): boolean {
	return uploads?.isRelayed === true && invocationId === undefined;
}

function messageOf(
	invocationId: string,
	answer: DeferredAnswer,
	download: Download | undefined,
): PreparedMessage {
	return answer.relayed ?? new PreparedMessage(completionOf(invocationId, answer, download));
}

function completionOf(
	invocationId: string,
	answer: Exclude<DeferredAnswer, { relayed: PreparedMessage }>,
	download: Download | undefined,
): CompletionMessage {
	const type = MessageType.Completion;
	if (answer.error !== undefined) return { type, invocationId, error: answer.error };
	return download
		? { type, invocationId }
		: { type, invocationId, hasResult: true, result: answer.result ?? null };
}
