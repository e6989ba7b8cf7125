import { type Deferred, deferred, Fifo, type Log } from "../../base/index.js";
import {
	firstText,
	HubTarget,
	MessageType,
	type RawInvocation,
	type RawMessage,
	vmIdRoot,
	vmIdRootType,
} from "../../protocols/index.js";
import { isAboutViewModel } from "../proxy-end/forwarded-message.js";
import type { AppSession } from "./app-session.js";
import type { ForwardedClient } from "./forwarded-client.js";
import type { RemoteClient } from "./remote-client.js";
import type { Sessions } from "./sessions.js";

/** Clients that are opened, moved or ended in one turn of the event loop: the others go on meanwhile. */
const CLIENTS_PER_TURN = 100;

/** What a placement needs. */
export interface PlacementHost {
	readonly log: Log;
	/** A client that was being moved has a home again, or has to wait for one: what it sent meanwhile may follow. */
	placed(client: ForwardedClient): void;
}

/** Finds a session for each client, opens it there, and moves it when that has to be. */
export class Placement {
	readonly #sessions: Sessions;
	readonly #host: PlacementHost;
	/** Clients that wait to be opened. */
	readonly #homeless = new Fifo<ForwardedClient>();
	readonly #moves = new Map<ForwardedClient, Deferred<void>>();
	#turn: NodeJS.Immediate | undefined;

	constructor(sessions: Sessions, host: PlacementHost) {
		this.#sessions = sessions;
		this.#host = host;
	}

