/**
 * Every code a {@link TrunklineError} can carry. Codes are stable API (messages are not); each has a heading in
 * docs/errors.md that says when it happens, what the server does and what you can do.
 */
export const ERROR_CODES = [
	"ERR_OPTION",
	"ERR_CONFIGURATION",
	"ERR_ADDRESS_IN_USE",
	"ERR_PROTOCOL",
	"ERR_SERIALIZATION",
	"ERR_MESSAGE_TOO_LARGE",
	"ERR_HANDSHAKE",
	"ERR_CLIENT_TIMEOUT",
	"ERR_SLOW_CLIENT",
	"ERR_CONNECTION_CLOSED",
	"ERR_TRANSPORT",
	"ERR_AUTHENTICATION",
	"ERR_AUTHENTICATION_UNAVAILABLE",
	"ERR_MIDDLEWARE",
	"ERR_ARGUMENTS",
	"ERR_STREAM",
	"ERR_CLIENT_RESULT",
	"ERR_CLIENT_RESULT_TIMEOUT",
	"ERR_CLIENT_GONE",
	"ERR_LIMIT",
	"ERR_VIEW_MODEL",
	"ERR_VIEW_MODEL_FIELD",
	"ERR_FORWARD_QUEUE_FULL",
	"ERR_FORWARD_EXPIRED",
	"ERR_FORWARD_LINK_LOST",
	"ERR_FORWARD_TOO_LARGE",
	"ERR_FORWARD_REFUSED",
	"ERR_FORWARD_UNSUPPORTED",
	"ERR_FORWARD_CLOSED",
	"ERR_LINK_REFUSED",
	"ERR_LINK_PROTOCOL",
	"ERR_LINK_VERSION",
	"ERR_LINK_STALLED",
] as const;

/** A stable, machine-readable name for what went wrong. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What {@link TrunklineError} takes beside code and message. */
export interface TrunklineErrorOptions {
	/** The error or value that led to this one. */
	readonly cause?: unknown;
}

/**
 * The only error type that Trunkline throws, rejects with or reports. Compare `code`, not `message`
 * (and not `instanceof`, when two copies of the package may be loaded).
 */
export class TrunklineError extends Error {
	override readonly name: string = "TrunklineError";
	readonly code: ErrorCode;

	constructor(code: ErrorCode, message: string, options: TrunklineErrorOptions = {}) {
		super(message, "cause" in options ? { cause: options.cause } : undefined);
		this.code = code;
	}
}

/**
 * An error whose message the caller may see, whatever `detailedErrors` says. Throw it from a hub method or a view
 * model to tell the client why (ASP.NET Core SignalR's `HubException`; its name stands in the text on the wire).
 */
export class HubException extends Error {
	override name = "HubException";
}

/** The message of anything that was thrown, for a log line or a `detailedErrors` answer. Never throws. */
export function messageOf(thrown: unknown): string {
	if (thrown instanceof Error) return thrown.message;
	try {
		return String(thrown);
	} catch {
		return "something that has no text was thrown";
	}
}

/** What a caller is told of a target that no method was declared for: ASP.NET Core SignalR's text, measured. */
export function unknownMethodText(target: string): string {
	return `Failed to invoke '${target}' due to an error on the server. HubException: Method does not exist.`;
}
