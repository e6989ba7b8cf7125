import { AsyncLocalStorage } from "node:async_hooks";
import { TrunklineError } from "../errors/index.js";
import type { ClientConnection } from "../hub/index.js";
import { declareFrameworkClass } from "./state/members.js";
import type { Tracker } from "./state/tracker.js";

/** A client as view models see it. The same for a client that connected directly and for one behind a proxy. */
export interface ViewModelClient {
	readonly connectionId: string;
	readonly user: ClientConnection["user"];
	/** The HTTP request that opened the connection: address, headers, query. */
	readonly request: ClientConnection["request"];
	/** A place for whatever belongs to this connection. */
	readonly items: Map<string, unknown>;
	/** The client's latest `$headers`. */
	readonly headers: Readonly<Record<string, unknown>>;
	/** `$vmArg` of the request that is being answered; empty otherwise. */
	readonly vmArg: Readonly<Record<string, unknown>>;
}

/** A direct send of a multicast view model. Precedence: `groupName`, `userIds`, `connectionIds`. */
export interface DirectSend {
	readonly groupName?: string;
	readonly userIds?: readonly string[];
	readonly connectionIds?: readonly string[];
	/** Connections that get nothing, whatever the others say. */
	readonly excludedConnectionIds?: readonly string[];
	/** What the clients merge into their state; the view model's own state is not touched. */
	readonly properties: Readonly<Record<string, unknown>>;
}

/** What holds a view model and sends for it. */
export interface ViewModelOwner {
	/** Sends what changed: of `viewModel` at once, of others of the same client by the end of the loop's turn. */
	push(viewModel: ViewModel): void;
	send(message: DirectSend): void;
}

/** The part of a view model that belongs to the framework; out of reach of subclasses and of the wire. */
export interface ViewModelCore {
	instanceId: string | undefined;
	client: ViewModelClient | undefined;
	owner: ViewModelOwner | undefined;
	tracker: Tracker | undefined;
}

/** What a view model being constructed is told before its fields are initialised. */
export type Creation = Pick<ViewModelCore, "instanceId" | "client">;

let creation: Creation | undefined;

/** Runs a constructor or factory so that the view model knows its client and instance id from its first field on. */
export function construct<T>(forWhom: Creation, make: () => T): T {
	const outer = creation;
	creation = forWhom;
	try {
		return make();
	} finally {
		creation = outer;
	}
}

/** The client whose message is being handled by a multicast view model. */
export const acting: AsyncLocalStorage<ViewModelClient> = new AsyncLocalStorage();

let readCore: (viewModel: ViewModel) => ViewModelCore;

/**
 * A view model: one instance per client and id. Own fields, and getters, setters and methods of subclasses, can be
 * reached by the client; `#private`, names that start with `_` and `static hidden` cannot. Write fields as you like:
 * what changed is found out by itself after each message of the client; at any other time call {@link pushUpdates}.
 *
 * Statics that a subclass may declare: `hidden: string[]`, `itemKeys: { List: "KeyField" }`, `commands: string[]` (methods
 * listed in the state as null), `authorize: true | ((client) => boolean | Promise<boolean>)`.
 */
