import { type ErrorCode, HubException, TrunklineError } from "../../errors/index.js";
import { failureOf } from "../observing/observation.js";
import type { CallFailure } from "../observing/observer.js";
import { ClientFailure } from "../streams/client-failure.js";
import type { Called } from "./called.js";
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

/** A call with more or fewer streams of the client's than its method reads. */
class WrongStreams extends HubException {}

/** What a client does by sending wrong arguments, or by going away. */
const CAUSED_BY_CLIENTS: ReadonlySet<ErrorCode> = new Set([
	"ERR_ARGUMENTS",
	"ERR_CONNECTION_CLOSED",
	"ERR_CLIENT_GONE",
]);

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
	throw new WrongStreams(`Client sent ${found} stream(s), Hub method expects ${bound.streams}.`);
}

/** Whether a call failed by what a client has sent or said, or since it went: as often as it likes. */
export function isCausedByClient(thrown: unknown): thrown is Error {
	if (thrown instanceof TrunklineError) return CAUSED_BY_CLIENTS.has(thrown.code);
	return thrown instanceof WrongStreams || thrown instanceof ClientFailure;
}

/** What those who observe are told of a call that failed. */
export function callFailureOf(thrown: unknown): CallFailure {
	if (thrown instanceof UnknownMethod) return "UnknownMethod";
	return thrown instanceof Refused ? "Refused" : failureOf(thrown);
}
