import { HubException } from "../../errors/index.js";
import type { ClientConnection, RetainedCall, Selection } from "../../hub/index.js";
import { excerpt } from "../../protocols/index.js";
import { ClientFacts, type Fields, NOTHING } from "../client.js";
import { RetainedRequests, readRequest, withoutHeaders } from "../request-data.js";
import { jsonText } from "../state/data.js";
import { mayUse, type ViewModel, type ViewModelClass, type ViewModelOwner } from "../view-model.js";
import { errorData, LimitException, nullViewModelId, unauthorized } from "../wire-exception.js";
import type { HeldView } from "./held-view.js";
import { HeldViews } from "./held-views.js";
import type { Instance, ViewModelHost } from "./instance.js";
import type { ViewModelRegistry } from "./shared-views.js";

/** View models of one client that are looked at for changes in a turn of the event loop before the rest waits for its end. */
const LOOKS_PER_TURN = 100;

/**
 * The view models of one client, and its messages one after another. It is the owner of those that it does not share:
 * when one of them pushes, or a message has been handled, all of this client push.
 */
export class ClientViews implements ViewModelOwner {
	readonly #client: ClientFacts;
	readonly #host: ViewModelHost;
	readonly #selection: Selection;
	readonly #views: HeldViews;
	readonly #retained: RetainedRequests;
	#tail: Promise<unknown> = Promise.resolve();
	/** View models that were looked at for changes in this turn of the loop. */
	#looks = 0;
	/** All have to be looked at when it ends. */
	#isCheckDue = false;
	#wasLimitLogged = false;

	constructor(connection: ClientConnection, all: ViewModelRegistry) {
		this.#client = new ClientFacts(connection);
		this.#host = all.host;
		this.#selection = { kind: "client", connectionId: connection.connectionId };
		this.#retained = new RetainedRequests(connection);
		this.#views = new HeldViews({ client: this.#client, all, owner: this, retained: this.#retained });
	}

	/**
	 * Answers a request with the full state of the view model, which is made if it is not there, and then given `state`
	 * (JSON text), the snapshot of the one before it. Never rejects.
	 */
	request(vmId: string | null, read: () => unknown, call: RetainedCall, state?: string): Promise<void> {
		return this.#inTurn(vmId, async (id) => {
			const data = read();
			const { headers, vmArg, namespace } = readRequest(data);
			this.#keepHeaders(headers);
			this.#client.vmArg = vmArg;
			try {
				await this.#request(id, namespace, state);
			} finally {
				this.#client.vmArg = NOTHING;
				if (!this.#views.has(id)) this.#retained.remove(id);
			}
			if (this.#views.has(id)) this.#retained.add(id, call, data);
			this.#checkOthers(id);
		});
	}

