import { TrunklineError } from "../../errors/index.js";
import {
	type ClientCall,
	type ClientResultOptions,
	type ClientResults,
	unknownConnection,
} from "../streams/client-results.js";
import type { ClientConnection } from "./client-connection.js";
import type { Carrier } from "./client-wire.js";
import type { Lifetime } from "./lifetime.js";
import type { PreparedMessage } from "./prepared-message.js";
import type { Selection } from "./selection.js";

type Members = Map<string, ClientConnection>;

/** Knows the clients of this process. */
export class MemoryLifetime implements Lifetime {
	readonly #clients: Members = new Map();
	readonly #groups = new Map<string, Members>();
	readonly #users = new Map<string, Members>();
	/** How many clients each carrier has here. */
	readonly #carriers = new Map<Carrier, number>();
	readonly #maxGroupsPerConnection: number;
	readonly #results: ClientResults;

	constructor(maxGroupsPerConnection: number, results: ClientResults) {
		this.#maxGroupsPerConnection = maxGroupsPerConnection;
		this.#results = results;
	}

	get size(): number {
		return this.#clients.size;
	}

	[Symbol.iterator](): Iterator<ClientConnection> {
		return this.#clients.values();
	}

	add(client: ClientConnection): void {
		this.#clients.set(client.connectionId, client);
		if (client.user?.id !== undefined) addMember(this.#users, client.user.id, client);
		const { carrier } = client.wire;
		if (carrier) this.#carriers.set(carrier, (this.#carriers.get(carrier) ?? 0) + 1);
	}

	remove(client: ClientConnection): void {
		if (this.#clients.get(client.connectionId) !== client) return;
		this.#clients.delete(client.connectionId);
		if (client.user?.id !== undefined) removeMember(this.#users, client.user.id, client);
		for (const group of client.groups) removeMember(this.#groups, group, client);
		client.groups.clear();
		this.#forgetCarrier(client.wire.carrier);
	}

	get(connectionId: string): ClientConnection | undefined {
		return this.#clients.get(connectionId);
	}

	async ask(connectionId: string, call: ClientCall, options: ClientResultOptions): Promise<unknown> {
		const client = this.#clients.get(connectionId);
		if (!client) throw unknownConnection(connectionId);
		return this.#results.ask(client, call, options);
	}

	async join(connectionId: string, group: string): Promise<void> {
		const client = this.#clients.get(connectionId);
		if (!client || client.groups.has(group)) return;
		if (client.groups.size >= this.#maxGroupsPerConnection) {
			throw new TrunklineError(
				"ERR_LIMIT",
				`Connection is in ${client.groups.size} groups, the most that maxGroupsPerConnection allows.`,
			);
		}
		client.groups.add(group);
		addMember(this.#groups, group, client);
		client.wire.carrier?.joined(client, group);
	}

	async leave(connectionId: string, group: string): Promise<void> {
		const client = this.#clients.get(connectionId);
		if (!client?.groups.delete(group)) return;
		removeMember(this.#groups, group, client);
		client.wire.carrier?.left(client, group);
	}

	async send(selection: Selection, message: PreparedMessage): Promise<void> {
		const carried = new Map<Carrier, ClientConnection[]>();
		// Only the other end knows the users of a carrier's clients for sure, so each carrier is asked.
		if (selection.kind === "users") for (const carrier of this.#carriers.keys()) carried.set(carrier, []);
		const failures: unknown[] = [];
		for (const client of this.#members(selection)) {
			const { carrier } = client.wire;
			if (!carrier) attempt(() => client.sendPrepared(message), failures);
			else listOf(carried, carrier).push(client);
		}
		for (const [carrier, members] of carried)
			attempt(() => carrier.send(selection, members, message), failures);
		if (failures.length > 0) throw failures[0];
	}

	#members(selection: Selection): Iterable<ClientConnection> {
		if (selection.kind === "client") return this.#known([selection.connectionId]);
		const except = selection.except?.length ? new Set(selection.except) : undefined;
		switch (selection.kind) {
			case "all":
				return without(this.#clients.values(), except);
			case "clients":
				return without(this.#known(new Set(selection.connectionIds)), except);
			case "groups":
				return without(union(this.#groups, selection.groups), except);
			case "users":
				return without(union(this.#users, selection.userIds), except);
		}
	}

	*#known(connectionIds: Iterable<string>): Iterable<ClientConnection> {
		for (const id of connectionIds) {
			const client = this.#clients.get(id);
			if (client) yield client;
		}
	}

	#forgetCarrier(carrier: Carrier | undefined): void {
		if (!carrier) return;
		const count = this.#carriers.get(carrier) ?? 0;
		if (count > 1) this.#carriers.set(carrier, count - 1);
		else this.#carriers.delete(carrier);
	}
}

/** What one client's protocol cannot write, another's can: nobody goes without for the sake of others. */
function attempt(send: () => void, failures: unknown[]): void {
	try {
		send();
	} catch (thrown) {
		if (failures.length === 0) failures.push(thrown);
	}
}

function addMember(index: Map<string, Members>, name: string, client: ClientConnection): void {
	let members = index.get(name);
	if (!members) {
		members = new Map();
		index.set(name, members);
	}
	members.set(client.connectionId, client);
}

function removeMember(index: Map<string, Members>, name: string, client: ClientConnection): void {
	const members = index.get(name);
	if (members?.delete(client.connectionId) && members.size === 0) index.delete(name);
}

/** The members of one or several names, each once. */
function union(index: Map<string, Members>, names: readonly string[]): Iterable<ClientConnection> {
	if (names.length === 1) return index.get(names[0] as string)?.values() ?? [];
	const all = new Set<ClientConnection>();
	for (const name of names) for (const client of index.get(name)?.values() ?? []) all.add(client);
	return all;
}

function* without(
	clients: Iterable<ClientConnection>,
	except: ReadonlySet<string> | undefined,
): Iterable<ClientConnection> {
	for (const client of clients) if (!except?.has(client.connectionId)) yield client;
}

function listOf<K, V>(lists: Map<K, V[]>, key: K): V[] {
	let list = lists.get(key);
	if (!list) {
		list = [];
		lists.set(key, list);
	}
	return list;
}
