import { type HubProtocol, parseHandshakeRequest } from "../../protocols/index.js";
import type { PayloadFormat } from "../../transports/index.js";

/** The handshake version of clients that speak Ack and Sequence, and the highest; it means nothing where stateful reconnect was not granted. */
export const STATEFUL_VERSION = 2;
/** What a client is told whose handshake cannot be read. */
export const HANDSHAKE_FAILED = "An unexpected error occurred during connection handshake.";

/** What a client asks for in its handshake. */
export interface HandshakeRequest {
	readonly protocol: string;
	readonly version: number;
}

/** Reads a handshake's record; the text is its refusal. */
export function readHandshake(record: Buffer): HandshakeRequest | string {
	try {
		return parseHandshakeRequest(record);
	} catch {
		return HANDSHAKE_FAILED;
	}
}

/** Why `request` is refused, in the words of ASP.NET Core; undefined where it is not. */
export function refusalOf(
	request: HandshakeRequest,
	protocol: HubProtocol | undefined,
	formats: readonly PayloadFormat[],
): string | undefined {
	if (!protocol) return `The protocol '${request.protocol}' is not supported.`;
	if (request.version > STATEFUL_VERSION) {
		return `The server does not support version ${request.version} of the '${request.protocol}' protocol.`;
	}
	if (formats.includes(protocol.transferFormat)) return undefined;
	return `Cannot use the '${protocol.name}' protocol on the current transport. The transport does not support 'Binary' transfer format.`;
}
