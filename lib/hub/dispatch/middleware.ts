import { TrunklineError } from "../../errors/index.js";
import type { ClientMethods } from "../clients/client-proxy.js";
import type { Hub } from "../hub.js";
import type { LinkStatus } from "../observing/link-facts.js";
import type { ForwardingExplanation } from "./explanation.js";
import type { InvocationContext } from "./invocation-context.js";

/** One layer of an onion: do something, call `next` at most once, await it, do something. */
export type Layer<Ctx> = (ctx: Ctx, next: () => Promise<void>) => unknown;

/**
 * Koa's: a layer around every call of a client. One that does not call `next` answers the call itself: by what it
 * returns, or, where that is undefined, by `ctx.result`. What is returned after `next` was called counts for nothing;
 * set `ctx.result` to answer with something else than the method. Throwing fails the call.
 */
export type Middleware<Client extends object = ClientMethods> = Layer<InvocationContext<Client>>;

/** A layer that tells at once whether it takes a call, see {@link HubExtension.take}. */
export type Taker = NonNullable<HubExtension["take"]>;

/** Something that needs more of a hub than a place in the middleware list (`useForwarding`, `acceptLinks`). */
export interface HubExtension {
	/** Called once by `hub.use`; a returned middleware takes its place in the list. */
	install(hub: Hub): Middleware | undefined;
	/**
	 * A place in the middleware list that never waits where it need not, in front of what {@link install} returned. True:
	 * the call is taken, and answered as by a middleware that did not call `next`; false: it goes on down the list; a
	 * promise: taken, and its client's next call is held until it resolves. Throwing, or rejecting, fails the call.
	 * The arguments of a method that this hub has itself are not checked yet, unless it has streams or an `authorize`.
	 */
	take?(ctx: InvocationContext): Promise<void> | boolean;
	/** It passes messages on as they came: clients' protocols read no more of them than they must, by `peek`. */
	readonly wantsBytes?: boolean | undefined;
	/** Called with each path that the hub gets, also those that it had before `use`. */
	mounted?(path: string): void;
	/** The largest WebSocket frame that it takes, in bytes; the hub's paths take no smaller ones. */
	readonly maxFrameBytes?: number | undefined;
	/** False until the hub may take traffic (a proxy that has not reached an app server yet). Absent: always ready. */
	ready?(): boolean;
	/** What becomes of a call that nobody has made (`hub.explain`); must change nothing. Absent: it takes no calls. */
	explain?(ctx: InvocationContext): ForwardingExplanation;
	/** Its links as they are now (`hub.links`). */
	links?(): readonly LinkStatus[];
	/**
	 * Called first by `hub.close`: clients that others can have are handed over. Resolves when they are; it is waited for up
	 * to the deadline of the close.
	 */
	evacuate?(): Promise<void>;
	/** Called by `hub.close`, after the clients are gone. */
	close?(): Promise<void>;
}

/** Whether it is more than a middleware. */
export function isExtension(added: unknown): added is HubExtension {
	return typeof added === "object" && added !== null && typeof (added as HubExtension).install === "function";
}

/** What happens on the edges of a composed list. */
export interface ComposeHandlers<Ctx> {
	/** A layer that did not call `next` returned something. */
	answered?(ctx: Ctx, value: unknown): void;
	/** What stands behind a layer failed after the layer had returned without waiting for it: nobody else hears of it. */
	late?(ctx: Ctx, cause: unknown): void;
}

/** A list of layers made into one function, around what is `last`. */
export type Composed<Ctx> = (ctx: Ctx, last: () => unknown) => Promise<void>;

/**
 * Folds layers into one, in the order of the list: the first one is outermost.
 * @throws (when run) TrunklineError ERR_MIDDLEWARE where one calls `next` a second time.
 */
export function compose<Ctx>(
	list: readonly Layer<Ctx>[],
	handlers: ComposeHandlers<Ctx> = {},
): Composed<Ctx> {
	return async (ctx, last) => {
		let reached = -1;
		const run = async (at: number): Promise<void> => {
			if (at <= reached) throw calledTwice("Middleware", at);
			reached = at;
			const layer = list[at];
			if (!layer) {
				await last();
				return;
			}
			let isOver = false;
			const next = (): Promise<void> => {
				const inner = run(at + 1);
				// A layer that forgot to await must not end the process.
				inner.catch((cause) => isOver && handlers.late?.(ctx, cause));
				return inner;
			};
			try {
				const returned = await layer(ctx, next);
				if (returned !== undefined && reached === at) handlers.answered?.(ctx, returned);
			} finally {
				isOver = true;
			}
		};
		await run(0);
	};
}

/**
 * Runs a list of layers that must all be heard, around what is `last`: what a layer has not reached by `next` runs
 * after it, and what one throws goes to `failed` and to nobody else. Never rejects.
 */
export async function runEach<Ctx>(
	list: readonly Layer<Ctx>[],
	ctx: Ctx,
	{ last, failed }: { last(): unknown; failed(cause: unknown): void },
): Promise<void> {
	const run = async (at: number): Promise<void> => {
		const layer = list[at] ?? last;
		let inner: Promise<void> | undefined;
		const next = async (): Promise<void> => {
			if (inner) throw calledTwice("Filter", at + 1);
			inner = run(at + 1);
			await inner;
		};
		try {
			await layer(ctx, next);
		} catch (cause) {
			failed(cause);
		}
		if (at < list.length) await (inner ?? run(at + 1));
	};
	await run(0);
}

function calledTwice(what: string, number: number): TrunklineError {
	return new TrunklineError(
		"ERR_MIDDLEWARE",
		`${what} number ${number} called next() more than once. Call it once, or not at all.`,
	);
}
