import { type HandshakeRequest, type HubProtocol, parseHandshakeRequest } from "../../protocols/index.js";
import type { ChannelHost } from "./channel-host.js";
import type { MessageChannel } from "./message-channel.js";

/** The handshake version of clients that speak Ack and Sequence, and the highest; it means nothing where stateful reconnect was not granted. */
export const STATEFUL_VERSION = 2;
/** What a client is told whose handshake cannot be read. */
export const HANDSHAKE_FAILED = "An unexpected error occurred during connection handshake.";

/** What a client's handshake came to. */
export interface Agreement {
	readonly protocol: HubProtocol;
	/** The handshake version that the client asked for. */
	readonly version: number;
}

/** Reads a handshake's record and finds its protocol; a text is its refusal, in the words of ASP.NET Core. */
export function agree(record: Buffer, channel: MessageChannel, host: ChannelHost): Agreement | string {
	const request = requestOf(record);
	if (!request) return HANDSHAKE_FAILED;
	const refusal = host.refusal(channel);
	if (refusal !== undefined) return refusal;
	const { protocol: name, version } = request;
	const protocol = host.protocol(name, channel);
	if (!protocol) return `The protocol '${name}' is not supported.`;
	if (version > STATEFUL_VERSION)
		return `The server does not support version ${version} of the '${name}' protocol.`;
	if (channel.connection.formats.includes(protocol.transferFormat)) return { protocol, version };
	return `Cannot use the '${protocol.name}' protocol on the current transport. The transport does not support 'Binary' transfer format.`;
}

/** Undefined where it cannot be read. */
function requestOf(record: Buffer): HandshakeRequest | undefined {
	try {
		return parseHandshakeRequest(record);
	} catch {
		return undefined;
	}
}
