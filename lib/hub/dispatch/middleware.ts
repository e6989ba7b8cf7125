import { TrunklineError } from "../../errors/index.js";
import type { Hub } from "../hub.js";
import type { InvocationContext } from "./invocation-context.js";

/** Koa's: do something, call `next` at most once (or not at all, to answer the call yourself), await it. */
export type Middleware = (ctx: InvocationContext, next: () => Promise<void>) => unknown;

/** Something that needs more of a hub than a place in the middleware list (`useForwarding`, `acceptLinks`). */
export interface HubExtension {
	/** Called once by `hub.use`; a returned middleware takes its place in the list. */
	install(hub: Hub): Middleware | undefined;
	/** Called with each path that the hub gets, also those that it had before `use`. */
	mounted?(path: string): void;
	/** The largest WebSocket frame that it takes, in bytes; the hub's paths take no smaller ones. */
	readonly maxFrameBytes?: number | undefined;
	/** False until the hub may take traffic (a proxy that has not reached an app server yet). Absent: always ready. */
	ready?(): boolean;
	/** Called by `hub.close`, after the clients are gone. */
	close?(): Promise<void>;
}

/**
 * Folds middlewares into one, in the order of the list.
 * @throws (when run) TrunklineError ERR_MIDDLEWARE where one calls `next` a second time.
 */
export function compose(list: readonly Middleware[]): Middleware {
	return async (ctx, last) => {
		let reached = -1;
		const run = async (at: number): Promise<void> => {
			if (at <= reached) {
				throw new TrunklineError(
					"ERR_MIDDLEWARE",
					`Middleware number ${at} called next() more than once. Call it once, or not at all.`,
				);
			}
			reached = at;
			const middleware = list[at];
			await (middleware ? middleware(ctx, () => run(at + 1)) : last());
		};
		await run(0);
	};
}