	/** Opens a client, now or as soon as there is a session. */
	settle(client: ForwardedClient): void {
		if (!this.#home(client)) this.#homeless.push(client);
	}

	/** Where a call goes: the client's home, or the owner of the shared view model that it is about. */
	placeFor(client: ForwardedClient, call: RawMessage): RemoteClient | undefined {
		const home = client.home ?? this.#home(client);
		if (!home || this.#sessions.size === 1) return home;
		const root = this.#sharedRootOf(call);
		if (root === undefined) return home;
		const owner = this.#sessions.ownerOf(root);
		return owner && (client.at(owner) ?? this.#open(client, owner, false));
	}

	/** Sessions came or went: clients without a home get one, and shared view models their owner. */
	changed(): void {
		this.#next();
		for (const session of this.#sessions) if (session.isDraining) this.evacuate(session);
		if (this.#sessions.size > 1) for (const session of this.#sessions) this.#moveShared(session);
	}

	/** A session is over: its clients are opened elsewhere, or ended where only they can make their state again. */
	resettle(remotes: readonly RemoteClient[], isReopening: boolean): void {
		const left: ForwardedClient[] = [];
		for (const remote of remotes) {
			const { client } = remote;
			client.replays = [...client.replays, ...remote.takeRetained()];
			this.#release(client);
			if (!client.hasEnded) left.push(client);
		}
		if (!isReopening) this.dismiss(left);
		else for (const client of left) this.#homeless.push(client);
		this.changed();
	}

	/** Ends clients with `allowReconnect`, some in each turn. */
	dismiss(clients: ForwardedClient[]): void {
		for (const { connection } of clients.splice(0, CLIENTS_PER_TURN)) connection.close(undefined, true);
		if (clients.length > 0) setImmediate(() => this.dismiss(clients));
	}

	/** The app server stops: each of its clients finishes there what it began, and goes elsewhere. */
	evacuate(session: AppSession): void {
		const remotes = [...session.clients.values()].filter(({ client }) => !client.parked && !client.hasEnded);
		const some = (): void => {
			for (const remote of remotes.splice(0, CLIENTS_PER_TURN)) this.#move(remote);
			if (remotes.length > 0) setImmediate(some);
		};
		some();
	}

	/** The app server is done with a client that was moved. */
	moved(remote: RemoteClient, isReopening: boolean): void {
		const { client } = remote;
		client.wasOpen = true;
		client.replays = [...client.replays, ...remote.takeRetained()];
		if (!client.hasEnded && !isReopening) client.connection.close(undefined, true);
		else if (!client.hasEnded && !this.#home(client)) this.#homeless.push(client);
		this.#release(client);
	}

	/** Resolves when a client that is being moved is there; undefined where it is not being moved. */
	settled(client: ForwardedClient): Promise<void> | undefined {
		return this.#moves.get(client)?.promise;
	}

	clear(): void {
		this.#homeless.clear();
		if (this.#turn) clearImmediate(this.#turn);
		this.#turn = undefined;
		for (const [client] of this.#moves) this.#release(client);
	}

	#home(client: ForwardedClient): RemoteClient | undefined {
		if (client.home) return client.home;
		const session = this.#sessions.homeFor(client.connection.connectionId);
		if (!session || session.isDraining) return undefined;
		const guest = client.at(session);
		if (guest) client.joined(guest, true);
		return guest ?? this.#open(client, session, true);
	}

	#open(client: ForwardedClient, session: AppSession, isHome: boolean): RemoteClient | undefined {
		try {
			const remote = session.open(client);
			client.joined(remote, isHome);
			this.#replay(client);
			return remote;
		} catch (err) {
			this.#host.log.warn({ err }, "A client cannot be described to an app server; it is closed.");
			client.connection.close("The connection could not be forwarded.");
			return undefined;
		}
	}

	/** Asks again for what the client had, before anything new of it follows. */
	#replay(client: ForwardedClient): void {
		const { replays } = client;
		if (replays.length === 0) return;
		client.replays = [];
		for (const call of replays) {
			const remote = this.placeFor(client, call);
			if (remote) remote.session.send(remote, call);
		}
	}

	/** Opens some of those that wait; the others in the next turn. */
	#next(): void {
		if (this.#turn) return;
		for (let placed = 0; placed < CLIENTS_PER_TURN; placed++) {
			const client = this.#homeless.first;
			if (!client) return;
			const isWaiting = !client.home && !client.hasEnded;
			if (isWaiting && !this.#home(client) && !client.hasEnded) return;
			this.#homeless.shift();
		}
		this.#turn = setImmediate(() => {
			this.#turn = undefined;
			this.#next();
		});
	}

	/** What the client sends from now on waits until it is there. */
	#move(remote: RemoteClient): void {
		const { client, session } = remote;
		if (client.hasEnded || client.parked || session.clients.get(remote.number) !== remote) return;
		client.parked = [];
		this.#moves.set(client, deferred());
		session.close(remote, { kind: "migrated" });
	}

	#release(client: ForwardedClient): void {
		if (!client.parked) return;
		this.#host.placed(client);
		this.#moves.get(client)?.resolve();
		this.#moves.delete(client);
	}

	#sharedRootOf(call: RawMessage): string | undefined {
		if (call.type !== MessageType.Invocation || !isAboutViewModel(call.target)) return undefined;
		const vmId = firstText(call.encoding, call.arguments);
		return vmId !== undefined && this.#sessions.isShared(vmIdRootType(vmId)) ? vmIdRoot(vmId) : undefined;
	}

	/** Shared view models whose owner is another now move to it with all their clients. */
	#moveShared(session: AppSession): void {
		if (session.sharedTypes.size === 0 || session.isDraining) return;
		for (const remote of session.clients.values()) {
			for (const [vmId, call] of remote.retained) {
				if (!this.#sessions.isShared(vmIdRootType(vmId))) continue;
				if (this.#sessions.ownerOf(vmIdRoot(vmId)) !== session) this.#moveCall(remote, vmId, call);
			}
		}
	}

	#moveCall(remote: RemoteClient, vmId: string, call: RawInvocation): void {
		remote.retained.delete(vmId);
		remote.session.send(remote, disposal(vmId));
		const owner = this.placeFor(remote.client, call);
		if (owner) owner.session.send(owner, call);
	}
}

/** Tells an app server that a view model is not wanted there any more. */
function disposal(vmId: string): RawInvocation {
	return {
		...{ type: MessageType.Invocation, encoding: "json", target: HubTarget.Dispose },
		arguments: Buffer.from(JSON.stringify([vmId])),
		...{ invocationId: undefined, streamIds: undefined, headers: undefined },
	};
}
