import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { AppBook } from "./books/app-book.js";
import { type Evidence, reportKey } from "./books/reconcile.js";
import type { Door, Load } from "./clients/load.js";
import { Place, type PlaceOptions } from "./processes/place.js";
import { type AppSettings, HUB_PATH, type HubKind, type ProxySettings } from "./processes/settings.js";
import { Relay } from "./relay.js";
import { until } from "./until.js";

const POLL_MS = 10;
/** How long nothing may come before what is missing is taken for lost. */
const QUIET_MS = 2_000;
/** How long it may take until everything has come. */
const SETTLE_TIMEOUT_MS = 60_000;

/** What stands on a stage. */
export interface StageOptions {
	/** @defaultValue plain */
	readonly kind?: HubKind;
	/** Proxies, each with a relay of its own before the app servers. @defaultValue 1 */
	readonly proxies?: number;
	/** App servers behind the one address that each relay is. @defaultValue 1 */
	readonly apps?: number;
	/** Proxies know each app server by its own address, and no relay is in between. @defaultValue false */
	readonly areReplicas?: boolean;
	readonly app?: Pick<AppSettings, "accept" | "tickMs" | "hub">;
	readonly proxy?: Pick<ProxySettings, "forwarding" | "hub">;
}

/** App servers, relays and proxies, each server a process of its own. */
export class Stage {
	readonly apps: readonly [Place, ...Place[]];
	readonly proxies: readonly [Place, ...Place[]];
	/** One for each proxy. */
	readonly relays: readonly [Relay, ...Relay[]];
	/** What the app servers received and sent, as far as it was read. */
	readonly book = new AppBook();
	readonly #folder: string;

	private constructor(folder: string, apps: Place[], proxies: Place[], relays: Relay[]) {
		this.#folder = folder;
		this.apps = apps as unknown as [Place, ...Place[]];
		this.proxies = proxies as unknown as [Place, ...Place[]];
		this.relays = relays as unknown as [Relay, ...Relay[]];
	}

	/** Starts everything; resolves when each proxy has reached all app servers. */
	static async open(options: StageOptions = {}): Promise<Stage> {
		const { kind = "plain", proxies = 1, apps = 1, areReplicas = false } = options;
		const folder = mkdtempSync(join(tmpdir(), "trunkline-chaos-"));
		const place = (program: PlaceOptions["program"], index: number, settings: object): Place =>
			new Place({ program, index, folder, settings: { kind, ...settings } });
		const appPlaces = Array.from({ length: apps }, (_, at) => place("app-server", at, { ...options.app }));
		await Promise.all(appPlaces.map((app) => app.start()));
		const ports = appPlaces.map(({ port }) => port);
		const relays = await Promise.all(Array.from({ length: proxies }, () => Relay.open(...ports)));
		const urlOf = (relay: Relay) => (areReplicas ? appPlaces.map(({ url }) => url) : relay.url);
		const proxyPlaces = relays.map((relay, at) =>
			place("proxy", at, { ...options.proxy, url: urlOf(relay) }),
		);
		const stage = new Stage(folder, appPlaces, proxyPlaces, relays);
		await Promise.all(proxyPlaces.map((proxy) => proxy.start()));
		await Promise.all(proxyPlaces.map((proxy) => proxy.child.ready));
		for (const proxy of proxyPlaces) {
			const reached = async (): Promise<number> =>
				(await proxy.ask({ ask: "facts" })).counters["linkSessions"] ?? 0;
			await until(async () => (await reached()) >= apps);
		}
		return stage;
	}

	get app(): Place {
		return this.apps[0];
	}

	get proxy(): Place {
		return this.proxies[0];
	}

	get relay(): Relay {
		return this.relays[0];
	}

	/** Where clients can connect now. */
	get doors(): readonly Door[] {
		return this.proxies.filter(({ isAlive }) => isAlive).map((proxy) => this.doorOf(proxy));
	}

	doorOf({ label, url }: Place): Door {
		return { name: label, url: url + HUB_PATH };
	}

	/** Reads what the app servers have written down since it was called last. */
	read(): AppBook {
		for (const { journal } of this.apps) journal.read((entry) => this.book.take(entry));
		return this.book;
	}

	/** Waits until everything that was sent over open connections has come, or nothing comes any more. */
	async settled(load: Load): Promise<void> {
		let [before, since] = [-1, performance.now()];
		const start = since;
		for (;;) {
			const now = performance.now();
			if (this.#isBalanced(load) || now - start > SETTLE_TIMEOUT_MS) return;
			const all = load.numbered + this.book.sent;
			if (all !== before) since = now;
			else if (now - since > QUIET_MS) return;
			before = all;
			await wait(POLL_MS * 5);
		}
	}

	/** All that is known of what clients sent and received. */
	async evidence(load: Load): Promise<Evidence> {
		this.read();
		const places = [...this.apps, ...this.proxies];
		return {
			lives: load.books.filter(({ connectionId }) => connectionId !== ""),
			app: this.book,
			taken: await this.#taken(),
			reports: this.#reports(),
			killed: new Set([
				...this.apps.flatMap(({ killed }) => [...killed]),
				...this.proxies.flatMap(({ name, killed }) => [...killed].map((at) => `${name}.${at}`)),
			]),
			stops: places.flatMap(({ stops }) => stops),
			faults: places.flatMap((place) =>
				place.told((told) => ("fault" in told ? `${place.name}: ${told.fault}` : undefined)),
			),
		};
	}

	async close(): Promise<void> {
		await Promise.all([...this.proxies, ...this.apps].map((place) => place.close()));
		await Promise.all(this.relays.map((relay) => relay.close()));
		rmSync(this.#folder, { recursive: true, force: true });
	}

	#isBalanced({ open }: Load): boolean {
		const { ups, downs } = this.read();
		return open.every(({ book }) => {
			if (ups.get(book.life)?.count !== (book.sent === 0 ? undefined : book.sent)) return false;
			return [...(downs.get(book.life) ?? [])].every(
				([incarnation, sent]) => book.downs.get(incarnation)?.count === sent,
			);
		});
	}

	async #taken(): Promise<Map<string, number>> {
		const taken = new Map<string, number>();
		for (const proxy of this.proxies) {
			const known = proxy.told((told) => ("taken" in told ? told.taken : undefined));
			if (proxy.isAlive) known.push((await proxy.ask({ ask: "facts" })).taken);
			for (const counts of known) for (const [id, count] of Object.entries(counts)) taken.set(id, count);
		}
		return taken;
	}

	#reports(): Map<string, number> {
		const reports = new Map<string, number>();
		for (const place of [...this.apps, ...this.proxies]) {
			for (const { client = "", target = "" } of place.told((told) =>
				"undeliverable" in told ? told.undeliverable : undefined,
			)) {
				const key = reportKey(client, target);
				reports.set(key, (reports.get(key) ?? 0) + 1);
			}
		}
		return reports;
	}
}