export abstract class ViewModel {
	readonly #core: ViewModelCore = {
		instanceId: creation?.instanceId,
		client: creation?.client,
		owner: undefined,
		tracker: undefined,
	};

	static {
		readCore = (viewModel) => viewModel.#core;
	}

	/** What stands after `$` in the id: `7` of `Chat$7`. */
	get instanceId(): string | undefined {
		return this.#core.instanceId;
	}

	/**
	 * The client that this view model is for. Of a multicast view model: the one whose message is being handled.
	 * @throws TrunklineError ERR_VIEW_MODEL where there is none (constructed by hand, or outside of a message).
	 */
	get connection(): ViewModelClient {
		const client = this.#core.client ?? acting.getStore();
		if (client) return client;
		throw new TrunklineError(
			"ERR_VIEW_MODEL",
			`${this.constructor.name}.connection was read where no client is acting; use caller, which may be undefined.`,
		);
	}

	/** The client's latest `$headers`; @see {@link connection}. */
	get headers(): Readonly<Record<string, unknown>> {
		return this.connection.headers;
	}

	/**
	 * Sends what changed: of this view model now, and of all others of the same client by the end of the event loop's
	 * turn (now, unless very many were looked at in this turn already).
	 */
	pushUpdates(): void {
		this.#core.owner?.push(this);
	}

	/** Has members sent with the next push although their values are the same. */
	changed(...names: readonly string[]): void {
		for (const name of names) this.#core.tracker?.force(name);
	}

	/**
	 * Adds one item, or several, at the end of a list that clients see, and sends just that with the next push.
	 * @throws TrunklineError ERR_VIEW_MODEL where `list` is no list.
	 */
	addList(list: string, item: unknown): void {
		this.#changeList("add", list, item);
	}

	/** Merges one item, or several, into those with the same key (`static itemKeys`). @see {@link addList} */
	updateList(list: string, item: unknown): void {
		this.#changeList("update", list, item);
	}

	/** Removes the item with this key, or those with these keys (`static itemKeys`). @see {@link addList} */
	removeList(list: string, key: unknown): void {
		this.#changeList("remove", list, key);
	}

	/** Awaited before the first state is sent; `$vmArg` is in place already. */
	onCreated(): void | Promise<void> {}

	/**
	 * What is to be kept of this view model where another server takes its client over (a deploy): anything that JSON can
	 * hold, up to about 16 KB; undefined for nothing. Called when all that the client sent before is done. Only for view
	 * models of one client, behind a proxy with native links.
	 */
	snapshot?(): unknown;

	/** Called with what {@link snapshot} gave, at the server that took over, before the first state is sent. */
	restore?(state: unknown): void | Promise<void>;

	/** Called once when nobody uses this view model any more. Stop timers here. */
	dispose(): void | Promise<void> {}

	/** A client's update named something that is not there. By default nothing happens. */
	onUnresolvedUpdate(_path: string, _value: unknown): void | Promise<void> {}

	/** May supply the view model for an id inside this one; `undefined`: the registered class. */
	getSubViewModel(_type: string, _instanceId: string | undefined): ViewModel | undefined {
		return undefined;
	}

	/** A view model inside this one is there; its first state was not sent yet. */
	onSubViewModelCreated(_viewModel: ViewModel): void | Promise<void> {}

	/** A view model inside this one is about to be disposed. */
	onSubViewModelDisposing(_viewModel: ViewModel): void {}

	#changeList(operation: "add" | "update" | "remove", list: string, argument: unknown): void {
		const { tracker } = this.#core;
		if (tracker) tracker.changeList(list, operation, argument);
		else
			throw new TrunklineError(
				"ERR_VIEW_MODEL",
				`${list} was changed in a constructor; assign the field instead.`,
			);
	}
}

/** The framework's part of a view model. */
export function coreOf(viewModel: ViewModel): ViewModelCore {
	return readCore(viewModel);
}

/**
 * A view model that its clients share: one instance per id and group name. It is disposed with its last member. Its
 * methods run one client's message at a time; {@link caller} tells whose.
 */
export abstract class MulticastViewModel extends ViewModel {
	/**
	 * The group of a client. Clients whose names differ get different instances; a name that is not empty also makes
	 * the members a group of the hub. Called on existing instances for each new client, so depend on `client` and
	 * `instanceId` only.
	 */
	groupName(_client: ViewModelClient): string | undefined {
		return undefined;
	}

	/** The client whose message is being handled; `undefined` in timers that no message started. */
	get caller(): ViewModelClient | undefined {
		return acting.getStore();
	}

	/** Sends properties to some clients without touching the state that all share. */
	send(message: DirectSend): void {
		coreOf(this).owner?.send(message);
	}

	/** A client has got its first state and is a member from now on. */
	onMemberJoined(_client: ViewModelClient): void | Promise<void> {}

	/** A member is gone; what is pushed here reaches those that stay. */
	onMemberLeft(_client: ViewModelClient): void | Promise<void> {}
}

declareFrameworkClass(ViewModel);
declareFrameworkClass(MulticastViewModel);

/** Who may use a view model: any known user (`true`), or those that the function says yes to. */
export type Authorization = true | ((client: ViewModelClient) => boolean | Promise<boolean>);

/** A class of view models. */
export interface ViewModelClass {
	new (instanceId?: string): ViewModel;
	readonly hidden?: readonly string[];
	readonly itemKeys?: Readonly<Record<string, string>>;
	readonly commands?: readonly string[];
	readonly authorize?: Authorization;
}

/** Whether a client may use view models of a class. */
export function mayUse(client: ViewModelClient, { authorize }: ViewModelClass): boolean | Promise<boolean> {
	if (authorize === undefined) return true;
	return authorize === true ? client.user !== undefined : authorize(client);
}

/** Makes a view model where a class alone does not do: `(instanceId) => new Orders(database, instanceId)`. */
export type ViewModelFactory = (instanceId: string | undefined, client: ViewModelClient) => ViewModel;

/** How a view model is made: by its class, or by a function. */
export type ViewModelSource = ViewModelClass | ViewModelFactory;

/** Names that clients use, and what they stand for. */
export type ViewModelSources = Readonly<Record<string, ViewModelSource>>;

/** Whether a source is a class of view models. */
export function isViewModelClass(source: ViewModelSource): source is ViewModelClass {
	return source.prototype instanceof ViewModel;
}

/** Whether a source is a class of view models that clients share. */
export function isMulticastClass(source: ViewModelSource): boolean {
	return source.prototype instanceof MulticastViewModel;
}
