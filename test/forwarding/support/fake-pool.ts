import assert from "node:assert/strict";
import { type Deferred, deferred, ManualClock, silentLog } from "../../../lib/base/index.js";
import type { ForwardedMessage } from "../../../lib/forwarding/dotnetify-upstream/forwarded-message.js";
import type { LinkListener, MessageLink } from "../../../lib/forwarding/dotnetify-upstream/link.js";
import type { MessagePool } from "../../../lib/forwarding/dotnetify-upstream/link-pool.js";
import { Upstream } from "../../../lib/forwarding/dotnetify-upstream/upstream.js";
import type { ForwardedKind, ForwardingFailure } from "../../../lib/forwarding/lost-message.js";
import {
	type ForwardingOptions,
	resolveForwardingOptions,
} from "../../../lib/forwarding/proxy-end/options.js";
import type { ClientConnection } from "../../../lib/hub/index.js";

/** A link that keeps what it is told to send, to be answered by a test. */
export class FakeLink implements MessageLink {
	isUp = false;
	readonly invoked: { readonly args: readonly unknown[]; readonly answer: Deferred<unknown> }[] = [];
	readonly maxBytes: number;

	constructor(maxBytes: number) {
		this.maxBytes = maxBytes;
	}

	invoke(args: readonly unknown[]): Promise<unknown> {
		assert.ok(this.isUp, "nothing is sent on a link that is not up");
		const answer = deferred<unknown>();
		this.invoked.push({ args, answer });
		return answer.promise;
	}

	refusalOf(_args: readonly unknown[], bytes: number): string | undefined {
		return bytes > this.maxBytes ? "too large" : undefined;
	}

	/** What it was told to run, by the first argument of each. */
	get labels(): unknown[] {
		return this.invoked.map(({ args }) => labelOf(args));
	}
}

/** The first argument of the method that an `Invoke` is to run. */
export function labelOf(args: readonly unknown[]): unknown {
	const [, [label]] = args as [method: string, args: unknown[]];
	return label;
}

/** Links that go up and down as a test says. */
export class FakePool implements MessagePool {
	readonly links: readonly FakeLink[];
	readonly #listener: LinkListener;
	#next = 0;

	constructor(size: number, listener: LinkListener, maxBytes: number) {
		this.links = Array.from({ length: size }, () => new FakeLink(maxBytes));
		this.#listener = listener;
	}

	get up(): number {
		return this.links.filter(({ isUp }) => isUp).length;
	}

	get isUp(): boolean {
		return this.up > 0;
	}

	open(): void {}

	async close(): Promise<void> {}

	next(): FakeLink | undefined {
		const up = this.links.filter(({ isUp }) => isUp);
		return up[this.#next++ % up.length];
	}

	raise(at = 0): void {
		const link = this.links[at] as FakeLink;
		link.isUp = true;
		this.#listener.up(link);
	}

	drop(at = 0): void {
		const link = this.links[at] as FakeLink;
		link.isUp = false;
		this.#listener.down(link);
	}
}

/** Lets promises that are settled run. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An upstream with fake links, a clock that stands still, and a list of what failed. */
export function setUp(options: ForwardingOptions = {}, maxBytes = 1_000_000) {
	const clock = new ManualClock();
	const failed: { label: unknown; code: string }[] = [];
	let pool: FakePool | undefined;
	const resolved = resolveForwardingOptions({ connectionPoolSize: 1, ...options });
	const upstream = new Upstream(
		resolved,
		{
			url: "http://app",
			clock,
			log: silentLog,
			pool: (listener) => {
				pool = new FakePool(resolved.connectionPoolSize, listener, maxBytes);
				return pool;
			},
		},
		{
			contextTextOf: ({ connectionId }) => connectionId,
			response: () => {},
			failed: (message: ForwardedMessage, { code }: ForwardingFailure) =>
				failed.push({ label: message.args[0], code }),
		},
	);
	upstream.open();
	const forward = (client: ClientConnection, label: unknown, kind: ForwardedKind = "update", bytes = 10) =>
		upstream.forward({
			...{ client, kind, method: kind, args: [label], vmId: "V", bytes },
			...{ queuedAt: clock.now(), completer: undefined, isCopy: false },
		});
	return { clock, failed, upstream, forward, pool: pool as unknown as FakePool };
}

export const clientOf = (connectionId: string): ClientConnection =>
	({ connectionId }) as unknown as ClientConnection;
export const codes = (failed: readonly { readonly code: string }[]): string[] =>
	failed.map(({ code }) => code);
