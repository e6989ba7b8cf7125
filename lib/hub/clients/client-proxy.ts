import { Arguments, type InvocationMessage, MessageType } from "../../protocols/index.js";
import type { Lifetime } from "./lifetime.js";
import { type Delivery, PreparedMessage } from "./prepared-message.js";
import type { Selection } from "./selection.js";

/** What clients can be asked to run: names and parameter lists. Give your own as `createHub<MyClient>()`. */
export type ClientMethods = Record<string, (...args: readonly unknown[]) => void>;

/** The parameters of one client method. */
export type ClientArguments<Client, Target extends keyof Client> = Client[Target] extends (
	...args: infer Args
) => unknown
	? Args extends readonly unknown[]
		? Args
		: never
	: never;

/** An Invocation without an answer: what a send to clients is. */
export function invocationOf(target: string, args: readonly unknown[]): InvocationMessage {
	return { type: MessageType.Invocation, target, arguments: Arguments.of(args) };
}

/** Some clients to send to. Immutable; cheap to make. */
export class ClientProxy<Client extends object = ClientMethods> {
	readonly #lifetime: Lifetime;
	readonly #selection: Selection;
	readonly #delivery: Delivery | undefined;

	constructor(lifetime: Lifetime, selection: Selection, delivery?: Delivery) {
		this.#lifetime = lifetime;
		this.#selection = selection;
		this.#delivery = delivery;
	}

	/**
	 * Calls `target` on each of these clients; nobody answers. Resolves when the message is in their send buffers.
	 * Clients, groups and users that do not exist are passed over.
	 * @throws TrunklineError ERR_SERIALIZATION where an argument cannot be written (a cycle, for one). Where only some of
	 * these clients' protocols cannot write it (MessagePack a BigInt of more than 64 bits), the others get it.
	 */
	send<Target extends keyof Client & string>(
		target: Target,
		...args: ClientArguments<Client, Target>
	): Promise<void> {
		return this.#lifetime.send(
			this.#selection,
			new PreparedMessage(invocationOf(target, args), this.#delivery),
		);
	}

	/** The same clients without these connection ids. */
	except(...connectionIds: readonly string[]): ClientProxy<Client> {
		return new ClientProxy(this.#lifetime, excluding(this.#selection, connectionIds), this.#delivery);
	}

	/** The same clients; what is sent is the newest state of something, and a newer one with this key may replace it. */
	state(key: string): ClientProxy<Client> {
		return new ClientProxy(this.#lifetime, this.#selection, { kind: "state", key });
	}
}

function excluding(selection: Selection, connectionIds: readonly string[]): Selection {
	if (selection.kind === "client") {
		return { kind: "clients", connectionIds: [selection.connectionId], except: connectionIds };
	}
	return { ...selection, except: [...(selection.except ?? []), ...connectionIds] };
}

/** Every way to name clients from outside of an invocation (`hub.clients`). */
export class HubClients<Client extends object = ClientMethods> {
	readonly #lifetime: Lifetime;

	constructor(lifetime: Lifetime) {
		this.#lifetime = lifetime;
	}

	/** Every connected client. */
	get all(): ClientProxy<Client> {
		return this.#of({ kind: "all" });
	}

	/** One connection. */
	client(connectionId: string): ClientProxy<Client> {
		return this.#of({ kind: "client", connectionId });
	}

	/** Several connections, each once. */
	clients(connectionIds: readonly string[]): ClientProxy<Client> {
		return this.#of({ kind: "clients", connectionIds });
	}

	/** The members of a group. Names are compared exactly. */
	group(group: string): ClientProxy<Client> {
		return this.#of({ kind: "groups", groups: [group] });
	}

	/** The members of any of these groups, each once. */
	groups(groups: readonly string[]): ClientProxy<Client> {
		return this.#of({ kind: "groups", groups });
	}

	/** Every connection of a user. Ids are compared exactly. */
	user(userId: string): ClientProxy<Client> {
		return this.#of({ kind: "users", userIds: [userId] });
	}

	/** Every connection of these users, each once. */
	users(userIds: readonly string[]): ClientProxy<Client> {
		return this.#of({ kind: "users", userIds });
	}

	#of(selection: Selection): ClientProxy<Client> {
		return new ClientProxy(this.#lifetime, selection);
	}
}

/** The ways to name clients from within a connection's call: those of {@link HubClients}, and relative to the caller. */
export class CallerClients<Client extends object = ClientMethods> extends HubClients<Client> {
	readonly #callerId: string;

	constructor(lifetime: Lifetime, callerId: string) {
		super(lifetime);
		this.#callerId = callerId;
	}

	/** The connection that called. */
	get caller(): ClientProxy<Client> {
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

/** Group membership. It ends with the connection; unknown connections are passed over. */
export class Groups {
	readonly #lifetime: Lifetime;

	constructor(lifetime: Lifetime) {
		this.#lifetime = lifetime;
	}

	/** Adds a connection; twice is once. @throws TrunklineError ERR_LIMIT above `maxGroupsPerConnection`. */
	add(connectionId: string, group: string): Promise<void> {
		return this.#lifetime.join(connectionId, group);
	}

	remove(connectionId: string, group: string): Promise<void> {
		return this.#lifetime.leave(connectionId, group);
	}
}
