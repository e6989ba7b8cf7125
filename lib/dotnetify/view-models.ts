import type { ClientConnection } from "../hub/index.js";
import type { ViewModelSource, ViewModelSources } from "./view-model.js";
import { ClientViews } from "./views/client-views.js";
import type { ViewModelHost } from "./views/instance.js";
import { SharedViews, type ViewModelRegistry } from "./views/shared-views.js";

/** All view models of a hub: the classes that are registered, and the instances of each client. */
export class ViewModels implements ViewModelRegistry {
	readonly host: ViewModelHost;
	readonly shared: SharedViews;
	readonly #sources: ReadonlyMap<string, ViewModelSource>;
	readonly #clients = new Map<string, ClientViews>();

	constructor(sources: ViewModelSources, host: ViewModelHost) {
		this.host = host;
		this.shared = new SharedViews(host);
		this.#sources = new Map(Object.entries(sources));
	}

	/** What `type` stands for; with a namespace, `Namespace.Type` goes before `Type`. */
	source(type: string, namespace: string | undefined): ViewModelSource | undefined {
		return (
			(namespace === undefined ? undefined : this.#sources.get(`${namespace}.${type}`)) ??
			this.#sources.get(type)
		);
	}

	/** The view models of a client. */
	of(connection: ClientConnection): ClientViews {
		let views = this.#clients.get(connection.connectionId);
		if (!views) {
			views = new ClientViews(connection, this);
			// A message that was waiting when its client left must not bring the client back.
			if (connection.isEnded) views.close();
			else this.#clients.set(connection.connectionId, views);
		}
		return views;
	}

	/** A client has missed changes of a view model, if it is one: it gets the full state. */
	resync(connectionId: string, vmId: string): void {
		void this.#clients.get(connectionId)?.resync(vmId);
	}

	/** Another server is about to have a client; see {@link ClientViews.migrate}. */
	async migrating(connectionId: string): Promise<void> {
		await this.#clients.get(connectionId)?.migrate();
	}

	/** A client is gone: everything of it is disposed. */
	disconnected(connectionId: string): void {
		const views = this.#clients.get(connectionId);
		this.#clients.delete(connectionId);
		views?.close();
	}
}
