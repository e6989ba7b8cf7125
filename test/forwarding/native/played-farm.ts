import type { Clock } from "../../../lib/base/index.js";
import { replicas, useForwarding } from "../../../lib/forwarding/index.js";
import type { PickStrategy } from "../../../lib/forwarding/upstream/pick.js";
import type { Frame } from "../../../lib/forwarding/wire/index.js";
import { framesOf } from "../recorded/recording.js";
import type { Scene, Station } from "../support/scene.js";
import { PlayedApp } from "./played-app.js";
import { bytesOf, dataOf, helloOf } from "./played-segments.js";

const LINK = { connectionPoolSize: 1, flushTimeoutMs: 20, reconnect: { delaysMs: [0, 10], jitter: 0 } };

/** Two app servers in a test's hands, whose clients outlive them, and a proxy that shares clients between them. */
export class PlayedFarm {
	readonly proxy: Station;
	readonly #apps: readonly PlayedApp[];
	readonly #sent = [0, 0];

	private constructor(proxy: Station, apps: readonly PlayedApp[]) {
		this.proxy = proxy;
		this.#apps = apps;
	}

	/** Resolves when the proxy has a link to each. */
	static async open(
		scene: Scene,
		pick: PickStrategy,
		{ maxDelayMs, clock }: { maxDelayMs?: number | undefined; clock?: Clock } = {},
	): Promise<PlayedFarm> {
		const apps: PlayedApp[] = [];
		for (const at of [0, 1]) {
			const instance = Buffer.alloc(16, at + 1);
			const app = await PlayedApp.open(scene.watch, () => helloOf("app", { instance, features: ["reopen"] }));
			apps.push(scene.keep(app));
		}
		const urls = apps.map(({ url }) => url);
		const list = replicas(urls, { pick, maxDelayMs });
		const proxy = await scene.station({ clock, setUp: (hub) => void hub.use(useForwarding(list, LINK)) });
		const links = (): number => proxy.hub.links().reduce((sum, { links: count }) => sum + count, 0);
		while (links() < 2) await new Promise((resolve) => setImmediate(resolve));
		return new PlayedFarm(proxy, apps);
	}

	/** The address of one of them. */
	urlOf(at: number): string {
		return this.#apps[at]?.url ?? "";
	}

	/** What the proxy has said to one of them. */
	framesAt(at: number): Frame[] {
		return framesOf(this.#apps[at]?.told ?? [], "proxy");
	}

	/** One of them says frames, and that it has had all that came. */
	say(at: number, ...frames: Frame[]): void {
		const seq = (this.#sent[at] ?? 0) + 1;
		this.#sent[at] = seq;
		this.#apps[at]?.send(dataOf(bytesOf(...frames), seq, this.#apps[at]?.dataCount));
	}
}
