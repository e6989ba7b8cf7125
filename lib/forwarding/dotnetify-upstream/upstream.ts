import type { Clock, Log, Timer } from "../../base/index.js";
import { messageOf } from "../../errors/index.js";
import type { ClientConnection } from "../../hub/index.js";
import { HubTarget, writeInvokeArguments } from "../../protocols/index.js";
import { expiredFailure, type ForwardingFailure, stoppedFailure } from "../lost-message.js";
import type { ResolvedForwardingOptions } from "../proxy-end/options.js";
import { type ForwardedMessage, isRepeatable } from "./forwarded-message.js";
import type { LinkListener, MessageLink } from "./link.js";
import type { MessagePool } from "./link-pool.js";
import { Outbox } from "./outbox.js";
import type { RetainedBudget } from "./retained.js";
import { type Queued, WaitingQueue } from "./waiting-queue.js";

/** Who hears of an upstream. */
export interface UpstreamListener {
	/** Describes a client to the app server; called once per client. */
	contextTextOf(client: ClientConnection): string;
	/** The app server asks for something: the one argument of a `Response_VM`. */
	response(argument: unknown): void;
	/** A message will not be delivered, or nobody can know whether it was. Called once for it; must not throw. */
	failed(message: ForwardedMessage, failure: ForwardingFailure): void;
}

/** The links of an upstream; a {@link LinkPool} but in tests. */
export type PoolMaker = (listener: LinkListener) => MessagePool;

/** What an upstream is told of its app server. */
export interface UpstreamSettings {
	readonly url: string;
	readonly clock: Clock;
	readonly log: Log;
	readonly pool: PoolMaker;
}

interface Sent extends Queued {
	readonly link: MessageLink;
}

/** How long links that are lost together may be apart, in milliseconds. */
const REPLAY_DELAY_MS = 100;
const REPLAYING = "View models are requested again: what was pushed on a lost link may be lost.";

/**
 * An app server as a proxy sees it. Every message is in one place: waiting (no link is up, or too much is unconfirmed)
 * → sent (on a link, until the app server has confirmed it) → done. A link that goes down puts what may be repeated
 * back to the head of the queue, in order, and fails the rest: nobody can know whether it arrived.
 */
export class Upstream {
	readonly url: string;
	readonly #options: ResolvedForwardingOptions;
	readonly #settings: UpstreamSettings;
	readonly #listener: UpstreamListener;
	readonly #pool: MessagePool;
	readonly #queue: WaitingQueue;
	readonly #outboxes = new Map<ClientConnection, Outbox>();
	readonly #sent = new Map<MessageLink, Set<Sent>>();
	#unconfirmed = 0;
	#unconfirmedBytes = 0;
	#state: "new" | "open" | "closed" = "new";
	#wasReached = false;
	readonly #budget: RetainedBudget;
	#replay: Timer | undefined;
	#isReplayDue = false;
	#idle: (() => void) | undefined;

