import {
	type BackoffOptions,
	booleanOption,
	countOption,
	durationOption,
	functionOption,
	refuseUnknown,
} from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import type { InvocationContext } from "../../hub/index.js";
import { type LinkTls, type ResolvedLinkTls, tlsOption } from "../dialing/link-tls.js";
import { DEFAULT_MAX_LINK_MESSAGE_BYTES, secretOption } from "../link-terms.js";
import { DEFAULT_SESSION_TIMEOUT_MS, DEFAULT_WINDOW_BYTES } from "../session/index.js";

/** Links per app server. */
export const DEFAULT_CONNECTION_POOL_SIZE = 5;
/** Messages of one client that may wait. */
export const DEFAULT_MAX_QUEUED_PER_CLIENT = 1_000;
/** Messages of all clients that may wait. */
export const DEFAULT_MAX_QUEUED = 10_000;
/** Bytes of all messages that wait. */
export const DEFAULT_MAX_QUEUED_BYTES: number = 64 * 1024 * 1024;
/** How long a message may wait, in milliseconds. */
export const DEFAULT_MAX_WAIT_MS = 30_000;
/** Unconfirmed messages of one client before its reading is held. */
export const DEFAULT_MAX_UNCONFIRMED_PER_CLIENT = 100;
/** Unconfirmed bytes on all links of an app server before messages wait. */
export const DEFAULT_MAX_UNCONFIRMED_BYTES: number = 64 * 1024 * 1024;
/** Unconfirmed bytes of one client before its reading is held. */
export const DEFAULT_MAX_UNCONFIRMED_BYTES_PER_CLIENT: number = 256 * 1024;
/** Bytes of requests that are kept to be made again, for all clients of an app server. */
export const DEFAULT_MAX_RETAINED_BYTES: number = 64 * 1024 * 1024;
/** Bytes of one client on their way to an app server while its window is scarce, and what it may send in its turn. */
export const DEFAULT_WINDOW_SHARE_BYTES: number = 16 * 1024;
/** How long a proxy waits for what was sent to be confirmed when it closes, in milliseconds. */
export const DEFAULT_FLUSH_TIMEOUT_MS = 2_000;

