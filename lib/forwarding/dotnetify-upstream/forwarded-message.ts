import { TrunklineError } from "../../errors/index.js";
import type { ClientConnection, Completer } from "../../hub/index.js";
import {
	type Arguments,
	currentTarget,
	DISCONNECTED_METHOD,
	HubTarget,
	jsonText,
} from "../../protocols/index.js";
import { MESSAGE_BYTES } from "../link/held-bytes.js";
import { LINK_PROTOCOL_NAME } from "../link-terms.js";
import { kindOf, type LostMessage } from "../lost-message.js";

/** A client's message on its way to an app server. */
export interface ForwardedMessage extends LostMessage {
	readonly args: readonly unknown[];
	/** About what it holds, its method and its id included, for the limits on what waits and what is unconfirmed. */
	readonly bytes: number;
	/** When it was queued. */
	readonly queuedAt: number;
	/** A request that the proxy makes again by itself; nobody waits for it, and it is tried until it succeeds. */
	readonly isReplay?: boolean | undefined;
}

/** Whether running it twice does no harm, so that it may be sent again when nobody knows if it arrived. */
export function isRepeatable(message: ForwardedMessage): boolean {
	return message.kind === "request" || message.kind === "dispose" || message.kind === "disconnect";
}

/** A call as it comes to dotNetify's wire. */
export interface ForwardedCall {
	readonly client: ClientConnection;
	readonly target: string;
	readonly args: Arguments;
	readonly vmId: string | undefined;
	readonly isCopy: boolean;
	/** As its client named it, which is kept for the answer. */
	readonly invocationId: string | undefined;
	/** Takes the answer over; absent where nobody waits for one. */
	readonly completer: (() => Completer) | undefined;
	readonly queuedAt: number;
}

/** A call as dotNetify's wire carries it. @throws TrunklineError ERR_ARGUMENTS */
export function forwardedMessage(call: ForwardedCall, useMessagePack: boolean): ForwardedMessage {
	const { client, isCopy, queuedAt, invocationId, completer } = call;
	const method = currentTarget(call.target);
	const kind = kindOf(method);
	const args = kind === "method" ? methodArguments(call, useMessagePack) : viewModelArguments(call);
	const [first] = args;
	const vmId = call.vmId ?? (kind !== "method" && typeof first === "string" ? first : undefined);
	return {
		...{ client, kind, method, args, isCopy, vmId, queuedAt },
		bytes: MESSAGE_BYTES + method.length + (invocationId?.length ?? 0) + sizeOf(args),
		completer: kind === "method" && !isCopy ? completer?.() : undefined,
	};
}

/** The end of a client. */
export function disconnectOf(client: ClientConnection, queuedAt: number): ForwardedMessage {
	return {
		...{ client, kind: "disconnect", method: DISCONNECTED_METHOD, args: [null], bytes: 0, isCopy: true },
		...{ vmId: undefined, completer: undefined, queuedAt },
	};
}

/** What messagepack has and json lacks (bytes, dates, large numbers) crosses a json link as this hub writes it in json. */
function methodArguments({ args, client }: ForwardedCall, useMessagePack: boolean): readonly unknown[] {
	if (useMessagePack || client.protocolName !== "messagepack") return args.values;
	return args.values.map((arg): unknown => JSON.parse(jsonText(arg)));
}

/** dotNetify's wire has a view model's data as JSON text; over a link from another proxy it is that already. */
function viewModelArguments({ args, client, target }: ForwardedCall): readonly unknown[] {
	if (client.protocolName === LINK_PROTOCOL_NAME) return args.values;
	const method = currentTarget(target);
	const [vmId, data] = args.values;
	const count = method === HubTarget.Dispose ? 1 : 2;
	if (args.values.length !== count || (vmId !== null && typeof vmId !== "string"))
		throw new TrunklineError(
			"ERR_ARGUMENTS",
			`${method} takes a view model's id${count === 2 ? " and data" : ""}.`,
		);
	if (count === 1) return args.values;
	const isUpdate = method === HubTarget.Update;
	// The hub's own check comes behind us: text is data on a link only, where it is JSON.
	if (isUpdate && typeof data === "string")
		throw new TrunklineError("ERR_ARGUMENTS", "Argument 2 of Update_VM must be an object or null.");
	// dotNetify writes the null of an update as text, and that of a request as null.
	return [vmId, isUpdate || (data !== null && data !== undefined) ? jsonText(data ?? null) : null];
}

function sizeOf(args: readonly unknown[]): number {
	let bytes = 0;
	for (const arg of args) bytes += typeof arg === "string" ? arg.length : jsonText(arg).length;
	return bytes;
}
