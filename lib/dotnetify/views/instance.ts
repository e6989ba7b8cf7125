import type { Log } from "../../base/index.js";
import type { Selection } from "../../hub/index.js";
import { excerpt } from "../../protocols/index.js";
import type { ViewModelLimits } from "../limits.js";
import { type Changes, changeMessages, Tracker } from "../state/tracker.js";
import { applyUpdate, isEcho, type SentValue, type UpdateTarget } from "../state/update.js";
import { coreOf, type ViewModel, type ViewModelOwner } from "../view-model.js";

/** What a `Response_VM` says. */
export interface ViewModelResponse {
	/** JSON. */
	readonly text: string;
	/**
	 * What of the view model's state it holds: all, or what has changed. A client that reads too slowly is spared these,
	 * and has the whole as soon as it can. Absent for what is no state and must arrive: errors, direct sends.
	 */
	readonly about?: "whole" | "change";
}

/** What view models need of the hub that they live in. */
export interface ViewModelHost {
	readonly log: Log;
	readonly limits: ViewModelLimits;
	/** Whether clients may see the texts of unexpected errors. */
	readonly detailedErrors: boolean;
	/** Sends a `Response_VM`. */
	respond(selection: Selection, vmId: string | null, response: ViewModelResponse): void;
	join(connectionId: string, group: string): void;
	leave(connectionId: string, group: string): void;
}

const HOOK_FAILED = "A hook of a view model failed.";

/**
 * One live view model: created once, updated by one message at a time, disposed once. Emissions of its observables
 * push by themselves, unless a message is being handled, whose reaction has them.
 */
export class Instance implements UpdateTarget {
	readonly vmId: string;
	readonly viewModel: ViewModel;
	readonly tracker: Tracker;
	readonly #host: ViewModelHost;
	#busy = 0;
	#isPushPlanned = false;
	#isDisposed = false;

	constructor(vmId: string, viewModel: ViewModel, host: ViewModelHost) {
		this.vmId = vmId;
		this.viewModel = viewModel;
		this.#host = host;
		this.tracker = new Tracker(viewModel, {
			maxQueuedListChanges: host.limits.maxQueuedListChanges,
			onEmission: () => this.#emitted(),
			onObservableError: (name, err) =>
				host.log.error({ err, ...this.description, field: name }, "An observable of a view model failed."),
		});
	}

	/** What a log line says of this view model. */
	get description(): { readonly vmId: string; readonly viewModel: string } {
		return { vmId: excerpt(this.vmId), viewModel: this.tracker.members.className };
	}

	get isDisposed(): boolean {
		return this.#isDisposed;
	}

	/** Applies the arguments of the request, then awaits `onCreated`. */
	create(owner: ViewModelOwner, vmArg: Readonly<Record<string, unknown>>): Promise<void> {
		return this.#whileBusy(async () => {
			coreOf(this.viewModel).tracker = this.tracker;
			this.tracker.start();
			await this.#applyAll(Object.entries(vmArg));
			await this.viewModel.onCreated();
			coreOf(this.viewModel).owner = owner;
		});
	}

	/** Writes what a client sent and calls what it named, one after another; awaits each. */
	apply(sent: readonly SentValue[]): Promise<void> {
		return this.#whileBusy(() => this.#applyAll(sent));
	}

	/** Everything the clients do not know. */
	takeChanges(): Changes {
		return this.tracker.takeChanges();
	}

	/** The messages of a change for clients that have sent nothing of it. */
	messages({ members, lists }: Changes): string[] {
		return changeMessages(members, lists);
	}

	/** The messages of a change for the client that sent `sent`: without what it shows already. */
	reaction({ members, lists }: Changes, sent: readonly SentValue[]): string[] {
		const { itemKeys } = this.tracker.members;
		return changeMessages(
			members.filter((change) => !isEcho(change, sent, itemKeys.get(change.name))),
			lists,
		);
	}

	/** Sends messages of a change to `selection`. */
	respond(selection: Selection, messages: readonly string[]): void {
		for (const text of messages) this.#host.respond(selection, this.vmId, { text, about: "change" });
	}

	/** What its view model wants to be kept, as JSON text; undefined where that is nothing, or cannot be had. */
	snapshot(): string | undefined {
		const { viewModel } = this;
		if (this.#isDisposed || !viewModel.snapshot) return undefined;
		try {
			const state = viewModel.snapshot();
			return state === undefined ? undefined : JSON.stringify(state);
		} catch (err) {
			this.#host.log.error({ err, ...this.description, hook: "snapshot" }, HOOK_FAILED);
			return undefined;
		}
	}

	/** Gives a new view model what another one kept; false where it failed, and may be half done. */
	async restore(state: string): Promise<boolean> {
		const { viewModel } = this;
		if (!viewModel.restore) return true;
		try {
			await this.#whileBusy(async () => viewModel.restore?.(JSON.parse(state)));
			return true;
		} catch (err) {
			this.#host.log.error({ err, ...this.description, hook: "restore" }, HOOK_FAILED);
			return false;
		}
	}

	onUnresolved(path: string, value: unknown): unknown {
		return this.viewModel.onUnresolvedUpdate(path, value);
	}

	/** Ends subscriptions and calls `dispose`, once; what it throws is logged. */
	dispose(): void {
		if (this.#isDisposed) return;
		this.#isDisposed = true;
		coreOf(this.viewModel).owner = undefined;
		this.tracker.stop();
		this.attempt("dispose", () => this.viewModel.dispose());
	}

	/** Runs a hook whose failure must not stop anything else; it is logged, also when it comes later. */
	attempt(hook: string, run: () => unknown): void {
		const failed = (err: unknown): void =>
			this.#host.log.error({ err, ...this.description, hook }, HOOK_FAILED);
		try {
			Promise.resolve(run()).catch(failed);
		} catch (err) {
			failed(err);
		}
	}

	async #applyAll(sent: readonly SentValue[]): Promise<void> {
		for (const [path, value] of sent) await applyUpdate(this, path, value);
	}

	async #whileBusy(run: () => Promise<void>): Promise<void> {
		this.#busy++;
		try {
			await run();
		} finally {
			this.#busy--;
		}
	}

	#emitted(): void {
		if (this.#busy > 0 || this.#isPushPlanned) return;
		this.#isPushPlanned = true;
		queueMicrotask(() => {
			this.#isPushPlanned = false;
			if (this.#busy === 0) coreOf(this.viewModel).owner?.push(this.viewModel);
		});
	}
}
