import { type ErrorCode, HubException, messageOf } from "../errors/index.js";

/**
 * An error as dotNetify sends it: `type` becomes `ExceptionType`, and the message reaches the client whatever
 * `detailedErrors` says.
 */
export class WireException extends HubException {
	constructor(type: string, message: string) {
		super(message);
		this.name = type;
	}
}

/** For an id that names no registered type (dotNetify's text, word for word). */
export function unknownViewModel(type: string): WireException {
	return new WireException(
		"Exception",
		`[dotNetify] ERROR: '${type}' is not a known view model! Its assembly must be registered through VMController.RegisterAssembly.`,
	);
}

/** For a view model whose `static authorize` says no. */
export function unauthorized(): WireException {
	return new WireException("UnauthorizedAccessException", "Attempted to perform an unauthorized operation.");
}

/** For a message without an id. */
export function nullViewModelId(): WireException {
	return new WireException("ArgumentNullException", "Value cannot be null. (Parameter 'key')");
}

/** For data that should be JSON text and is not. */
export function invalidJson(): WireException {
	return new WireException("JsonException", "The data of the message is not a JSON object.");
}

/** For anything that exceeds one of the hub's limits. */
export class LimitException extends WireException {
	readonly code: ErrorCode = "ERR_LIMIT";

	constructor(what: string) {
		super("InvalidOperationException", what);
	}
}

/** The data of a `Response_VM` that reports an error. */
export interface ErrorData {
	readonly ExceptionType: string;
	readonly Message: string;
}

/**
 * What a client is told of an error: everything of a `HubException` (and of any error where `detailed` is on), else
 * only that something went wrong. A plain `Error` is called `Exception`.
 */
export function errorData(thrown: unknown, vmId: string, detailed: boolean): ErrorData {
	if (detailed || thrown instanceof HubException) {
		const name = thrown instanceof Error ? thrown.name : "Error";
		return { ExceptionType: name === "Error" ? "Exception" : name, Message: messageOf(thrown) };
	}
	return {
		ExceptionType: "Exception",
		Message: `An unexpected error occurred processing '${vmId}' on the server.`,
	};
}
