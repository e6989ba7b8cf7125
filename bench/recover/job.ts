/** Clients that show view models. */
export interface ShowJob {
	readonly port: number;
	readonly path: string;
	readonly clients: number;
	/** View models that each of them shows. */
	readonly viewsEach: number;
}

/** What clients with view models can be asked; one request at a time. */
export type ViewsRequest =
	/** Connect, and request all view models; answered when each is shown. */
	| { readonly kind: "show"; readonly job: ShowJob }
	/** Answered by {@link CurrentViews} when every view shows what the process of this number has made. */
	| { readonly kind: "current"; readonly life: number };

/** When views were current again, in {@link moment}s. */
export interface CurrentViews {
	readonly firstAt: number;
	readonly lastAt: number;
	/** Whole states that came since the views were shown, for all of them. */
	readonly states: number;
	/** Clients whose connection has ended. */
	readonly ended: number;
}

/** A hub that answers the call `echo`, and who calls there. */
export interface Door {
	readonly name: string;
	readonly port: number;
	readonly path: string;
	/** @defaultValue 10 */
	readonly clients?: number;
	/** Milliseconds from one call of a client to its next one, whether it has its answer or not. @defaultValue 20 */
	readonly pauseMs?: number;
	/** Pauses are up to half as long or short again: else many clients come to call at the same moments. @defaultValue false */
	readonly isUneven?: boolean;
}

/** What the probes can be asked; one request at a time. */
export type ProbesRequest =
	/** Connect some clients to each door, as soon as somebody listens there, and call now and then until the end. Answered at once. */
	| { readonly kind: "call"; readonly doors: readonly Door[] }
	/** Answered when every client has called. */
	| { readonly kind: "calling" }
	/**
	 * Answered by the {@link ProbeResult}s of the calls that were made between two {@link moment}s, when all have their
	 * answers. Those, and the calls before, are forgotten.
	 */
	| { readonly kind: "results"; readonly from: number; readonly to: number };

/** How long the calls of one door took that were made within a span; null where there were none. */
export interface ProbeResult {
	readonly name: string;
	readonly calls: number;
	readonly p50Ms: number | null;
	readonly p99Ms: number | null;
	readonly maxMs: number | null;
}
