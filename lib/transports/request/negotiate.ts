import type { PayloadFormat, TransportName } from "../connection.js";
import type { IssuedToken, TokenKind } from "../tokens.js";

/** One entry of a negotiate answer. */
export interface AvailableTransport {
	readonly transport: TransportName;
	readonly transferFormats: readonly PayloadFormat[];
}

/** The formats of each transport, in the order in which clients try them (TransportProtocols.md, "POST negotiate"). */
const TRANSFER_FORMATS: Readonly<Record<TransportName, readonly PayloadFormat[]>> = {
	WebSockets: ["Text", "Binary"],
	ServerSentEvents: ["Text"],
	LongPolling: ["Text", "Binary"],
};

/** The JSON of a negotiate answer. */
export type NegotiateAnswer =
	| { readonly error: string }
	| {
			readonly negotiateVersion: 0 | 1;
			readonly connectionId: string;
			readonly connectionToken?: string;
			readonly availableTransports: readonly AvailableTransport[];
			readonly useStatefulReconnect?: true;
	  };

/** What a client asks for, as it stands in the query, and what it can have. */
export interface Negotiation {
	/** `negotiateVersion`; undefined: absent, which means 0. */
	readonly version: string | undefined;
	/** `useStatefulReconnect`, read without regard to case. */
	readonly statefulReconnect: string | undefined;
	readonly transports: readonly TransportName[];
	readonly allowStatefulReconnects: boolean;
	issue(kind: TokenKind): IssuedToken;
}

const WHOLE_NUMBER = /^\s*[+-]?\d{1,10}\s*$/;
const INT32_MAX = 2_147_483_647;

/**
 * Answers a negotiate. Versions above 1 are answered with 1; one that is no 32-bit integer, or is negative, gets an
 * error in a 200 answer. `useStatefulReconnect` stands there only when granted: clients that did not ask refuse it.
 * Texts measured on ASP.NET Core 10.
 */
export function negotiate(asked: Negotiation): NegotiateAnswer {
	const { version } = asked;
	const number = version === undefined ? 0 : Number(version);
	if (version !== undefined && (!WHOLE_NUMBER.test(version) || Math.abs(number) > INT32_MAX)) {
		return { error: "The client requested a non-integer protocol version." };
	}
	if (number < 0) {
		return {
			error: `The client requested version '${number}', but the server does not support this version.`,
		};
	}
	const availableTransports = asked.transports.map((transport) => {
		return { transport, transferFormats: TRANSFER_FORMATS[transport] };
	});
	if (number === 0) {
		const { connectionId } = asked.issue(0);
		return { negotiateVersion: 0, connectionId, availableTransports };
	}
	const isGranted = asked.allowStatefulReconnects && asked.statefulReconnect?.toLowerCase() === "true";
	const { connectionId, token } = asked.issue(isGranted ? "reconnect" : 1);
	const answer = { negotiateVersion: 1, connectionId, connectionToken: token, availableTransports } as const;
	return isGranted ? { ...answer, useStatefulReconnect: true } : answer;
}
