import { type ClientMethods, type ClientProxy, HubClients, type SingleClientProxy } from "./client-proxy.js";
import type { Lifetime } from "./lifetime.js";

/** The ways to name clients from within a connection's call: those of {@link HubClients}, and relative to the caller. */
export class CallerClients<Client extends object = ClientMethods> extends HubClients<Client> {
	readonly #callerId: string;

	constructor(lifetime: Lifetime, callerId: string, asking?: () => void) {
		super(lifetime, asking);
		this.#callerId = callerId;
	}

	/** The connection that called. */
	get caller(): SingleClientProxy<Client> {
		return this.client(this.#callerId);
	}

	/** Everyone but the connection that called. */
	get others(): ClientProxy<Client> {
		return this.all.except(this.#callerId);
	}

	/** The members of a group but the connection that called. */
	othersInGroup(group: string): ClientProxy<Client> {
		return this.group(group).except(this.#callerId);
	}
}
