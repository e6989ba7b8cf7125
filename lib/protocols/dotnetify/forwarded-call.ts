import { CONTEXT_KEY, type ForwardedContext, parseForwardedContext } from "./forwarded-context.js";
import { asArray, asFields, asText, optional, refusal } from "./wire-values.js";

/** What a proxy asks of an app server by `Invoke`. */
export interface ForwardedCall {
	/** A method of dotNetify's hub, `OnDisconnectedAsync`, or any other name. */
	readonly method: string;
	readonly args: readonly unknown[];
	/** The client that it is from; absent where the peer did not say. */
	readonly context: ForwardedContext | undefined;
	/** All metadata as it came, the context's text included. */
	readonly metadata: Readonly<Record<string, unknown>> | null;
}

/** The arguments of `Invoke`: method, its arguments, metadata with the client's context as JSON text. */
export function writeInvokeArguments(
	method: string,
	args: readonly unknown[],
	contextText: string,
): unknown[] {
	return [method, args, { [CONTEXT_KEY]: contextText }];
}

/**
 * Checks the arguments of `Invoke` as they came. Metadata may be missing or null, and arguments null. `readContext`
 * stands in for {@link parseForwardedContext} where a context that was read before is remembered by its text.
 * @throws TrunklineError ERR_LINK_PROTOCOL
 */
export function parseInvokeArguments(
	args: readonly unknown[],
	readContext: (text: unknown) => ForwardedContext = parseForwardedContext,
): ForwardedCall {
	if (args.length < 2 || args.length > 3) throw refusal("Invoke takes a method, its arguments and metadata");
	const metadata = optional(args[2], "the metadata of Invoke", asFields) ?? null;
	return {
		method: asText(args[0], "the method of Invoke"),
		args: optional(args[1], "the arguments of Invoke", asArray) ?? [],
		context: optional(metadata?.[CONTEXT_KEY], CONTEXT_KEY, readContext),
		metadata,
	};
}
