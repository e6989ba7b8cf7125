import type { Clock } from "../../base/index.js";
import { messageOf, TrunklineError } from "../../errors/index.js";
import type { DisconnectReason } from "../../hub/index.js";
import { isCall, MessageType, type RawMessage } from "../../protocols/index.js";
import { expiredFailure, type ForwardingFailure } from "../lost-message.js";
import type { ResolvedForwardingOptions } from "../proxy-end/options.js";
import { CallQueue, type QueuedMessage } from "./call-queue.js";
import { type ForwardedClient, inOwnBytes, type UpMessage } from "./forwarded-client.js";
import type { Placement } from "./placement.js";
import type { RemoteClient } from "./remote-client.js";

/** What a delivery needs of its upstream. */
export interface DeliveryHost {
	/** What the upstream is called in messages. */
	readonly name: string;
	readonly options: ResolvedForwardingOptions;
	readonly clock: Clock;
	readonly placement: Placement;
	/** A message will not be delivered. Called once for it; must not throw. */
	failed(client: ForwardedClient, up: UpMessage, failure: ForwardingFailure): void;
	/** The last of what an ended client has sent is delivered: its end may follow. */
	leave(client: ForwardedClient, reason: DisconnectReason): void;
}

/** Hands the messages of clients to sessions in order, and keeps, within bounds, what has to wait for one. */
export class Delivery {
	readonly #name: string;
	readonly #options: ResolvedForwardingOptions;
	readonly #placement: Placement;
	readonly #host: DeliveryHost;
	readonly #queue: CallQueue;
	/** Clients whose reading is held. */
	#room: (() => void)[] = [];

	constructor(host: DeliveryHost) {
		this.#name = host.name;
		this.#options = host.options;
		this.#placement = host.placement;
		this.#host = host;
		this.#queue = new CallQueue(host.options, host.clock, (queued) => this.#expired(queued));
	}

	/** Messages that wait for a session. */
	get waiting(): number {
		return this.#queue.length;
	}

	/** Bytes of those. */
	get waitingBytes(): number {
		return this.#queue.bytes;
	}

	/** Takes out everything that waits. */
	clear(): QueuedMessage[] {
		return this.#queue.clear();
	}

	/** Puts messages that were never sent before all others. */
	putBack(queued: readonly QueuedMessage[]): void {
		this.#queue.putBack(queued);
	}

	/** Takes a message. A returned promise asks to hold the client's reading until it resolves. */
	forward(client: ForwardedClient, up: UpMessage): Promise<void> | undefined {
		// What waits was sent before.
		if (client.waiting > 0 || (client.parked && !belongsToRunning(client, up.message)))
			return this.#wait(client, up);
		const remote = this.#remoteFor(client, up.message);
		if (remote) return this.#send(remote, up);
		return isCall(up.message) ? this.#wait(client, up) : undefined;
	}

	/** Where a message goes: a call to its home or the owner of what it is about, everything else behind its call. */
	#remoteFor(client: ForwardedClient, message: RawMessage): RemoteClient | undefined {
		if (isCall(message)) return this.#placement.placeFor(client, message);
		return message.invocationId === undefined ? undefined : client.remoteOf(message.invocationId);
	}

	#send(remote: RemoteClient, up: UpMessage): Promise<void> | undefined {
		const { client, session } = remote;
		// What belongs to a call is bounded by the reading of its client, which is held.
		if (session.isOverfull && isCall(up.message)) {
			const reason = `Too much waits for the app server ${this.#name} already (maxQueuedBytes).`;
			this.fail(client, up, { code: "ERR_FORWARD_QUEUE_FULL", reason });
			return undefined;
		}
		const { message, call } = up;
		const id = call && message.invocationId;
		if (call && id !== undefined) remote.expect(id, call);
		try {
			session.send(remote, message);
		} catch (thrown) {
			if (id !== undefined) remote.retract(id);
			const code = thrown instanceof TrunklineError ? thrown.code : "ERR_SERIALIZATION";
			this.fail(client, up, { code, reason: messageOf(thrown) });
			return undefined;
		}
		if (isCall(message) && message.streamIds) client.opened(message.streamIds, remote);
		else if (message.type === MessageType.Completion) client.closed(message.invocationId);
		return remote.room;
	}

	#waitForRoom(): Promise<void> {
		return new Promise((resolve) => this.#room.push(resolve));
	}

	/** Clients whose reading is held may be read again. */
	freeRoom(): void {
		const waiting = this.#room;
		this.#room = [];
		for (const resolve of waiting) resolve();
	}

	/** There is no session for it, or it is on its way to another one. */
	#wait(client: ForwardedClient, up: UpMessage): Promise<void> | undefined {
		if (client.refusal) {
			this.fail(client, up, client.refusal);
			return undefined;
		}
		if (!isCall(up.message)) return this.#waitBehindCall(client, up);
		if (client.parked && client.parked.length < this.#options.maxQueuedPerClient) {
			client.parked.push(inOwnBytes(up));
			return this.#placement.settled(client);
		}
		const full = client.parked
			? "too many wait already (maxQueuedPerClient)"
			: this.#queue.refusalOf({ client, up });
		const reason = `The message was not forwarded to ${this.#name}: ${full}.`;
		if (full === undefined) this.#queue.push({ client, up: inOwnBytes(up) });
		else this.fail(client, up, { code: "ERR_FORWARD_QUEUE_FULL", reason });
		return undefined;
	}

	/** Part of a stream whose call waits: none of it may be missing, so that the client is read no more instead. */
	#waitBehindCall(client: ForwardedClient, up: UpMessage): Promise<void> | undefined {
		if (client.parked) {
			client.parked.push(up);
			return this.#placement.settled(client);
		}
		this.#queue.push({ client, up });
		return this.#waitForRoom();
	}

	/** Who is told of the loss of what belongs to a call is told of the call. */
	fail(client: ForwardedClient, up: UpMessage, failure: ForwardingFailure): void {
		if (isCall(up.message)) this.#host.failed(client, up, failure);
	}

	#expired({ client, up }: QueuedMessage): void {
		this.fail(client, up, expiredFailure(this.#name, this.#options.maxWaitMs));
		if (this.#queue.length === 0) this.freeRoom();
		if (client.end && client.waiting === 0) this.#host.leave(client, client.end);
	}

	/** Hands on what was queued, in order. */
	drain(): void {
		for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
			const { client, up } = next;
			if (client.parked) client.parked.push(up);
			else {
				const remote = this.#remoteFor(client, up.message);
				if (remote) this.#send(remote, up);
				else if (client.refusal) this.fail(client, up, client.refusal);
				else if (isCall(up.message)) {
					this.#queue.putBack([next]);
					return;
				}
				if (client.end && client.waiting === 0) this.#host.leave(client, client.end);
			}
		}
		this.freeRoom();
	}

	/** A client is ended on its way from one app server to another: what it has sent meanwhile is not delivered. */
	dropParked(client: ForwardedClient): void {
		const reason = `The app server ${this.#name} stopped, and its client was ended before the message was forwarded.`;
		const failure: ForwardingFailure = { code: "ERR_FORWARD_LINK_LOST", reason };
		for (const up of client.parked?.splice(0) ?? []) this.fail(client, up, failure);
	}
}

/** An item or the end of a stream: the call that it is for, if that runs yet, is answered where it runs. */
function belongsToRunning(client: ForwardedClient, message: RawMessage): boolean {
	if (isCall(message) || message.invocationId === undefined) return false;
	return client.remoteOf(message.invocationId) !== undefined;
}
