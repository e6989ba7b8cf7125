import type { Clock, Timer } from "../../base/index.js";
import { TrunklineError } from "../../errors/index.js";
import { Arguments, type CompletionMessage, MessageType } from "../../protocols/index.js";
import type { ClientConnection } from "../clients/client-connection.js";
import { PreparedMessage } from "../clients/prepared-message.js";
import { failureOf, type Observation, type Watched } from "../observing/observation.js";
import { ClientFailure } from "./client-failure.js";

/** How long the answer of a client is waited for. */
export interface ClientResultOptions {
	/** @defaultValue the hub's `clientResultTimeoutMs` */
	readonly timeoutMs?: number | undefined;
	/** Gives up waiting when it is aborted; the call fails with its reason. */
	readonly signal?: AbortSignal | undefined;
}

/** What clients are asked to run. */
export interface ClientCall {
	readonly target: string;
	readonly args: readonly unknown[];
}

/** Settings of {@link ClientResults}. */
export interface ClientResultSettings {
	readonly clock: Clock;
	readonly clientResultTimeoutMs: number;
	readonly maxPendingClientResults: number;
}

/** One call of ours that its client has not answered. */
interface Pending {
	readonly client: ClientConnection;
	settle(outcome: { readonly result: unknown } | { readonly error: unknown }): void;
}

/**
 * The calls of this hub that clients have not answered yet. Ids are `s1`, `s2`, … of the hub behind the client's
 * `idPrefix`, so that an answer that comes from another connection shows.
 */
export class ClientResults {
	readonly #settings: ClientResultSettings;
	readonly #watched: Watched;
	readonly #pending = new Map<string, Pending>();
	readonly #byClient = new Map<ClientConnection, Set<string>>();
	#lastId = 0;

	constructor(settings: ClientResultSettings, watched: Watched = {}) {
		this.#settings = settings;
		this.#watched = watched;
	}

	/**
	 * Calls a method of one client and waits for its answer.
	 * @throws HubException with the client's text, where it answers with an error
	 * @throws TrunklineError ERR_CLIENT_GONE where it is gone or goes; ERR_CLIENT_RESULT_TIMEOUT; ERR_LIMIT above
	 * `maxPendingClientResults`; ERR_SERIALIZATION
	 */
	ask(client: ClientConnection, call: ClientCall, options: ClientResultOptions = {}): Promise<unknown> {
		const { observation } = this.#watched;
		const answer = this.#ask(client, call, options);
		return observation ? this.#observed(observation, call.target, answer) : answer;
	}

	async #observed(observation: Observation, method: string, answer: Promise<unknown>): Promise<unknown> {
		const { clock } = this.#settings;
		const startedAt = clock.elapsed();
		observation.tell("clientResultAsked", { method });
		let failure: ReturnType<typeof failureOf> | undefined;
		try {
			return await answer;
		} catch (thrown) {
			failure = failureOf(thrown);
			throw thrown;
		} finally {
			const durationMs = clock.elapsed() - startedAt;
			observation.tell("clientResultEnded", { method, durationMs, failure });
		}
	}

	async #ask(client: ClientConnection, call: ClientCall, options: ClientResultOptions): Promise<unknown> {
		options.signal?.throwIfAborted();
		if (client.isEnded) throw goneWhileAsked(client.connectionId);
		const ids = this.#idsOf(client);
		const id = `${client.idPrefix}s${++this.#lastId}`;
		try {
			return await new Promise<unknown>((resolve, reject) => {
				const pending = { client, settle: settler(resolve, reject) };
				this.#pending.set(id, pending);
				ids.add(id);
				this.#watch(pending, call, options);
				const { target, args } = call;
				const message = {
					type: MessageType.Invocation,
					invocationId: id,
					target,
					arguments: Arguments.of(args),
				};
				client.sendPrepared(new PreparedMessage(message));
			});
		} finally {
			this.#forget(id, client);
		}
	}

	/**
	 * Takes a client's Completion; one for a call that is not there (any more) is passed over.
	 * @throws TrunklineError ERR_PROTOCOL where another client was asked.
	 */
	completed(client: ClientConnection, { invocationId, error, result }: CompletionMessage): void {
		const pending = this.#pending.get(invocationId);
		if (!pending) return;
		if (pending.client !== client) {
			throw new TrunklineError("ERR_PROTOCOL", "A client answered a call that another one was asked.");
		}
		pending.settle(error === undefined ? { result } : { error: new ClientFailure(error) });
	}

	/** A client is gone: what it was asked fails. */
	lost(client: ClientConnection): void {
		for (const id of this.#byClient.get(client) ?? []) {
			this.#pending.get(id)?.settle({ error: goneWhileAsked(client.connectionId) });
		}
	}

	#idsOf(client: ClientConnection): Set<string> {
		const most = this.#settings.maxPendingClientResults;
		const ids = this.#byClient.get(client) ?? new Set();
		if (ids.size >= most) {
			const message = `Connection '${client.connectionId}' has not answered ${most} calls yet (maxPendingClientResults).`;
			throw new TrunklineError("ERR_LIMIT", message);
		}
		this.#byClient.set(client, ids);
		return ids;
	}

	/** Settles the call when its time is over or its signal says so. */
	#watch(pending: Pending, { target }: ClientCall, { timeoutMs, signal }: ClientResultOptions): void {
		const ms = timeoutMs ?? this.#settings.clientResultTimeoutMs;
		let timer: Timer | undefined;
		const aborted = (): void => pending.settle({ error: signal?.reason });
		const { settle } = pending;
		pending.settle = (outcome) => {
			timer?.cancel();
			signal?.removeEventListener("abort", aborted);
			settle(outcome);
		};
		if (Number.isFinite(ms))
			timer = this.#settings.clock.schedule(ms, () => pending.settle({ error: late(target, ms) }));
		signal?.addEventListener("abort", aborted, { once: true });
	}

	#forget(id: string, client: ClientConnection): void {
		const pending = this.#pending.get(id);
		this.#pending.delete(id);
		// Where sending failed, nobody has settled it: its timer and listener go now.
		pending?.settle({ result: undefined });
		const ids = this.#byClient.get(client);
		if (ids?.delete(id) && ids.size === 0) this.#byClient.delete(client);
	}
}

function settler(resolve: (result: unknown) => void, reject: (error: unknown) => void): Pending["settle"] {
	return (outcome) => ("error" in outcome ? reject(outcome.error) : resolve(outcome.result));
}

function late(target: string, ms: number): TrunklineError {
	return new TrunklineError(
		"ERR_CLIENT_RESULT_TIMEOUT",
		`The client has not answered "${target}" within ${ms} ms.`,
	);
}

function goneWhileAsked(connectionId: string): TrunklineError {
	return new TrunklineError("ERR_CLIENT_GONE", `Connection '${connectionId}' disconnected.`);
}

/** The error of a call to a connection that is not there. */
export function unknownConnection(connectionId: string): TrunklineError {
	return new TrunklineError("ERR_CLIENT_GONE", `Connection '${connectionId}' does not exist.`);
}
