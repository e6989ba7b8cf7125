import { randomId } from "../base/index.js";
import { messageOf } from "../errors/index.js";
import type { CarrierConnection } from "./carriers/carrier-connection.js";
import type { User } from "./connection.js";
import type { ResolvedEndpointOptions } from "./options.js";
import { forbidden, Refusal, UNAVAILABLE, UNKNOWN_ID } from "./request/refusal.js";
import type { ConnectionTokens } from "./tokens.js";

/** The right to open one connection. */
export interface Claim {
	readonly connectionId: string;
	/** Stateful reconnect was granted. */
	readonly isReconnectable: boolean;
}

/** The connections of an endpoint, found by the tokens that opened them, and the tokens that may open more. */
export class OpenConnections {
	readonly #options: ResolvedEndpointOptions;
	readonly #tokens: ConnectionTokens;
	readonly #open = new Map<string, CarrierConnection>();

	constructor(options: ResolvedEndpointOptions, tokens: ConnectionTokens) {
		this.#options = options;
		this.#tokens = tokens;
	}

	get size(): number {
		return this.#open.size;
	}

	/** The connection that the token `id` opened. @throws Refusal 403 where it is another user's */
	find(id: string, user: User | undefined): CarrierConnection | undefined {
		for (const connectionId of this.#tokens.idsOf(id)) {
			const connection = this.#open.get(connectionId);
			if (!connection) continue;
			if (connection.user?.id !== user?.id) throw new Refusal(forbidden("the connection is another user's"));
			return connection;
		}
		return undefined;
	}

	/** What the token `id` could open now. @throws Refusal 404 where it is none, or expired */
	check(id: string, user: User | undefined): Claim {
		const token = this.#tokens.read(id, user?.id);
		if (token === undefined || token.isExpired) throw new Refusal(UNKNOWN_ID);
		return token;
	}

	/** Uses a token up: it opens nothing a second time. @throws Refusal */
	claim(id: string, user: User | undefined): Claim {
		const claim = this.check(id, user);
		if (!this.#use(claim.connectionId)) throw new Refusal(UNKNOWN_ID);
		return claim;
	}

	/** The right to a connection that nobody negotiated. */
	anonymous(): Claim {
		return { connectionId: randomId(), isReconnectable: false };
	}

	/** Hands a new connection to its owner. */
	add(connection: CarrierConnection): void {
		const { connectionId, transport, request } = connection;
		const { onConnection, log } = this.#options;
		this.#open.set(connectionId, connection);
		log.debug({ connectionId, transport, ip: request.ip }, "A connection was opened.");
		try {
			onConnection(connection);
			if (connection.isOwned) return;
			log.error({ connectionId }, "A connection's owner did not listen to it.");
		} catch (error) {
			log.error({ connectionId, error: messageOf(error) }, "onConnection threw.");
		}
		connection.abort();
	}

	/** Forgets a connection that is over. */
	delete(connectionId: string): boolean {
		return this.#open.delete(connectionId);
	}

	#use(connectionId: string): boolean {
		try {
			return this.#tokens.use(connectionId);
		} catch (error) {
			this.#options.log.warn({ error: messageOf(error) }, "A connection was refused.");
			throw new Refusal(UNAVAILABLE);
		}
	}
}
