import type { InvocationContext } from "../../hub/index.js";
import {
	type ArgumentEncoding,
	encodingOf,
	firstText,
	isCall,
	jsonText,
	MessageType,
	type RawInvocation,
	type RawMessage,
	type RawStreamInvocation,
	writeMessagePack,
} from "../../protocols/index.js";
import { heldBytes } from "../link/held-bytes.js";
import { isAboutViewModel, kindOf, type LostMessage } from "../lost-message.js";
import type { ForwardedClient, UpMessage } from "../upstream/forwarded-client.js";
import type { RemoteCall } from "../upstream/remote-client.js";

/** A call as native links take it. Streams and its answer find their way by ids that only its client knows. */
export function upMessageOf(ctx: InvocationContext, isCopy: boolean): UpMessage {
	const message = rawCallOf(ctx, isCopy);
	const call = isCopy || ctx.invocationId === undefined ? undefined : callOf(ctx, message);
	const args = ctx.arguments.bytes ? ctx.arguments : undefined;
	return { message, args, bytes: heldBytes(message), call, isCopy, waitsSince: undefined };
}

/** A call as its client wrote it. On the path of every message: objects are written out, not spread. */
function rawCallOf(ctx: InvocationContext, isCopy: boolean): RawInvocation | RawStreamInvocation {
	const { target, arguments: args, invocationId } = ctx;
	const wanted = encodingOf(ctx.connection.protocolName);
	const bytes = args.bytes ?? encodeArguments(args.values, wanted);
	const encoding = args.bytes ? (args.encoding ?? wanted) : wanted;
	const streamIds = isCopy ? undefined : ctx.streamIds;
	const headers = undefined;
	if (ctx.isStream && invocationId !== undefined) {
		const type = MessageType.StreamInvocation;
		return { type, encoding, invocationId, target, arguments: bytes, streamIds, headers };
	}
	const id = isCopy ? undefined : invocationId;
	const type = MessageType.Invocation;
	return { type, encoding, invocationId: id, target, arguments: bytes, streamIds, headers };
}

function encodeArguments(values: readonly unknown[], encoding: ArgumentEncoding): Buffer {
	return encoding === "json" ? Buffer.from(jsonText(values)) : writeMessagePack(values);
}

/** The answer to a call, and what its caller is told where it does not come. */
function callOf(ctx: InvocationContext, message: RawMessage): RemoteCall {
	const { target } = ctx;
	const vmId = isAboutViewModel(target) ? vmIdOf(message) : undefined;
	return { completer: ctx.deferCompletion(), target, vmId };
}

/** A message that was not sent. */
export function lostOf({ connection }: ForwardedClient, { message, call, isCopy }: UpMessage): LostMessage {
	const method = isCall(message) ? message.target : "";
	const completer = call?.completer;
	return { client: connection, kind: kindOf(method), method, vmId: vmIdOf(message), completer, isCopy };
}

/** A call was sent, and its answer will not come. */
export function unansweredOf(
	{ connection }: ForwardedClient,
	{ target, vmId, completer }: RemoteCall,
): LostMessage {
	return { client: connection, kind: kindOf(target), method: target, vmId, completer, isCopy: false };
}

function vmIdOf(message: RawMessage): string | undefined {
	return isCall(message) ? firstText(message.encoding, message.arguments) : undefined;
}
