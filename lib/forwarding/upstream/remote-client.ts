import { type Deferred, deferred } from "../../base/index.js";
import type { ErrorCode } from "../../errors/index.js";
import type { ClientConnection, Completer } from "../../hub/index.js";
import type { RawMessage } from "../../protocols/index.js";
import type { AppSession } from "./app-session.js";

/** A call of a client whose answer is still to come. */
export interface RemoteCall {
	readonly completer: Completer;
	readonly target: string;
	/** The view model that it is about, where it is about one. */
	readonly vmId: string | undefined;
}

/** A client's message on its way up. */
export interface UpMessage {
	readonly message: RawMessage;
	/** About how many bytes it takes. */
	readonly bytes: number;
	/** Where its caller waits for an answer. */
	readonly call: RemoteCall | undefined;
	/** Whether the caller hears of its loss: not of a copy, which somebody else answers. */
	readonly isCopy: boolean;
	/** When it was taken, by the hub's clock. */
	readonly takenAt: number;
}

/** A call that is to be made again at another instance. */
export type RetainedCall = Extract<RawMessage, { readonly type: 1 }>;

/** Why a message was not delivered. */
export interface Undelivered {
	readonly code: ErrorCode;
	readonly reason: string;
}

/**
 * A client as an upstream knows it, from its first message (or its connect) to its end there. It outlives sessions: one
 * that is over leaves it waiting for the next one.
 */
export class RemoteClient {
	readonly connection: ClientConnection;
	/** Where it is open; undefined while there is no session for it. */
	session: AppSession | undefined;
	/** Its number in that session. */
	number = 0;
	/** Whether an instance that is gone had it open. */
	wasOpen = false;
	/** Whether the client is gone: nothing of it follows. */
	hasEnded = false;
	/** Messages of it that wait for a session. */
	waiting = 0;
	/** Ends the passing on of its answers to calls of the session's app server. */
	stopAnswers: (() => void) | undefined;
	// Most clients have none of these at most times.
	#calls: Map<string, RemoteCall> | undefined;
	#groups: Set<string> | undefined;
	#retained: Map<string, RetainedCall> | undefined;
	#held: Deferred<void> | undefined;

	constructor(connection: ClientConnection) {
		this.connection = connection;
	}

	/** Its calls that wait for an answer, by their ids. */
	get calls(): ReadonlyMap<string, RemoteCall> {
		return this.#calls ?? NONE;
	}

	/** The groups of the app server that it is in. */
	get groups(): Set<string> {
		this.#groups ??= new Set();
		return this.#groups;
	}

	/** What is to be asked again, in the order in which it was first asked. */
	get retained(): Map<string, RetainedCall> {
		this.#retained ??= new Map();
		return this.#retained;
	}

	get hasRetained(): boolean {
		return this.#retained !== undefined && this.#retained.size > 0;
	}

	/** Remembers a call; false where its id is in use. */
	expect(id: string, call: RemoteCall): boolean {
		this.#calls ??= new Map();
		if (this.#calls.has(id)) return false;
		this.#calls.set(id, call);
		return true;
	}

	/** Takes a call out: its answer is here, or will not come. */
	take(id: string): RemoteCall | undefined {
		const call = this.#calls?.get(id);
		if (call) this.#calls?.delete(id);
		return call;
	}

	/** Takes all calls out. */
	takeAll(): RemoteCall[] {
		const calls = [...(this.#calls?.values() ?? [])];
		this.#calls = undefined;
		return calls;
	}

	/** Resolves when the app server has room for more of it; undefined where it has. */
	get held(): Promise<void> | undefined {
		return this.#held?.promise;
	}

	hold(): void {
		this.#held ??= deferred();
	}

	go(): void {
		this.#held?.resolve();
		this.#held = undefined;
	}

	/** The session is over: what it knew of the client is void. */
	leaveSession(): void {
		this.stopAnswers?.();
		this.stopAnswers = undefined;
		this.session = undefined;
		this.number = 0;
		this.#groups = undefined;
		this.go();
	}
}

const NONE: ReadonlyMap<string, RemoteCall> = new Map();
