import { Arguments, type InvocationMessage, MessageType } from "../../protocols/index.js";
import type { ClientResultOptions } from "../streams/client-results.js";
import type { Lifetime } from "./lifetime.js";
import { type Delivery, PreparedMessage } from "./prepared-message.js";
import type { Selection } from "./selection.js";

/** What clients can be asked to run: names and parameter lists. Give your own as `createHub<MyClient>()`. */
export type ClientMethods = Record<string, (...args: readonly unknown[]) => unknown>;

/** The parameters of one client method. */
export type ClientArguments<Client, Target extends keyof Client> = Client[Target] extends (
	...args: infer Args
) => unknown
	? Args extends readonly unknown[]
		? Args
		: never
	: never;

/** What one client method answers. */
export type ClientAnswer<Client, Target extends keyof Client> = Client[Target] extends (
	...args: never[]
) => infer Result
	? Awaited<Result>
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

	/**
	 * The same clients; what is sent is the newest state of something. A client that reads too slowly for all of it gets the
	 * newest message with this key when it has room.
	 */
	state(key: string): ClientProxy<Client> {
		return new ClientProxy(this.#lifetime, this.#selection, { kind: "state", key });
	}
}

/** One client: it can also be asked for a result. */
export class SingleClientProxy<Client extends object = ClientMethods> extends ClientProxy<Client> {
	readonly #lifetime: Lifetime;
	readonly #connectionId: string;
	readonly #options: AskingOptions;

	constructor(lifetime: Lifetime, connectionId: string, options: AskingOptions = {}) {
		super(lifetime, { kind: "client", connectionId });
		this.#lifetime = lifetime;
		this.#connectionId = connectionId;
		this.#options = options;
	}

	/**
	 * Calls `target` on this client and waits for what it answers. The method that asks gives its slot up: other
	 * invocations of its own client may run meanwhile.
	 * @throws HubException with the client's text, where its handler failed or there is none
	 * @throws TrunklineError ERR_CLIENT_GONE (no such connection, or it went), ERR_CLIENT_RESULT_TIMEOUT, ERR_CLIENT_RESULT
	 * (asked while its connected listener runs), ERR_LIMIT, ERR_FORWARD_UNSUPPORTED (held by a proxy over dotNetify's wire);
	 * the signal's reason, where that is aborted
	 */
	async invoke<Target extends keyof Client & string>(
		target: Target,
		...args: ClientArguments<Client, Target>
	): Promise<ClientAnswer<Client, Target>> {
		this.#options.asking?.();
		const call = { target, args };
		const answer = await this.#lifetime.ask(this.#connectionId, call, this.#options);
		return answer as ClientAnswer<Client, Target>;
	}

	/** The same client, with another time limit, or a signal that gives up waiting. */
	with(options: ClientResultOptions): SingleClientProxy<Client> {
		return new SingleClientProxy(this.#lifetime, this.#connectionId, { ...this.#options, ...options });
	}
}

/** How a client is asked; `asking` is called first. */
export interface AskingOptions extends ClientResultOptions {
	readonly asking?: (() => void) | undefined;
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
	readonly #asking: (() => void) | undefined;

	/** `asking` is called before a client is asked for a result. */
	constructor(lifetime: Lifetime, asking?: () => void) {
		this.#lifetime = lifetime;
		this.#asking = asking;
	}

	/** Every connected client. */
	get all(): ClientProxy<Client> {
		return this.#of({ kind: "all" });
	}

	/** One connection, which can also be asked for a result. */
	client(connectionId: string): SingleClientProxy<Client> {
		return new SingleClientProxy(this.#lifetime, connectionId, { asking: this.#asking });
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
