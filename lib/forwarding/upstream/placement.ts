import { type Clock, type Deferred, deferred, Fifo, type Log } from "../../base/index.js";
import { messageOf, TrunklineError } from "../../errors/index.js";
import {
	firstText,
	HubTarget,
	MessageType,
	type RawInvocation,
	type RawMessage,
	RESTORE_METHOD,
	vmIdRoot,
	vmIdRootType,
} from "../../protocols/index.js";
import { isAboutViewModel } from "../lost-message.js";
import type { AppSession } from "./app-session.js";
import { type ForwardedClient, NO_REPLAYS } from "./forwarded-client.js";
import { Pace } from "./pace.js";
import type { RemoteClient, Replay } from "./remote-client.js";
import type { Sessions } from "./sessions.js";

/** Clients that are moved or ended in one turn of the event loop: the others go on meanwhile. */
const CLIENTS_PER_TURN = 100;
/** Clients that are opened, and calls that are made again, before an app server is to deal with them. */
const CALLS_PER_BATCH = 100;
/** Clients that left, after which it is looked whether they still wait to be opened. */
const LEFT_PER_LOOK = 100;

/** What a placement needs. */
export interface PlacementHost {
	readonly log: Log;
	readonly clock: Clock;
	/** A client that was being moved has a home again, or has to wait for one: what it sent meanwhile may follow. */
	placed(client: ForwardedClient): void;
	/** A client that was being moved is ended: what it sent meanwhile is not delivered. */
	dismissed(client: ForwardedClient): void;
}

/** A client on its way from one app server to another. */
interface Move {
	/** App servers that have not let it go yet. */
	leaving: number;
	readonly over: Deferred<void>;
}

/** Finds a session for each client, opens it there, and moves it when that has to be. */
export class Placement {
	readonly #sessions: Sessions;
	readonly #host: PlacementHost;
	/** Clients that wait to be opened, or for what they had at an app server that is gone. */
	readonly #homeless = new Fifo<ForwardedClient>();
	readonly #moves = new Map<ForwardedClient, Move>();
	#turn: NodeJS.Immediate | undefined;
	readonly #pace: Pace;
	/** Which sessions there were when shared view models were looked at last. */
	#generation = 0;
	#isClosed = false;
	/** Clients that left since those who wait were looked at. */
	#left = 0;

	constructor(sessions: Sessions, host: PlacementHost) {
		this.#sessions = sessions;
		this.#host = host;
		this.#pace = new Pace(host.clock, () => this.#next());
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
		const known = owner && client.at(owner);
		if (known || !owner || owner.isDraining) return known;
		return this.#open(client, owner, false);
	}

