import { type Deferred, deferred } from "../../base/index.js";
import type { Completer } from "../../hub/index.js";
import type { RawInvocation } from "../../protocols/index.js";
import type { ClientShare } from "../sharing/client-share.js";
import type { AppSession } from "./app-session.js";
import type { ForwardedClient } from "./forwarded-client.js";

/** A call of a client whose answer is still to come. */
export interface RemoteCall {
	readonly completer: Completer;
	readonly target: string;
	/** The view model that it is about, where it is about one. */
	readonly vmId: string | undefined;
	/** Made by the proxy itself: nobody waits for its answer, or hears of its loss. */
	readonly isOwn?: true;
}

/** A call that is made again where an app server forgets its client, with the key that it was retained by. */
export type Replay = readonly [key: string, call: RawInvocation];

/** How ids of the proxy's own calls begin; a client that chose the same would confuse its own calls only. */
const OWN_PREFIX = "trunkline.";

/** A client as one session knows it, from its OPEN to its CLOSED or the session's end. */
export class RemoteClient {
	readonly client: ForwardedClient;
	readonly session: AppSession;
	/** Its number in the session. */
	readonly number: number;
	/** Ends the passing on of its answers to calls of the session's app server. */
	stopAnswers: (() => void) | undefined;
	/** Whether its app server was asked to let wait what can. */
	isPaused = false;
	/** Whether the app server was asked to let it go elsewhere. */
	isMoving = false;
	/** Whether the app server has to find out first who it is: until then it hears nothing that is for all. */
	isPending = false;
	/** Its part of the session's window, once that was scarce. */
	share: ClientShare | undefined;
	// Most clients have none of these at most times, and one call at other times.
	#id: string | undefined;
	#call: RemoteCall | undefined;
	/** Calls beside that one, by their ids. */
	#others: Map<string, RemoteCall> | undefined;
	/** Calls with an id that an earlier one has, in order. */
	#doubles: [id: string, call: RemoteCall][] | undefined;
	#groups: Set<string> | undefined;
	#retained: Map<string, RawInvocation> | undefined;
	#held: Deferred<void> | undefined;
	#asked = 0;

	constructor(client: ForwardedClient, session: AppSession, number: number) {
		this.client = client;
		this.session = session;
		this.number = number;
	}

	/** The call of that id that waits for an answer. */
	callOf(id: string): RemoteCall | undefined {
		return id === this.#id ? this.#call : this.#others?.get(id);
	}

	/** The groups of the app server that it is in. */
	get groups(): Set<string> {
		this.#groups ??= new Set();
		return this.#groups;
	}

	/** What is to be asked again where the app server goes away, in the order in which it was first asked. */
	get retained(): Map<string, RawInvocation> {
		this.#retained ??= new Map();
		return this.#retained;
	}

	/** Whether there is anything of that kind. */
	get hasRetained(): boolean {
		return (this.#retained?.size ?? 0) > 0;
	}

	/** Takes out what is to be asked again. */
	takeRetained(): Replay[] {
		const retained = [...(this.#retained ?? [])];
		this.#retained = undefined;
		return retained;
	}

	/**
	 * Remembers a call of the proxy's own, and names it. `settled` is called once: it was answered, or will not be; the
	 * app server is done with all that was sent before.
	 */
	ask(settled: () => void): string {
		const id = `${OWN_PREFIX}${++this.#asked}`;
		const completer = { complete: settled, fail: settled, relay: settled, relayItem: () => {} };
		this.expect(id, { completer, target: "", vmId: undefined, isOwn: true });
		return id;
	}

	/** Remembers a call. Clients may use one id for several at once: each answer counts for the first of them. */
	expect(id: string, call: RemoteCall): void {
		if (this.callOf(id)) {
			this.#doubles ??= [];
			this.#doubles.push([id, call]);
		} else if (this.#call) {
			this.#others ??= new Map();
			this.#others.set(id, call);
		} else {
			this.#id = id;
			this.#call = call;
		}
	}

	/** Takes a call out: its answer is here, or will not come. */
	take(id: string): RemoteCall | undefined {
		const call = this.callOf(id);
		if (!call) return undefined;
		this.#remove(id);
		if (this.#doubles) this.#followUp(id, this.#doubles);
		return call;
	}

	/** Takes back the last call of an id: it was not sent. */
	retract(id: string): void {
		const at = this.#doubles?.findLastIndex(([other]) => other === id) ?? -1;
		if (at < 0) this.#remove(id);
		else this.#doubles?.splice(at, 1);
		if (this.#doubles?.length === 0) this.#doubles = undefined;
	}

	#remove(id: string): void {
		if (id === this.#id) {
			this.#id = undefined;
			this.#call = undefined;
		} else if (this.#others?.delete(id) && this.#others.size === 0) this.#others = undefined;
	}

	/** The next call of that id takes the place of the one that is answered. */
	#followUp(id: string, doubles: [id: string, call: RemoteCall][]): void {
		const at = doubles.findIndex(([other]) => other === id);
		const [next] = at < 0 ? [] : doubles.splice(at, 1);
		if (next) this.expect(...next);
		if (doubles.length === 0) this.#doubles = undefined;
	}

	/** Takes all calls out: those of the proxy's own are settled, those of the client are returned. */
	takeAll(): RemoteCall[] {
		const calls = [
			...(this.#call ? [this.#call] : []),
			...(this.#others?.values() ?? []),
			...(this.#doubles ?? []).map(([, call]) => call),
		];
		this.#id = undefined;
		this.#call = undefined;
		this.#others = undefined;
		this.#doubles = undefined;
		for (const { isOwn, completer } of calls) if (isOwn) completer.complete();
		return calls.filter(({ isOwn }) => !isOwn);
	}

	/** Resolves when the app server, or the session, has room for more of it; undefined where both have. */
	get room(): Promise<void> | undefined {
		return this.#held?.promise ?? this.share?.room;
	}

	hold(): void {
		if (this.#held) return;
		this.#held = deferred();
		this.session.life.hold();
	}

	go(): void {
		if (!this.#held) return;
		this.#held.resolve();
		this.#held = undefined;
		this.session.life.release();
	}

	/** Nothing is passed on any more, in either direction. */
	leave(): void {
		this.stopAnswers?.();
		this.stopAnswers = undefined;
		this.go();
	}
}
