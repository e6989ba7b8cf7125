import type { PayloadFormat, TransportName } from "./connection.js";
import type { IssuedToken } from "./tokens.js";

/** One entry of a negotiate answer. */
export interface AvailableTransport {
	readonly transport: TransportName;
	readonly transferFormats: readonly PayloadFormat[];
}

/** What the endpoint offers, in the order in which clients try it (TransportProtocols.md, "POST negotiate"). */
export const AVAILABLE_TRANSPORTS: readonly AvailableTransport[] = [
	{ transport: "WebSockets", transferFormats: ["Text", "Binary"] },
];

/** The JSON of a negotiate answer. */
export type NegotiateAnswer =
	| { readonly error: string }
	| {
			readonly negotiateVersion: 0 | 1;
			readonly connectionId: string;
			readonly connectionToken?: string;
			readonly availableTransports: readonly AvailableTransport[];
	  };

const WHOLE_NUMBER = /^\s*[+-]?\d{1,10}\s*$/;
const INT32_MAX = 2_147_483_647;

/**
 * Answers `negotiateVersion` (undefined: absent, which means 0). Versions above 1 are answered with 1; one that is no
 * 32-bit integer, or is negative, gets an error in a 200 answer. Texts measured on ASP.NET Core 10.
 */
export function negotiate(
	version: string | undefined,
	issue: (version: 0 | 1) => IssuedToken,
): NegotiateAnswer {
	const number = version === undefined ? 0 : Number(version);
	if (version !== undefined && (!WHOLE_NUMBER.test(version) || Math.abs(number) > INT32_MAX)) {
		return { error: "The client requested a non-integer protocol version." };
	}
	if (number < 0) {
		return {
			error: `The client requested version '${number}', but the server does not support this version.`,
		};
	}
	if (number === 0) {
		const { connectionId } = issue(0);
		return { negotiateVersion: 0, connectionId, availableTransports: AVAILABLE_TRANSPORTS };
	}
	const { connectionId, token } = issue(1);
	return {
		negotiateVersion: 1,
		connectionId,
		connectionToken: token,
		availableTransports: AVAILABLE_TRANSPORTS,
	};
}
