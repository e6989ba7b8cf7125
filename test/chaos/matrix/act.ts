import assert from "node:assert/strict";
import { DotnetifyPage } from "../../interop/stock/dotnetify-page.js";
import { type Reconciliation, reconcile, unlessExactlyOnce } from "../books/reconcile.js";
import { tableOf } from "../books/table.js";
import { HubClient, type ProtocolName } from "../clients/hub-client.js";
import { Load, type LoadOptions } from "../clients/load.js";
import { ViewClient } from "../clients/view-client.js";
import type { Place } from "../processes/place.js";
import { Stage, type StageOptions } from "../stage.js";
import { until } from "../until.js";

const SEED = 1;
/** What pages show, and what they are about: one of their own, one that all share. */
export const VIEWS: readonly string[] = ["Counter", "Board"];

/** What one test starts, and ends. */
export class Act {
	readonly #ends: (() => Promise<unknown>)[] = [];
	#stage: Stage | undefined;
	/** Clients of loads so far. */
	#loaded = 0;

	/** @throws Error before {@link open} */
	get stage(): Stage {
		if (!this.#stage) throw new Error("The act was not opened.");
		return this.#stage;
	}

	/** Starts app servers, relays and proxies. */
	async open(options: StageOptions = {}): Promise<Stage> {
		const stage = await Stage.open(options);
		this.#stage = stage;
		this.#ends.push(() => stage.close());
		return stage;
	}

	/** Clients that send numbered messages, connected. */
	async load(options: Partial<LoadOptions> = {}): Promise<Load> {
		const { clients = 10 } = options;
		const defaults = { doors: () => this.stage.doors, seed: SEED, pauseMs: 10, first: this.#loaded };
		const load = new Load({ ...defaults, ...options, clients });
		this.#loaded += clients;
		this.#ends.push(() => load.leave());
		await load.start();
		return load;
	}

	/** A client of a plain hub that only does what it is told to. */
	async client(proxy: Place = this.stage.proxy): Promise<HubClient> {
		const client = await HubClient.open(this.stage.doorOf(proxy).url, () => undefined);
		this.#ends.push(() => client.leave());
		return client;
	}

	/** Pages that show {@link VIEWS}, half of them in messagepack. */
	async views(count: number, proxy: Place = this.stage.proxy): Promise<ViewClient[]> {
		const { url } = this.stage.doorOf(proxy);
		const protocolOf = (at: number): ProtocolName => (at % 2 === 0 ? "json" : "messagepack");
		const opened = Array.from({ length: count }, (_, at) => ViewClient.open(url, VIEWS, protocolOf(at)));
		const views = await Promise.all(opened);
		this.#ends.push(() => Promise.all(views.map(({ client }) => client.leave())));
		return views;
	}

	/** Waits until every page shows what this process of the app server made, and nothing older. */
	async current(views: readonly ViewClient[]): Promise<void> {
		const { incarnation } = this.stage.app;
		await until(() =>
			views.every((view) => VIEWS.every((vmId) => view.value(vmId, "Incarnation") === incarnation)),
		);
	}

	/** A page with the stock dotnetify client. */
	async page(proxy: Place = this.stage.proxy): Promise<DotnetifyPage> {
		const page = await DotnetifyPage.open(proxy.url);
		this.#ends.push(() => page.close());
		return page;
	}

	/** Ends the sending, waits until all has come that comes, and compares the books. */
	async compare(load: Load): Promise<Reconciliation> {
		await load.stop();
		await this.stage.settled(load);
		return reconcile(await this.stage.evidence(load));
	}

	/** Ends the sending, and fails unless every message has come once and in order, in both directions. */
	async assertExactlyOnce(load: Load): Promise<void> {
		const found = await this.compare(load);
		assert.deepEqual(unlessExactlyOnce(found), [], tableOf(found));
		assert.ok(found.up.delivered > 0 && found.down.delivered > 0 && found.calls.answered > 0);
	}

	/** Ends everything, last started first. */
	async close(): Promise<void> {
		for (const end of this.#ends.splice(0).reverse()) await end();
	}
}