/** Settings of `useForwarding`. The first four and their defaults are dotNetify's. */
export interface ForwardingOptions {
	/** Persistent connections to the app server. @defaultValue 5 */
	readonly connectionPoolSize?: number | undefined;
	/** Which calls are forwarded; the others go on down the middleware list. @defaultValue all */
	readonly filter?: ((ctx: InvocationContext) => boolean) | undefined;
	/**
	 * When the app server is told of a client (native links): as soon as it is there, `eager`, or by its first call that is
	 * forwarded, `lazy`. Before, it is none of that app server's clients: nothing that is sent to all reaches it.
	 * @defaultValue "eager", with a filter "lazy"
	 */
	readonly open?: "eager" | "lazy" | undefined;
	/** Speaks messagepack on the links, less bytes than json. @defaultValue false */
	readonly useMessagePack?: boolean | undefined;
	/** Ends the middleware list at a forwarded call; `false` forwards a copy and goes on. @defaultValue true */
	readonly haltPipeline?: boolean | undefined;
	/** Proves to the app server's `acceptLinks` that this is a link. @defaultValue none: the app server has to trust the address */
	readonly secret?: string | undefined;
	/**
	 * How links are made to an app server with `https`: a certificate in place of `secret`, and who may have signed that
	 * server's. A function is asked before each connection. @defaultValue no certificate, and the CAs that Node knows
	 */
	readonly tls?: LinkTls | (() => LinkTls) | undefined;
	/**
	 * Keeps one client's messages in order by staying on its link while one is unconfirmed; `false` takes the next link
	 * for every message, as dotNetify does, and lets them overtake each other. @defaultValue true
	 */
	readonly ordered?: boolean | undefined;
	/** Messages of one client that may wait for a link. @defaultValue 1_000 */
	readonly maxQueuedPerClient?: number | undefined;
	/** Messages of all clients that may wait for a link. @defaultValue 10_000 */
	readonly maxQueued?: number | undefined;
	/** Bytes of all messages that wait for a link. @defaultValue 67_108_864 bytes */
	readonly maxQueuedBytes?: number | undefined;
	/** How long a message may wait for a link. @defaultValue 30_000 ms */
	readonly maxWaitMs?: number | undefined;
	/**
	 * Largest message on a link; a larger one is refused to its client, because it would end the link and take others
	 * with it. Not above what the app server takes: 32_768 for an ASP.NET Core server with default settings.
	 * @defaultValue 1_048_576 bytes
	 */
	readonly maxLinkMessageBytes?: number | undefined;
	/** Messages of one client that are sent but not confirmed before its reading is held. @defaultValue 100 */
	readonly maxUnconfirmedPerClient?: number | undefined;
	/** Bytes of one client that are sent but not confirmed before its reading is held. @defaultValue 262_144 bytes */
	readonly maxUnconfirmedBytesPerClient?: number | undefined;
	/**
	 * Bytes of view-model requests that are kept, to make them again when a link was lost: what was pushed on it may be
	 * lost, and an app server that restarted has forgotten them. Beyond, views may stay as they are until their page asks
	 * again. @defaultValue 67_108_864 bytes
	 */
	readonly maxRetainedBytes?: number | undefined;
	/** Bytes that are sent to this app server but not confirmed before more of them wait. @defaultValue 67_108_864 bytes */
	readonly maxUnconfirmedBytes?: number | undefined;
	/** Waits between attempts to connect. @defaultValue 0, 100, 1_000, 2_000, 5_000 ms, half of it random */
	readonly reconnect?: BackoffOptions | undefined;
	/** How long closing waits for messages on their way to be confirmed. @defaultValue 2_000 ms */
	readonly flushTimeoutMs?: number | undefined;
	/** How long everything waits when all links to an app server are lost before that is given up (native links). @defaultValue 15_000 ms */
	readonly sessionTimeoutMs?: number | undefined;
	/**
	 * Bytes that may be on their way between this proxy and one app server, in each direction, and not handed on over there
	 * (native links); the app server may allow less. Beyond, clients wait, and take turns. @defaultValue 8_388_608 bytes
	 */
	readonly windowBytes?: number | undefined;
	/**
	 * What of them one client may have while more than half are used; beyond, its messages wait for its turn, in which it
	 * may send as much (native links). @defaultValue 16_384 bytes
	 */
	readonly windowShareBytes?: number | undefined;
	/** False for a proxy as dotNetify's, that offers no native link; for tests. @internal */
	readonly nativeLinks?: boolean | undefined;
}

/** {@link ForwardingOptions} with every default applied. */
export interface ResolvedForwardingOptions {
	readonly connectionPoolSize: number;
	readonly filter: (ctx: InvocationContext) => boolean;
	/** Whether the app server is told of a client before it sends anything. */
	readonly isEager: boolean;
	readonly useMessagePack: boolean;
	readonly haltPipeline: boolean;
	readonly secret: string | undefined;
	readonly tls: ResolvedLinkTls | undefined;
	readonly ordered: boolean;
	readonly maxQueuedPerClient: number;
	readonly maxQueued: number;
	readonly maxQueuedBytes: number;
	readonly maxWaitMs: number;
	readonly maxLinkMessageBytes: number;
	readonly maxUnconfirmedPerClient: number;
	readonly maxUnconfirmedBytes: number;
	readonly maxUnconfirmedBytesPerClient: number;
	readonly maxRetainedBytes: number;
	readonly windowBytes: number;
	readonly windowShareBytes: number;
	readonly reconnect: BackoffOptions;
	readonly flushTimeoutMs: number;
	readonly sessionTimeoutMs: number;
	readonly nativeLinks: boolean;
}

