import { isWithin, parseVmId, type VmIdSegment } from "../../protocols/index.js";
import { type ClientFacts, type Fields, NOTHING } from "../client.js";
import type { RetainedRequests } from "../request-data.js";
import {
	construct,
	coreOf,
	isMulticastClass,
	isViewModelClass,
	MulticastViewModel,
	mayUse,
	type ViewModel,
	type ViewModelClass,
	type ViewModelOwner,
	type ViewModelSource,
} from "../view-model.js";
import { LimitException, unauthorized, unknownViewModel } from "../wire-exception.js";
import type { HeldView, Place } from "./held-view.js";
import { Instance, type ViewModelHost } from "./instance.js";
import type { SharedView, ViewModelRegistry } from "./shared-views.js";

/** What the view models of a client need. */
export interface HeldViewsSettings {
	readonly client: ClientFacts;
	readonly all: ViewModelRegistry;
	/** Pushes for those that are not shared. */
	readonly owner: ViewModelOwner;
	readonly retained: RetainedRequests;
}

/** The view models that one client holds, by their ids: made with their masters, and removed with all inside them. */
export class HeldViews {
	readonly #client: ClientFacts;
	readonly #all: ViewModelRegistry;
	readonly #host: ViewModelHost;
	readonly #owner: ViewModelOwner;
	readonly #retained: RetainedRequests;
	readonly #views = new Map<string, HeldView>();
	#isClosed = false;

	constructor({ client, all, owner, retained }: HeldViewsSettings) {
		this.#client = client;
		this.#all = all;
		this.#host = all.host;
		this.#owner = owner;
		this.#retained = retained;
	}

	/** Whether the client is gone. */
	get isClosed(): boolean {
		return this.#isClosed;
	}

	get size(): number {
		return this.#views.size;
	}

	get(id: string): HeldView | undefined {
		return this.#views.get(id);
	}

	has(id: string): boolean {
		return this.#views.has(id);
	}

	[Symbol.iterator](): MapIterator<[string, HeldView]> {
		return this.#views[Symbol.iterator]();
	}

	/** The client is gone: disposes everything at once, innermost first; what is being made is disposed when it is there. */
	close(): void {
		this.#isClosed = true;
		for (const id of this.#longestFirst([...this.#views.keys()])) this.#remove(id);
	}

	/** Makes the view model and the masters that are missing, outermost first. */
	async make(vmId: string, namespace: string | undefined): Promise<HeldView> {
		let id = "";
		let view: HeldView | undefined;
		for (const [at, segment] of parseVmId(vmId).path.entries()) {
			const master = view;
			const name = vmId.split(".")[at] ?? "";
			id = at === 0 ? name : `${id}.${name}`;
			view =
				this.#views.get(id) ?? (await this.#create(id, segment, { master, namespace, isLast: id === vmId }));
			if (this.#isClosed) return view;
		}
		if (!view) throw unknownViewModel(vmId);
		return view;
	}

	async #create(id: string, segment: VmIdSegment, place: Place): Promise<HeldView> {
		if (this.#views.size >= this.#host.limits.maxViewModelsPerConnection) {
			throw new LimitException(
				`This connection holds ${this.#views.size} view models, the most that is allowed.`,
			);
		}
		const view = await this.#view(id, segment, place);
		if (this.#isClosed) {
			this.#end(view);
			return view;
		}
		this.#views.set(id, view);
		try {
			await place.master?.instance.viewModel.onSubViewModelCreated(view.instance.viewModel);
		} catch (thrown) {
			this.#remove(id);
			throw thrown;
		}
		return view;
	}

	async #view(id: string, segment: VmIdSegment, place: Place): Promise<HeldView> {
		const vmArg = place.isLast ? this.#client.vmArg : NOTHING;
		const source = this.#all.source(segment.type, place.namespace);
		if (source && isViewModelClass(source)) await this.authorize(source);
		// From here to the registration nothing is awaited, so that two clients cannot both make a shared one.
		const found = this.#all.shared.find(id, this.#client);
		if (found) return await this.#hold(found, vmArg);
		const supplied = place.master?.instance.viewModel.getSubViewModel(segment.type, segment.instance);
		if (!supplied && !source) throw unknownViewModel(segment.type);
		const viewModel = supplied ?? this.#construct(source as ViewModelSource, segment.instance);
		if (viewModel instanceof MulticastViewModel) {
			return await this.#hold(this.#all.shared.add(id, viewModel, this.#client), vmArg);
		}
		const core = coreOf(viewModel);
		core.client ??= this.#client;
		core.instanceId ??= segment.instance;
		const instance = new Instance(id, viewModel, this.#host);
		await this.#createInstance(instance, vmArg);
		return { instance, shared: undefined, isRequested: false };
	}

	#construct(source: ViewModelSource, instanceId: string | undefined): ViewModel {
		return construct({ instanceId, client: isMulticastClass(source) ? undefined : this.#client }, () =>
			isViewModelClass(source) ? new source(instanceId) : source(instanceId, this.#client),
		);
	}

	async #createInstance(instance: Instance, vmArg: Fields): Promise<void> {
		try {
			// Again: what a factory or a master supplies is of a class that was not known before.
			await this.authorize(instance.viewModel.constructor as ViewModelClass);
			await instance.create(this.#owner, vmArg);
		} catch (thrown) {
			instance.dispose();
			throw thrown;
		}
	}

	async #hold(shared: SharedView, vmArg: Fields): Promise<HeldView> {
		await shared.hold(this.#client, vmArg, () =>
			this.authorize(shared.instance.viewModel.constructor as ViewModelClass),
		);
		return { instance: shared.instance, shared, isRequested: false };
	}

	/** @throws (rejects) HubException where the client may not use view models of this class */
	async authorize(viewModelClass: ViewModelClass): Promise<void> {
		if (!(await mayUse(this.#client, viewModelClass))) throw unauthorized();
	}

	/** Disposes a view model and all inside it, innermost first. */
	removeWithin(vmId: string): void {
		for (const id of this.#idsWithin(vmId)) this.#remove(id);
	}

	#idsWithin(vmId: string): string[] {
		return this.#longestFirst([...this.#views.keys()].filter((id) => isWithin(id, vmId)));
	}

	#longestFirst(ids: string[]): string[] {
		return ids.sort((a, b) => b.length - a.length);
	}

	#remove(id: string): void {
		const view = this.#views.get(id);
		if (!view) return;
		this.#views.delete(id);
		if (view.isRequested) this.#retained.remove(id);
		const master = this.#views.get(id.slice(0, Math.max(0, id.lastIndexOf("."))))?.instance;
		master?.attempt("onSubViewModelDisposing", () =>
			master.viewModel.onSubViewModelDisposing(view.instance.viewModel),
		);
		this.#end(view);
	}

	#end({ instance, shared }: HeldView): void {
		if (!shared) {
			instance.dispose();
			return;
		}
		const { groupName } = shared;
		shared.release(this.#client);
		// A connection that is gone has left its groups by itself.
		if (this.#isClosed || groupName === "") return;
		const isStillMember = [...this.#views.values()].some((view) => view.shared?.groupName === groupName);
		if (!isStillMember) this.#host.leave(this.#client.connectionId, groupName);
	}
}