	constructor(options: ResolvedForwardingOptions, settings: UpstreamSettings, listener: UpstreamListener) {
		this.url = settings.url;
		this.#options = options;
		this.#settings = settings;
		this.#listener = listener;
		this.#budget = { left: options.maxRetainedBytes };
		this.#queue = new WaitingQueue(options, {
			clock: settings.clock,
			expired: (queued) => this.#expired(queued),
		});
		this.#pool = settings.pool({
			up: (link) => this.#linkUp(link),
			down: (link) => this.#linkDown(link),
			response: (argument) => listener.response(argument),
		});
	}

	/** Whether a link was up once. */
	get wasReached(): boolean {
		return this.#wasReached;
	}

	/** Links that are up. */
	get links(): number {
		return this.#pool.up;
	}

	/** Messages that wait for a link. */
	get waiting(): number {
		return this.#queue.length;
	}

	/** Messages that were sent and not confirmed. */
	get unconfirmed(): number {
		return this.#unconfirmed;
	}

	/** Clients that the app server may know of, or has messages waiting from. */
	get clients(): number {
		return this.#outboxes.size;
	}

	/** Those of them that are not gone. */
	get present(): number {
		return [...this.#outboxes.values()].filter(({ hasEnded }) => !hasEnded).length;
	}

	open(): void {
		if (this.#state !== "new") return;
		this.#state = "open";
		this.#pool.open();
	}

	/** Whether anything of this client was forwarded here. */
	knows(client: ClientConnection): boolean {
		return this.#outboxes.has(client);
	}

	/**
	 * Takes a message: sends it, or queues it, or fails it. A returned promise asks to hold the client's reading: it has
	 * too much unconfirmed.
	 */
	forward(message: ForwardedMessage): Promise<void> | undefined {
		if (this.#state === "closed") {
			this.#listener.failed(message, stoppedFailure(this.url));
			return undefined;
		}
		const outbox = this.#outboxOf(message.client);
		const queued: Queued = { message, outbox };
		outbox.retained.forwarded(message);
		outbox.hasEnded ||= message.kind === "disconnect";
		if (outbox.hasEnded && !outbox.wasSent && outbox.waiting === 0) this.#forget(queued);
		else if (this.#mayPass(queued)) this.#send(queued);
		else this.#enqueue(queued);
		return this.#pool.isUp && this.#isFull(outbox) ? outbox.room() : undefined;
	}

	/** The end of a client passes those of others: it frees what they may be waiting for. */
	#mayPass({ message, outbox }: Queued): boolean {
		if (message.kind === "disconnect" && outbox.waiting === 0) return this.#hasLinkFor(outbox);
		return this.#queue.length === 0 && this.#canSend(outbox);
	}

	#isFull({ pending, unconfirmedBytes }: Outbox): boolean {
		const { maxUnconfirmedPerClient, maxUnconfirmedBytesPerClient } = this.#options;
		return pending >= maxUnconfirmedPerClient || unconfirmedBytes >= maxUnconfirmedBytesPerClient;
	}

	/** Waits for what was sent to be confirmed, up to `flushTimeoutMs`, fails the rest, and ends the links. */
	async close(): Promise<void> {
		if (this.#pool.isUp) await this.#flushed();
		this.#state = "closed";
		this.#stopReplayTimer();
		const sent = [...this.#sent.values()].flatMap((all) => [...all]);
		this.#sent.clear();
		this.#unconfirmed = 0;
		const failure = stoppedFailure(this.url);
		for (const { message } of [...sent, ...this.#queue.clear()]) this.#fail(message, failure);
		for (const outbox of this.#outboxes.values()) outbox.freeRoom();
		this.#outboxes.clear();
		await this.#pool.close();
	}

	#canSend(outbox: Outbox): boolean {
		return this.#hasLinkFor(outbox) && this.#unconfirmedBytes < this.#options.maxUnconfirmedBytes;
	}

	#hasLinkFor(outbox: Outbox): boolean {
		if (this.#state !== "open" || !this.#pool.isUp) return false;
		// A link on its way down keeps its clients until it has said what was lost, or they would be overtaken.
		return !(this.#options.ordered && outbox.unconfirmed > 0 && outbox.link?.isUp === false);
	}

	/** A message will not be delivered. What nobody waits for is tried again. */
	#fail(message: ForwardedMessage, failure: ForwardingFailure): void {
		if (message.isReplay) this.#isReplayDue = true;
		else this.#listener.failed(message, failure);
	}

	#outboxOf(client: ClientConnection): Outbox {
		let outbox = this.#outboxes.get(client);
		if (!outbox) {
			outbox = new Outbox(this.#listener.contextTextOf(client), this.#budget);
			this.#outboxes.set(client, outbox);
		}
		return outbox;
	}

	#enqueue(queued: Queued): void {
		const full = this.#queue.refusalOf(queued);
		const reason = `The message was not forwarded to ${this.url}: ${full}.`;
		if (full === undefined) this.#queue.push(queued);
		else this.#fail(queued.message, { code: "ERR_FORWARD_QUEUE_FULL", reason });
	}

	#drain(): void {
		for (let next = this.#queue.first; next && this.#canSend(next.outbox); next = this.#queue.first) {
			this.#queue.shift();
			this.#send(next);
		}
	}

	#send(queued: Queued): void {
		const { message, outbox } = queued;
		const stays = this.#options.ordered && outbox.unconfirmed > 0;
		const link = stays ? outbox.link : this.#pool.next();
		if (!link) {
			this.#enqueue(queued);
			return;
		}
		const args = writeInvokeArguments(message.method, message.args, outbox.contextText);
		const tooLarge = link.refusalOf(args, message.bytes + outbox.contextText.length);
		if (tooLarge) {
			this.#fail(message, { code: "ERR_FORWARD_TOO_LARGE", reason: tooLarge });
			this.#release(queued);
			return;
		}
		const sent: Sent = { message, outbox, link };
		outbox.link = link;
		outbox.wasSent = true;
		this.#count(sent, 1);
		this.#sentOn(link).add(sent);
		link.invoke(args).then(
			(result) => this.#confirmed(sent, result),
			(thrown: unknown) => this.#refused(sent, thrown),
		);
	}

	#sentOn(link: MessageLink): Set<Sent> {
		let sent = this.#sent.get(link);
		if (!sent) {
			sent = new Set();
			this.#sent.set(link, sent);
		}
		return sent;
	}

	#count({ message, outbox }: Sent, by: 1 | -1): void {
		// The context is written with every message.
		const bytes = by * (message.bytes + outbox.contextText.length);
		this.#unconfirmed += by;
		this.#unconfirmedBytes += bytes;
		outbox.unconfirmed += by;
		outbox.unconfirmedBytes += bytes;
	}

	#confirmed(sent: Sent, result: unknown): void {
		if (!this.#settle(sent)) return;
		sent.message.completer?.complete(result);
		if (!sent.outbox.hasEnded) sent.outbox.retained.confirmed(sent.message);
		this.#drain();
		this.#release(sent);
	}

	/** The app server answered with an error: its own method's, or because it takes no links from here. */
	#refused(sent: Sent, thrown: unknown): void {
		// A link that went down settles all that it carried, in order, itself.
		if (!sent.link.isUp || !this.#settle(sent)) return;
		const text = messageOf(thrown);
		const { completer } = sent.message;
		if (completer && !isAboutInvoke(text)) completer.fail(text);
		else this.#fail(sent.message, this.#refusal(text));
		this.#drain();
		this.#release(sent);
	}

	#refusal(text: string): ForwardingFailure {
		const hint =
			isAboutInvoke(text) && text.endsWith("Method does not exist.")
				? " It takes no links from here: set LINK_SECRET to the same value on both, or LINK_NAMES or LINK_TRUSTED there."
				: ` It said: ${text}`;
		return { code: "ERR_FORWARD_REFUSED", reason: `The app server ${this.url} refused the message.${hint}` };
	}

	/** Takes a message out of those that were sent; false where that has happened already. */
	#settle(sent: Sent): boolean {
		if (!this.#sent.get(sent.link)?.delete(sent)) return false;
		this.#count(sent, -1);
		return true;
	}

	/** A message is done, in whatever way: lets go of what was kept for it. */
	#release(done: Queued): void {
		const { outbox } = done;
		if (!this.#isFull(outbox)) outbox.freeRoom();
		if (outbox.hasEnded && outbox.pending === 0) this.#forget(done);
		if (this.#queue.length === 0 && this.#unconfirmed === 0) this.#idle?.();
	}

	#forget({ message, outbox }: Queued): void {
		if (this.#outboxes.get(message.client) === outbox) this.#outboxes.delete(message.client);
	}

	#linkUp(link: MessageLink): void {
		this.#wasReached = true;
		const { log } = this.#settings;
		const level = this.links === 1 ? log.info : log.debug;
		level.call(log, { url: this.url, links: this.links }, "An app server is reached.");
		this.#sentOn(link);
		// The first link may lead to a server that knows nothing: what waits comes behind the requests.
		if (this.links === 1) this.#stopReplayTimer();
		this.#replayIfDue();
		this.#drain();
	}

	#linkDown(link: MessageLink): void {
		const lost = [...(this.#sent.get(link) ?? [])];
		this.#sent.delete(link);
		for (const sent of lost) this.#count(sent, -1);
		this.#queue.putBack(lost.filter(({ message }) => isRepeatable(message)));
		const reason = `The link to ${this.url} was lost before the message was confirmed; it may have been processed.`;
		for (const { message } of lost) {
			if (!isRepeatable(message)) this.#fail(message, { code: "ERR_FORWARD_LINK_LOST", reason });
		}
		this.#planReplay();
		this.#drain();
		// Without a link the queue's own limits take over: nobody is held for as long as that lasts.
		if (!this.#pool.isUp) this.#allDown();
		for (const sent of lost) this.#release(sent);
	}

	#stopReplayTimer(): void {
		this.#replay?.cancel();
		this.#replay = undefined;
	}

	/** Once for all links that are lost together. */
	#planReplay(): void {
		this.#isReplayDue = true;
		this.#replay ??= this.#settings.clock.schedule(REPLAY_DELAY_MS, () => {
			this.#replay = undefined;
			this.#replayIfDue();
			this.#drain();
		});
	}

	/** Asks again for every view model that clients show, before anything else that they want of it. */
	#replayIfDue(): void {
		if (!this.#isReplayDue || this.#replay || !this.#pool.isUp) return;
		this.#isReplayDue = false;
		const again: Queued[] = [];
		for (const outbox of this.#outboxes.values()) {
			if (!outbox.wasSent || outbox.hasEnded) continue;
			for (const message of outbox.retained.requests) again.push({ message, outbox });
		}
		if (again.length > 0) this.#settings.log.info({ url: this.url, requests: again.length }, REPLAYING);
		this.#queue.putBack(again);
	}

	#allDown(): void {
		for (const outbox of this.#outboxes.values()) outbox.freeRoom();
		this.#settings.log.warn({ url: this.url }, "All links to an app server are lost; messages wait.");
	}

	#expired(queued: readonly Queued[]): void {
		const failure = expiredFailure(this.url, this.#options.maxWaitMs);
		for (const each of queued) {
			if (each.message.kind !== "disconnect") this.#fail(each.message, failure);
			this.#release(each);
		}
	}

	async #flushed(): Promise<void> {
		if (this.#queue.length === 0 && this.#unconfirmed === 0) return;
		await new Promise<void>((resolve) => {
			const timer = this.#settings.clock.schedule(this.#options.flushTimeoutMs, resolve);
			this.#idle = () => {
				timer.cancel();
				resolve();
			};
		});
	}
}

/** Whether an error of the app server is about the call over the link, and not about the method that it is for. */
function isAboutInvoke(text: string): boolean {
	const target = `'${HubTarget.Invoke}'`;
	return (
		text.startsWith(`Failed to invoke ${target} `) ||
		text.startsWith(`An unexpected error occurred invoking ${target} `)
	);
}
