import { TrunklineError } from "../errors/index.js";

/** How many bytes a client may send without ending its handshake request, as ASP.NET Core has it. */
export const MAX_HANDSHAKE_BYTES: number = 32 * 1_024;

/** What a client asks for at the beginning of its connection. */
export interface HandshakeRequest {
	/** Name of a hub protocol, as the client wrote it; names are compared without regard to case. */
	readonly protocol: string;
	readonly version: number;
}

function refuse(what: string): TrunklineError {
	return new TrunklineError("ERR_HANDSHAKE", `The handshake request ${what}.`);
}

/**
 * Reads a handshake request: JSON whatever the protocol, without its 0x1E; unknown properties are ignored
 * (HubProtocol.md, "Overview").
 * @throws TrunklineError ERR_HANDSHAKE where it is not JSON, or `protocol` (text) or `version` (whole number) is
 * missing.
 */
export function parseHandshakeRequest(record: Buffer): HandshakeRequest {
	let request: unknown;
	try {
		request = JSON.parse(record.toString("utf8"));
	} catch {
		// Without a cause: the parser's error quotes the text.
		throw refuse("is not JSON");
	}
	if (typeof request !== "object" || request === null) throw refuse("is not an object");
	const { protocol, version } = request as { protocol?: unknown; version?: unknown };
	if (typeof protocol !== "string") throw refuse("names no protocol");
	if (typeof version !== "number" || !Number.isInteger(version))
		throw refuse("has no version that is a whole number");
	return { protocol, version };
}

/** Writes the answer to a handshake request, 0x1E included; `error` is what the client is shown. */
export function writeHandshakeResponse(error?: string): Buffer {
	return Buffer.from(`${JSON.stringify(error === undefined ? {} : { error })}\u001e`);
}
