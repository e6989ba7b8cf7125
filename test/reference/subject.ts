import type { DeviationName } from "./deviations.js";

export type TransportKind = "WebSockets" | "ServerSentEvents" | "LongPolling";

/** A way for a client to speak with a hub. */
export interface Combination {
	readonly transport: TransportKind;
	readonly protocol: "json" | "messagepack";
}

/** A hub that the contract suite looks at. Mocha declares the tests before it runs. */
export interface Subject {
	/** What it is called in titles. */
	readonly name: string;
	readonly combinations: readonly Combination[];
	/** Where it listens, `http://127.0.0.1:5000`; empty while it does not. */
	readonly url: string;
	open(): Promise<void>;
	close(): Promise<void>;
	/** Another one of its kind, not open yet. */
	another(): Subject;
	/** Whether this subject has the deviation. All are ours; some only where there is a proxy. */
	deviates(name: DeviationName): boolean;
}

/** All that there are; Server-Sent Events carry text only. */
export const COMBINATIONS: readonly Combination[] = [
	{ transport: "WebSockets", protocol: "json" },
	{ transport: "WebSockets", protocol: "messagepack" },
	{ transport: "ServerSentEvents", protocol: "json" },
	{ transport: "LongPolling", protocol: "json" },
	{ transport: "LongPolling", protocol: "messagepack" },
];