	/** Applies an update and answers with the reaction. Never rejects. */
	update(vmId: string | null, read: () => unknown): Promise<void> {
		return this.#inTurn(vmId, async (id) => {
			const { headers, values } = withoutHeaders(read());
			this.#keepHeaders(headers);
			const sent = Object.entries(values);
			if (sent.length === 0) return;
			const view = this.#views.get(id);
			if (!view?.isRequested) {
				this.#host.log.debug(
					{ vmId: excerpt(id) },
					"An update came for a view model that this client has not requested.",
				);
				return;
			}
			await this.#views.authorize(view.instance.viewModel.constructor as ViewModelClass);
			if (view.shared) await view.shared.update(this.#client, sent);
			else await this.#update(view.instance, sent);
			this.#checkOthers(id);
		});
	}

	/** Disposes a view model and all inside it. Never rejects. */
	dispose(vmId: string | null): Promise<void> {
		return this.#inTurn(vmId ?? "", async (id) => {
			if (!this.#views.has(id)) this.#retained.remove(id);
			this.#views.removeWithin(id);
		});
	}

	/** Sends the full state again, where the client has this view model: it has missed changes. Never rejects. */
	async resync(vmId: string): Promise<void> {
		if (!this.#views.has(vmId)) return;
		await this.#inTurn(vmId, async (id) => {
			const held = this.#views.get(id);
			if (!held?.isRequested) return;
			await this.#views.authorize(held.instance.viewModel.constructor as ViewModelClass);
			const view = this.#views.get(id);
			if (view?.isRequested && !this.#views.isClosed) this.#sendWhole(id, view);
		});
	}

	/**
	 * Another server is about to have the client: has the requests made again with what their view models want to be
	 * kept, once all that came before is done. Never rejects.
	 */
	migrate(): Promise<void> {
		const run = this.#tail.then(() => {
			for (const [id, { instance, shared, isRequested }] of this.#views) {
				const state = shared || !isRequested ? undefined : instance.snapshot();
				if (state !== undefined) this.#retained.addState(id, state, this.#client.headers);
			}
		});
		this.#tail = run;
		return run;
	}

	/** The client is gone: disposes everything at once, whatever is still running. */
	close(): void {
		this.#views.close();
	}

	/** Sends what changed of `viewModel`, then of all others of this client. */
	push(viewModel: ViewModel): void {
		for (const [id, view] of this.#views) {
			if (view.instance.viewModel !== viewModel) continue;
			this.#pushView(view);
			this.#checkOthers(id);
			return;
		}
		this.#checkOthers(undefined);
	}

	send(): void {}

	async #inTurn(vmId: string | null, handle: (vmId: string) => Promise<void>): Promise<void> {
		const run = this.#tail.then(async () => {
			if (this.#views.isClosed) return;
			try {
				this.#checkId(vmId);
				await handle(vmId ?? "");
			} catch (thrown) {
				this.#fail(vmId, thrown);
			}
		});
		this.#tail = run;
		await run;
	}

	#checkId(vmId: string | null): void {
		if (vmId === null) throw nullViewModelId();
		const { maxVmIdLength } = this.#host.limits;
		if (vmId.length > maxVmIdLength) {
			throw new LimitException(`The view model id is longer than ${maxVmIdLength} characters.`);
		}
	}

	#keepHeaders(headers: Fields | undefined): void {
		if (!headers) return;
		const { maxHeadersLength } = this.#host.limits;
		const text = jsonText(headers);
		if (text.length > maxHeadersLength) {
			throw new LimitException(`The $headers are longer than ${maxHeadersLength} characters.`);
		}
		const isNew = this.#retained.size > 0 && text !== jsonText(this.#client.headers);
		this.#client.headers = headers;
		if (isNew) this.#retained.refresh(headers);
	}

	async #request(vmId: string, namespace: string | undefined, snapshot?: string): Promise<void> {
		const existing = this.#views.get(vmId);
		if (existing) await this.#views.authorize(existing.instance.viewModel.constructor as ViewModelClass);
		let view = existing ?? (await this.#views.make(vmId, namespace));
		if (this.#views.isClosed) return;
		const { instance, shared } = view;
		// One that was there has newer values.
		if (snapshot !== undefined && !existing && !shared && !(await instance.restore(snapshot))) {
			this.#views.removeWithin(vmId);
			view = await this.#views.make(vmId, namespace);
		}
		if (this.#views.isClosed) return;
		this.#sendWhole(vmId, view);
		view.isRequested = true;
		view.shared?.join(this.#client);
	}

	#sendWhole(vmId: string, view: HeldView): void {
		this.#host.respond(this.#selection, vmId, { text: this.#stateOf(vmId, view), about: "whole" });
	}

	/** A state that cannot be written ends the view model: it would fail again at every push. */
	#stateOf(vmId: string, { instance, shared }: HeldView): string {
		try {
			return shared ? shared.stateFor(this.#client) : instance.tracker.fullState();
		} catch (thrown) {
			this.#views.removeWithin(vmId);
			throw thrown;
		}
	}

	async #update(instance: Instance, sent: [string, unknown][]): Promise<void> {
		await instance.apply(sent);
		if (this.#views.isClosed) return;
		instance.respond(this.#selection, instance.reaction(instance.takeChanges(), sent));
	}

	/**
	 * Sends what changed of the others: at once, or when so many were looked at in this turn of the event loop, once when
	 * it ends. A client with many view models could keep the loop busy with looking at all of them again and again.
	 */
	#checkOthers(except: string | undefined): void {
		const others = this.#views.size - (except === undefined ? 0 : 1);
		if (others <= 0) return;
		if (this.#looks > 0 && this.#looks + others > LOOKS_PER_TURN) {
			this.#isCheckDue = true;
			return;
		}
		if (this.#looks === 0) setImmediate(() => this.#turned());
		this.#looks += others;
		for (const [id, view] of this.#views) if (id !== except) this.#pushView(view);
	}

	#turned(): void {
		this.#looks = 0;
		if (!this.#isCheckDue) return;
		this.#isCheckDue = false;
		this.#checkOthers(undefined);
	}

	#pushView(view: HeldView): void {
		if (this.#views.isClosed || !view.isRequested) return;
		try {
			if (view.shared) view.shared.push();
			else this.#pushOwn(view.instance);
		} catch (err) {
			this.#host.log.error(
				{ err, ...view.instance.description },
				"Changes of a view model cannot be written.",
			);
		}
	}

	/** Pushes to the client if it still may have it: a token may have expired since the request. */
	#pushOwn(instance: Instance): void {
		const changes = instance.takeChanges();
		if (changes.members.length + changes.lists.length === 0) return;
		const decide = (isAllowed: boolean): void => {
			if (this.#views.isClosed || instance.isDisposed) return;
			if (isAllowed) {
				instance.respond(this.#selection, instance.messages(changes));
				return;
			}
			instance.tracker.forget(changes);
			this.#fail(instance.vmId, unauthorized());
		};
		const isAllowed = mayUse(this.#client, instance.viewModel.constructor as ViewModelClass);
		if (typeof isAllowed === "boolean") decide(isAllowed);
		else isAllowed.then(decide, (thrown: unknown) => this.#fail(instance.vmId, thrown));
	}

	#fail(vmId: string | null, thrown: unknown): void {
		this.#logFailure(vmId, thrown);
		if (this.#views.isClosed) return;
		const data = errorData(thrown, vmId ?? "", this.#host.detailedErrors);
		this.#host.respond(this.#selection, vmId, { text: JSON.stringify(data) });
	}

	#logFailure(id: string | null, thrown: unknown): void {
		const { log } = this.#host;
		const viewModel = this.#views.get(id ?? "")?.instance.tracker.members.className;
		const vmId = excerpt(id);
		if (thrown instanceof LimitException) {
			// A client can run into a limit as often as it likes; one line tells of it.
			const level = this.#wasLimitLogged ? "debug" : "warn";
			this.#wasLimitLogged = true;
			log[level]({ code: thrown.code, connectionId: this.#client.connectionId }, thrown.message);
		} else if (thrown instanceof HubException) {
			log.debug({ vmId, viewModel, err: thrown }, "A view model refused a message.");
		} else {
			log.error({ vmId, viewModel, err: thrown }, "A view model failed.");
		}
	}
}