/** Checks the options and applies the defaults. @throws TrunklineError ERR_OPTION */
export function resolveForwardingOptions(options: ForwardingOptions): ResolvedForwardingOptions {
	const { isEager, ...resolved } = resolve(options);
	const known = [...Object.keys(resolved), "open"];
	refuseUnknown(options, known, { owner: "useForwarding", help: "docs/forwarding.md has them all." });
	return Object.freeze({ ...resolved, isEager });
}

function resolve(options: ForwardingOptions): ResolvedForwardingOptions {
	return {
		connectionPoolSize: countOption(
			"connectionPoolSize",
			options.connectionPoolSize,
			DEFAULT_CONNECTION_POOL_SIZE,
		),
		filter: functionOption("filter", options.filter) ?? (() => true),
		isEager: openOption(options),
		useMessagePack: booleanOption("useMessagePack", options.useMessagePack, false),
		haltPipeline: booleanOption("haltPipeline", options.haltPipeline, true),
		secret: options.secret === undefined ? undefined : secretOption("secret", options.secret),
		tls: tlsOption(options.tls),
		ordered: booleanOption("ordered", options.ordered, true),
		maxWaitMs: durationOption("maxWaitMs", options.maxWaitMs, DEFAULT_MAX_WAIT_MS),
		reconnect: options.reconnect ?? {},
		flushTimeoutMs: durationOption("flushTimeoutMs", options.flushTimeoutMs, DEFAULT_FLUSH_TIMEOUT_MS),
		sessionTimeoutMs: durationOption(
			"sessionTimeoutMs",
			options.sessionTimeoutMs,
			DEFAULT_SESSION_TIMEOUT_MS,
		),
		nativeLinks: booleanOption("nativeLinks", options.nativeLinks, true),
		...resolveLimits(options),
	};
}

function openOption({ open, filter }: ForwardingOptions): boolean {
	if (open === undefined) return filter === undefined;
	if (open === "eager" || open === "lazy") return open === "eager";
	const found = JSON.stringify(open);
	throw new TrunklineError("ERR_OPTION", `Option "open" must be "eager" or "lazy"; found ${found}.`);
}

type Limits = Pick<
	ResolvedForwardingOptions,
	| "maxQueuedPerClient"
	| "maxQueued"
	| "maxQueuedBytes"
	| "maxLinkMessageBytes"
	| "maxUnconfirmedPerClient"
	| "maxUnconfirmedBytes"
	| "maxUnconfirmedBytesPerClient"
	| "maxRetainedBytes"
	| "windowBytes"
	| "windowShareBytes"
>;

const LIMITS: Readonly<Record<keyof Limits, number>> = {
	maxQueuedPerClient: DEFAULT_MAX_QUEUED_PER_CLIENT,
	maxQueued: DEFAULT_MAX_QUEUED,
	maxQueuedBytes: DEFAULT_MAX_QUEUED_BYTES,
	maxLinkMessageBytes: DEFAULT_MAX_LINK_MESSAGE_BYTES,
	maxUnconfirmedPerClient: DEFAULT_MAX_UNCONFIRMED_PER_CLIENT,
	maxUnconfirmedBytes: DEFAULT_MAX_UNCONFIRMED_BYTES,
	maxUnconfirmedBytesPerClient: DEFAULT_MAX_UNCONFIRMED_BYTES_PER_CLIENT,
	maxRetainedBytes: DEFAULT_MAX_RETAINED_BYTES,
	windowBytes: DEFAULT_WINDOW_BYTES,
	windowShareBytes: DEFAULT_WINDOW_SHARE_BYTES,
};

function resolveLimits(options: ForwardingOptions): Limits {
	const entries = Object.entries(LIMITS) as [keyof Limits, number][];
	return Object.fromEntries(
		entries.map(([name, byDefault]) => [name, countOption(name, options[name], byDefault)]),
	) as unknown as Limits;
}
