/** What is done to the others. */
export type NeighbourKind = "slow-state" | "slow-events" | "flooder";

/** Where the one connects that does it. */
export interface NeighbourJob {
	readonly kind: NeighbourKind;
	readonly port: number;
	/** Where those connect who have the slow reader told: the app server itself. */
	readonly appPort: number;
}

/** What the disturbing process can be asked; one request at a time. */
export type NeighbourRequest =
	/** Connect; answered when the first messages of a flooder were handled, or when a slow reader can be told. */
	| { readonly kind: "come"; readonly job: NeighbourJob }
	/** Have a slow reader told large messages at once; answered when the app server has sent them. */
	| { readonly kind: "fill"; readonly messages: number }
	/** Have it told small ones all the time from now on. */
	| { readonly kind: "keep-telling" }
	/** Answered by {@link NeighbourCounts}. */
	| { readonly kind: "counts" }
	/** Stop, and leave. A flooder does when all that it sent was handled. */
	| { readonly kind: "go" };

/** What was done so far. */
export interface NeighbourCounts {
	/** Messages that the flooder has sent, or that the slow reader was to be told. */
	readonly sent: number;
	/** Messages of the flooder that the app server has handled. */
	readonly handled: number;
	/** Whether its connection was ended. */
	readonly isEnded: boolean;
}
