import type { ClientConnection } from "../hub/index.js";
import type { ViewModelClient } from "./view-model.js";

/** Named values as a client sent them. */
export type Fields = Readonly<Record<string, unknown>>;

/** No values. */
export const NOTHING: Fields = Object.freeze({});

/** What view models see of one client: its connection, and what it sent last. */
export class ClientFacts implements ViewModelClient {
	readonly #connection: ClientConnection;
	headers: Fields = NOTHING;
	vmArg: Fields = NOTHING;

	constructor(connection: ClientConnection) {
		this.#connection = connection;
	}

	get connectionId(): string {
		return this.#connection.connectionId;
	}

	get user(): ClientConnection["user"] {
		return this.#connection.user;
	}

	get request(): ClientConnection["request"] {
		return this.#connection.request;
	}

	get items(): Map<string, unknown> {
		return this.#connection.items;
	}
}
