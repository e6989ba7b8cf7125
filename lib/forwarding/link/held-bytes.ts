import {
	isCall,
	type MessageHeaders,
	MessageType,
	type RawMessage,
	valueBytes,
} from "../../protocols/index.js";

/** What each message that waits takes beside its texts and values, in bytes; a session's segment counts as much more. */
export const MESSAGE_BYTES = 64;
/** What each text of a list takes beside its characters, in bytes. */
export const TEXT_BYTES = 32;

/**
 * About how many bytes a message holds while it waits: all that its sender chose the length of, its values, its ids, its
 * target, its headers, and {@link MESSAGE_BYTES}.
 */
export function heldBytes(message: RawMessage): number {
	const bytes =
		MESSAGE_BYTES + valueBytes(message) + (message.invocationId?.length ?? 0) + textBytes(message);
	return message.headers === undefined ? bytes : bytes + headerBytes(message.headers);
}

function textBytes(message: RawMessage): number {
	if (message.type === MessageType.Completion) return message.error?.length ?? 0;
	if (!isCall(message)) return 0;
	let bytes = message.target.length;
	for (const id of message.streamIds ?? []) bytes += TEXT_BYTES + id.length;
	return bytes;
}

function headerBytes(headers: MessageHeaders): number {
	let bytes = 0;
	for (const [name, value] of Object.entries(headers)) bytes += 2 * TEXT_BYTES + name.length + value.length;
	return bytes;
}
