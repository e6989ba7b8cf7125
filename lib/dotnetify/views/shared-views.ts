import type { Selection } from "../../hub/index.js";
import { jsonText } from "../state/data.js";
import type { SentValue } from "../state/update.js";
import {
	acting,
	coreOf,
	type DirectSend,
	type MulticastViewModel,
	type ViewModelClient,
	type ViewModelOwner,
	type ViewModelSource,
} from "../view-model.js";
import { Instance, type ViewModelHost } from "./instance.js";

/** One multicast view model with its members. */
export class SharedView implements ViewModelOwner {
	readonly instance: Instance;
	readonly groupName: string;
	readonly #viewModel: MulticastViewModel;
	readonly #host: ViewModelHost;
	readonly #onEmpty: () => void;
	/** Everyone who keeps it alive; those that have requested it themselves are members and get what is pushed. */
	readonly #holders = new Set<ViewModelClient>();
	readonly #members = new Map<string, ViewModelClient>();
	#ready: Promise<void> | undefined;
	#tail: Promise<unknown> = Promise.resolve();

	constructor(vmId: string, viewModel: MulticastViewModel, context: SharedViewContext) {
		this.instance = new Instance(vmId, viewModel, context.host);
		// A factory ran for its first client, but nobody in particular owns it.
		coreOf(viewModel).client = undefined;
		this.groupName = context.groupName;
		this.#viewModel = viewModel;
		this.#host = context.host;
		this.#onEmpty = context.onEmpty;
	}

	/** Whether a client belongs to this instance and not to another one of the same id. */
	fits(client: ViewModelClient): boolean {
		return (acting.run(client, () => this.#viewModel.groupName(client)) ?? "") === this.groupName;
	}

	/** Keeps the instance alive for `client`, if it may have it, and waits for its creation, which the first one starts. */
	async hold(
		client: ViewModelClient,
		vmArg: ViewModelClient["vmArg"],
		authorize: () => Promise<void>,
	): Promise<void> {
		this.#holders.add(client);
		try {
			await authorize();
			this.#ready ??= acting.run(client, () => this.instance.create(this, vmArg));
			await this.#ready;
		} catch (thrown) {
			this.release(client);
			throw thrown;
		}
	}

	/** The full state for `client`. What the members do not know yet is sent to them first, so that all know the same. */
	stateFor(client: ViewModelClient): string {
		if (this.#members.size > (this.#members.has(client.connectionId) ? 1 : 0)) this.push();
		return this.instance.tracker.fullState();
	}

	/** `client` has its first state: from here on it gets what is pushed. */
	join(client: ViewModelClient): void {
		if (this.#members.has(client.connectionId)) return;
		this.#members.set(client.connectionId, client);
		if (this.groupName) this.#host.join(client.connectionId, this.groupName);
		acting.run(client, () =>
			this.instance.attempt("onMemberJoined", () => this.#viewModel.onMemberJoined(client)),
		);
	}

	/** Handles an update of one member; the others get every change. One update at a time. */
	async update(client: ViewModelClient, sent: readonly SentValue[]): Promise<void> {
		const run = this.#tail.then(() => acting.run(client, () => this.#update(client, sent)));
		this.#tail = run.catch(() => {});
		await run;
	}

	async #update(client: ViewModelClient, sent: readonly SentValue[]): Promise<void> {
		if (this.instance.isDisposed) return;
		await this.instance.apply(sent);
		const changes = this.instance.takeChanges();
		const actor: Selection = { kind: "client", connectionId: client.connectionId };
		this.instance.respond(actor, this.instance.reaction(changes, sent));
		const others = this.#selection([client.connectionId]);
		if (others) this.instance.respond(others, this.instance.messages(changes));
	}

	/** Sends what changed to all members. */
	push(): void {
		const everyone = this.#selection([]);
		if (!everyone || this.instance.isDisposed) return;
		this.instance.respond(everyone, this.instance.messages(this.instance.takeChanges()));
	}

	send({ groupName, userIds, connectionIds, excludedConnectionIds, properties }: DirectSend): void {
		const except = excludedConnectionIds?.length ? { except: excludedConnectionIds } : {};
		const text = jsonText(properties);
		const respond = (selection: Selection): void =>
			this.#host.respond(selection, this.instance.vmId, { text });
		if (groupName) respond({ kind: "groups", groups: [groupName], ...except });
		else if (userIds) respond({ kind: "users", userIds, ...except });
		else if (connectionIds) respond({ kind: "clients", connectionIds, ...except });
	}

	/** `client` is done with it; after the last one it is disposed. */
	release(client: ViewModelClient): void {
		const wasMember = this.#members.delete(client.connectionId);
		if (!this.#holders.delete(client)) return;
		if (wasMember) {
			acting.run(client, () =>
				this.instance.attempt("onMemberLeft", () => this.#viewModel.onMemberLeft(client)),
			);
		}
		if (this.#holders.size > 0) return;
		this.#onEmpty();
		this.instance.dispose();
	}

	/** All members but some; `undefined` where that is nobody. A group is addressed by its name, also when nobody is left. */
	#selection(except: readonly string[]): Selection | undefined {
		const exclusion = except.length ? { except } : {};
		if (this.groupName) return { kind: "groups", groups: [this.groupName], ...exclusion };
		const connectionIds = [...this.#members.keys()].filter((id) => !except.includes(id));
		return connectionIds.length > 0 ? { kind: "clients", connectionIds } : undefined;
	}
}

/** What a {@link SharedView} is made with. */
export interface SharedViewContext {
	readonly host: ViewModelHost;
	readonly groupName: string;
	/** The last holder has left. */
	onEmpty(): void;
}

/** What the view models of one client need of those of the whole hub. */
export interface ViewModelRegistry {
	readonly host: ViewModelHost;
	readonly shared: SharedViews;
	source(type: string, namespace: string | undefined): ViewModelSource | undefined;
}

/** All multicast view models of a hub, by id and group name. */
export class SharedViews {
	readonly #host: ViewModelHost;
	readonly #byVmId = new Map<string, Set<SharedView>>();

	constructor(host: ViewModelHost) {
		this.#host = host;
	}

	/** The instance that a client belongs to, where it is there already. */
	find(vmId: string, client: ViewModelClient): SharedView | undefined {
		for (const view of this.#byVmId.get(vmId) ?? []) if (view.fits(client)) return view;
		return undefined;
	}

	/** Takes a new instance in; its group name is the one of its first client. */
	add(vmId: string, viewModel: MulticastViewModel, client: ViewModelClient): SharedView {
		const views = this.#byVmId.get(vmId) ?? new Set();
		this.#byVmId.set(vmId, views);
		const onEmpty = (): void => {
			views.delete(view);
			if (views.size === 0 && this.#byVmId.get(vmId) === views) this.#byVmId.delete(vmId);
		};
		const groupName = acting.run(client, () => viewModel.groupName(client)) ?? "";
		const view = new SharedView(vmId, viewModel, { host: this.#host, groupName, onEmpty });
		views.add(view);
		return view;
	}
}
