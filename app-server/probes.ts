import type { Middleware } from "koa";

/** What load balancers ask for. */
export interface Probes {
	/** Answers `/health` (200 while the process lives) and `/ready` (200, and 404 once draining). */
	readonly middleware: Middleware;
	/** From now on `/ready` is 404: HAProxy's `disable-on-404` keeps the sessions and sends no new ones. */
	drain(): void;
}

/** Makes the two probes of a server that is ready as soon as it listens. */
export function createProbes(): Probes {
	let isDraining = false;
	return {
		middleware(ctx, next) {
			if (ctx.path !== "/health" && ctx.path !== "/ready") return next();
			ctx.set("Cache-Control", "no-store");
			ctx.status = ctx.path === "/ready" && isDraining ? 404 : 200;
			ctx.body = ctx.status === 200 ? "OK" : "Draining";
			return undefined;
		},
		drain() {
			isDraining = true;
		},
	};
}
