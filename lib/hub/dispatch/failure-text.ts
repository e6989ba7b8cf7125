import { HubException, messageOf, TrunklineError } from "../../errors/index.js";

/**
 * What a caller is told of a failed invocation: the texts of ASP.NET Core SignalR, measured. An error's own message is
 * added for a `HubException`, and for everything where `detailed` (the hub's `detailedErrors`) is on.
 */
export function failureText(target: string, thrown: unknown, detailed: boolean): string {
	if (thrown instanceof TrunklineError && thrown.code === "ERR_ARGUMENTS") {
		const text = `Failed to invoke '${target}' due to an error on the server.`;
		return detailed ? `${text} InvalidDataException: ${thrown.message}` : text;
	}
	return withDetail(`An unexpected error occurred invoking '${target}' on the server.`, thrown, detailed);
}

/** The text for a plain method that was called as a stream. */
export function notStreamingText(target: string): string {
	return `The client attempted to invoke the non-streaming '${target}' method with a streaming invocation.`;
}

/** The text for a streaming method that was called for one result. */
export function streamingText(target: string): string {
	return `The client attempted to invoke the streaming '${target}' method with a non-streaming invocation.`;
}

/** The text for a method whose `authorize` says no. */
export function unauthorizedText(target: string): string {
	return `Failed to invoke '${target}' because user is unauthorized`;
}

/** What a client is told of a stream that failed after it had begun. */
export function streamFailureText(thrown: unknown, detailed: boolean): string {
	return withDetail("An error occurred on the server while streaming results.", thrown, detailed);
}

/** The text of a Close message that ends a failed connection. */
export function closeText(thrown: unknown, detailed: boolean): string {
	return withDetail("Connection closed with an error.", thrown, detailed);
}

function withDetail(text: string, thrown: unknown, detailed: boolean): string {
	if (!detailed && !(thrown instanceof HubException)) return text;
	const detail = detailOf(thrown);
	return detail === "" ? text : `${text} ${detail}`;
}

/** Anything can be thrown, also what cannot be made a text. */
function detailOf(thrown: unknown): string {
	try {
		if (thrown instanceof Error) return `${thrown.name}: ${thrown.message}`;
		return thrown === undefined ? "" : messageOf(thrown);
	} catch {
		return "";
	}
}
