import { answerTo } from "./http-request.js";

/** How a connection ends that does not end in order. */
export type Violence = "destroy" | "reset" | "half-close" | "mid-message";

/** What carries a client's bytes, whichever transport it is. */
export interface Carrier {
	/** Called with bytes of the server. */
	onBytes: (bytes: Buffer) => void;
	/** Called once, when it is over, by whomever. */
	onClosed: () => void;
	send(bytes: Buffer): void;
	/** Ends it, in a way that networks and crashed clients do. */
	kill(how: Violence): void;
	/** Ends it as a client that has said goodbye. */
	close(): void;
}

/** Where a hub is, and with what its clients are let in. */
export interface Address {
	readonly port: number;
	readonly path: string;
}

/** What negotiate answered. */
export interface Negotiated {
	readonly token: string;
	readonly transports: readonly string[];
	readonly isStateful: boolean;
}

/** Asks for a connection token. */
export async function negotiate({ port, path }: Address): Promise<Negotiated> {
	const url = `http://127.0.0.1:${port}${path}/negotiate?negotiateVersion=1&useStatefulReconnect=true`;
	const answer = JSON.parse((await answerTo(url, { method: "POST" })).body.toString()) as {
		connectionToken: string;
		useStatefulReconnect?: boolean;
		availableTransports: { transport: string }[];
	};
	return {
		token: answer.connectionToken,
		isStateful: answer.useStatefulReconnect === true,
		transports: answer.availableTransports.map(({ transport }) => transport),
	};
}