	/** Sessions came or went: clients without a home get one, and shared view models their owner. */
	changed(): void {
		this.#next();
		for (const session of this.#sessions) if (session.isDraining) this.evacuate(session);
		if (this.#generation === this.#sessions.generation) return;
		this.#generation = this.#sessions.generation;
		if (this.#sessions.size > 1) for (const session of this.#sessions) this.#moveShared(session);
	}

	/** A session is over: nothing is waited for that it was to deal with. */
	over(session: AppSession): void {
		this.#pace.ended(session);
	}

	/** The clients of a session that is over are opened elsewhere, or ended where only they can make their state again. */
	resettle(remotes: readonly RemoteClient[], isReopening: boolean): void {
		const left: ForwardedClient[] = [];
		for (const remote of remotes) {
			const { client } = remote;
			client.replays = [...client.replays, ...remote.takeRetained()];
			if (!client.hasEnded) left.push(client);
		}
		if (!isReopening) this.dismiss(left);
		else for (const client of left) this.#homeless.push(client);
		for (const { client, isMoving } of remotes) {
			if (!isMoving) continue;
			if (!isReopening) this.#dismissNow(client);
			this.#arrived(client);
		}
		this.changed();
	}

	/** Ends clients with `allowReconnect`, some in each turn. */
	dismiss(clients: ForwardedClient[]): void {
		for (const { connection } of clients.splice(0, CLIENTS_PER_TURN)) connection.close(undefined, true);
		if (clients.length > 0) setImmediate(() => this.dismiss(clients));
	}

	/** What it has sent while it was to be moved did not happen: its Close says so. */
	#dismissNow(client: ForwardedClient): void {
		if (client.hasEnded) return;
		client.connection.close(undefined, true);
		this.#host.dismissed(client);
	}

	/** The app server stops: each of its clients finishes there what it began, and goes elsewhere. */
	evacuate(session: AppSession): void {
		const remotes = [...session.clients.values()];
		const some = (): void => {
			for (const remote of remotes.splice(0, CLIENTS_PER_TURN)) this.#move(remote);
			if (remotes.length > 0) setImmediate(some);
		};
		some();
	}

	/** The app server is done with a client that was moved. */
	moved(remote: RemoteClient, isReopening: boolean): void {
		const { client } = remote;
		client.before = "migrated";
		client.replays = [...client.replays, ...remote.takeRetained()];
		if (!isReopening) this.#dismissNow(client);
		if (remote.isMoving) this.#arrived(client);
		else if (!this.#resume(client)) this.#homeless.push(client);
	}

	/** The client goes to another proxy; resolves when its app servers have told all that this one is to know. */
	async depart(client: ForwardedClient): Promise<void> {
		client.isLeaving = true;
		for (const remote of client.remotes) this.#move(remote);
		await this.settled(client);
	}

	/** A client is gone, and nothing of it is to be delivered: any number may come and go while there is no app server. */
	left(): void {
		this.#left++;
		if (this.#left < LEFT_PER_LOOK || this.#left * 2 < this.#homeless.length) return;
		this.#left = 0;
		const staying = [...this.#homeless].filter((client) => !isOver(client));
		this.#homeless.clear();
		this.#homeless.unshift(staying);
	}

	/** Resolves when a client that is being moved is there; undefined where it is not being moved. */
	settled(client: ForwardedClient): Promise<void> | undefined {
		return this.#moves.get(client)?.over.promise;
	}

	/** Opens and moves nobody any more. */
	close(): void {
		this.#isClosed = true;
		this.clear();
	}

	/** Forgets who waits, and who is being moved; who comes later has a place as before. */
	clear(): void {
		this.#homeless.clear();
		this.#pace.clear();
		if (this.#turn) clearImmediate(this.#turn);
		this.#turn = undefined;
		for (const [client] of this.#moves) this.#release(client);
	}

	#home(client: ForwardedClient): RemoteClient | undefined {
		if (client.home || client.refusal) return client.home;
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
			const { connectionId } = client.connection;
			const code = err instanceof TrunklineError ? err.code : "ERR_SERIALIZATION";
			const reason = `Its headers, address and claims cannot be told to an app server: ${messageOf(err)}`;
			client.refusal = { code, reason };
			this.#host.log.warn({ connectionId, code, reason }, "A client cannot be forwarded; it is closed.");
			client.connection.close("The connection could not be forwarded.");
			return undefined;
		}
	}

	/** Opens a client that has no home, and asks for what it had; false where it has to wait for one of both. */
	#resume(client: ForwardedClient): boolean {
		const { connection, hasEnded, isLeaving } = client;
		if (isLeaving) return true;
		// What an ended one has sent before is still to be delivered, behind what that needs.
		if ((hasEnded || connection.isEnded) && !client.parked?.length && client.waiting === 0) return true;
		return this.#home(client) !== undefined && this.#replay(client);
	}

	/** Asks again for what the client had, before anything new of it follows; false where some of it has to wait. */
	#replay(client: ForwardedClient): boolean {
		const { replays } = client;
		client.replays = NO_REPLAYS;
		for (const [at, [key, call]] of replays.entries()) {
			const remote = this.placeFor(client, call);
			if (!remote) {
				client.replays = [...client.replays, ...replays.slice(at)];
				return false;
			}
			// Until the app server has said so itself: it may go away before.
			remote.retained.set(key, call);
			this.#ask(remote, call, () => {});
		}
		return true;
	}

	/** Makes a call of the proxy's own. */
	#ask(remote: RemoteClient, call: RawInvocation, settled: () => void): void {
		const invocationId = remote.ask(settled);
		try {
			remote.session.send(remote, { ...call, invocationId });
		} catch (err) {
			this.#host.log.warn({ err }, "What a client had at an app server cannot be asked for again.");
			remote.take(invocationId)?.completer.complete();
		}
	}

	/** Opens some of those that wait; the others in a later turn, at the pace of those who take them. */
	#next(): void {
		if (this.#turn || this.#pace.isFull || this.#isClosed) return;
		const sessions = new Set<AppSession>();
		let isGoingOn = true;
		for (let calls = 0; isGoingOn && calls < CALLS_PER_BATCH; ) {
			const client = this.#homeless.first;
			calls += 1 + (client?.replays.length ?? 0);
			isGoingOn = client !== undefined && this.#isSettled(client);
			if (isGoingOn) this.#homeless.shift();
			if (isGoingOn && client?.home) sessions.add(client.home.session);
		}
		this.#pace.sent(sessions);
		if (isGoingOn) this.#plan();
	}

	#plan(): void {
		this.#turn ??= setImmediate(() => {
			this.#turn = undefined;
			this.#next();
		});
	}

	/** Whether a client needs to wait no more. */
	#isSettled(client: ForwardedClient): boolean {
		return this.#moves.has(client) || this.#resume(client) || client.connection.isEnded;
	}

	/** What the client sends from now on waits until it is there. */
	#move(remote: RemoteClient): void {
		const { client, session } = remote;
		if (client.hasEnded || remote.isMoving || session.clients.get(remote.number) !== remote) return;
		remote.isMoving = true;
		this.#departs(client);
		session.close(remote, { kind: "migrated" });
	}

	#departs(client: ForwardedClient): void {
		const move = this.#moves.get(client);
		client.parked ??= [];
		if (move) move.leaving++;
		else this.#moves.set(client, { leaving: 1, over: deferred() });
	}

	/** One app server has let the client go. */
	#arrived(client: ForwardedClient): void {
		const move = this.#moves.get(client);
		if (!move || --move.leaving > 0) return;
		// Many may come at once: one that has nothing to say is opened in its turn, the others by what they have said.
		if (client.remotes.length === 0 && !client.isLeaving) {
			this.#homeless.push(client);
			this.#plan();
		} else if (!this.#resume(client)) this.#homeless.push(client);
		this.#release(client);
	}

	#release(client: ForwardedClient): void {
		const move = this.#moves.get(client);
		this.#moves.delete(client);
		this.#host.placed(client);
		move?.over.resolve();
	}

	#sharedRootOf(call: RawMessage): string | undefined {
		if (call.type !== MessageType.Invocation) return undefined;
		if (!isAboutViewModel(call.target) && call.target !== RESTORE_METHOD) return undefined;
		const vmId = firstText(call.encoding, call.arguments);
		return vmId !== undefined && this.#sessions.isShared(vmIdRootType(vmId)) ? vmIdRoot(vmId) : undefined;
	}

	/** Shared view models whose owner is another now move to it with all their clients. */
	#moveShared(session: AppSession): void {
		if (session.isDraining) return;
		for (const remote of session.clients.values()) {
			const { client, hasRetained } = remote;
			if (!hasRetained || client.hasEnded || remote.isMoving) continue;
			const moving = [...remote.retained].filter(([vmId]) => this.#isElsewhere(vmId, session));
			if (moving.length === 0) continue;
			const isAll = moving.length === remote.retained.size && client.home !== remote;
			if (isAll) this.#move(remote);
			else void this.#moveSome(remote, moving);
		}
	}

	#isElsewhere(vmId: string, session: AppSession): boolean {
		if (!this.#sessions.isShared(vmIdRootType(vmId))) return false;
		const owner = this.#sessions.ownerOf(vmIdRoot(vmId));
		return owner !== undefined && owner !== session;
	}

	/** What the former owner still sends must not come behind the state of the new one: first it lets go. */
	async #moveSome(remote: RemoteClient, moving: readonly Replay[]): Promise<void> {
		const { client, retained } = remote;
		this.#departs(client);
		const disposals = moving.map(([vmId]) => {
			retained.delete(vmId);
			return new Promise<void>((resolve) => this.#ask(remote, disposal(vmId), resolve));
		});
		await Promise.all(disposals);
		client.replays = [...client.replays, ...moving];
		if (!this.#isClosed) this.#arrived(client);
	}
}

/** Whether a client is gone, and all that it has sent is delivered. */
function isOver({ hasEnded, parked, waiting }: ForwardedClient): boolean {
	return hasEnded && !parked?.length && waiting === 0;
}

/** Tells an app server that a view model is not wanted there any more. */
function disposal(vmId: string): RawInvocation {
	return {
		...{ type: MessageType.Invocation, encoding: "json", target: HubTarget.Dispose },
		arguments: Buffer.from(JSON.stringify([vmId])),
		...{ invocationId: undefined, streamIds: undefined, headers: undefined },
	};
}
