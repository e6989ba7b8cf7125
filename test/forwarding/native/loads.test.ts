import assert from "node:assert/strict";
import { type Clock, systemClock, type Timer } from "../../../lib/base/index.js";
import { DELAY_SAMPLE_MS } from "../../../lib/forwarding/peer/loop-delay.js";
import type { PickStrategy } from "../../../lib/forwarding/upstream/pick.js";
import type { LinkLoad, LinkLoadFacts, LinkStatus } from "../../../lib/index.js";
import { framesOf } from "../recorded/recording.js";
import { Scene } from "../support/scene.js";
import { PlayedFarm } from "./played-farm.js";
import { PlayedProxy } from "./played-proxy.js";
import { bytesOf, dataOf, helloOf, opening } from "./played-segments.js";

const TRUSTED = { trusted: ["127.0.0.1"] };

/** A clock by which an app server looks at its load when a test says so. */
class LookClock implements Clock {
	readonly now = systemClock.now;
	readonly elapsed = systemClock.elapsed;
	readonly #looks = new Set<() => void>();

	schedule(delayMs: number, task: () => void): Timer {
		if (delayMs !== DELAY_SAMPLE_MS) return systemClock.schedule(delayMs, task);
		this.#looks.add(task);
		return { cancel: () => void this.#looks.delete(task) };
	}

	/** As often as it does in a second. */
	second(): void {
		for (let ms = 0; ms < 1_000; ms += DELAY_SAMPLE_MS)
			for (const look of [...this.#looks]) {
				this.#looks.delete(look);
				look();
			}
	}
}

describe("forwarding/native/loads", () => {
	let scene: Scene;
	beforeEach(() => {
		scene = new Scene("native");
	});
	afterEach(() => scene.close());

	it("an app server tells its proxies how many clients it has, whoever holds them, and shows what it has told", async () => {
		const clock = new LookClock();
		const app = await scene.app({ accept: TRUSTED, clock });
		const heard: LinkLoadFacts[] = [];
		app.hub.observe({ linkLoad: (facts) => void heard.push(facts) });
		const proxy = scene.keep(await PlayedProxy.open(app.url, scene.watch));
		// The delay is what it is here: it may be told in between.
		const counts = (): number[] => {
			const told = framesOf(proxy.told, "app").flatMap((frame) =>
				frame.type === "load" ? frame.clients : [],
			);
			return told.filter((count, at) => count !== told[at - 1]);
		};
		proxy.send(helloOf("proxy"));
		proxy.send(dataOf(bytesOf(opening(1, "c1"))));
		await scene.until(() => app.connected.length === 1);
		assert.equal(app.hub.links()[0]?.load, undefined);
		clock.second();
		await scene.until(() => counts().length === 1);
		const direct = await scene.client(app.url);
		for (let second = 0; second < 3; second++) clock.second();
		await scene.until(() => counts().length === 2);
		await direct.stop();
		while (app.hub.lifetime.size > 1) await new Promise((resolve) => setImmediate(resolve));
		clock.second();
		await scene.until(() => counts().length === 3);
		assert.deepEqual(counts(), [1, 2, 1]);
		assert.equal(app.hub.links()[0]?.load?.clients, 1);
		const { delayMs, ...facts } = heard.at(-1) as LinkLoadFacts;
		assert.ok(delayMs >= 0);
		assert.deepEqual(facts, { role: "app", wire: "native", peer: "127.0.0.1", clients: 1 });
	});

	/** App servers in the test's hands, and a proxy before them that shares clients by `pick`. */
	async function farm(
		pick: PickStrategy,
		maxDelayMs?: number,
	): Promise<{
		/** What the proxy shows of one of them. */
		statusOf(at: number): LinkStatus | undefined;
		/** Says a load at one of them, and waits until the proxy has it. */
		load(at: number, load: LinkLoad): Promise<void>;
		/** Connects clients; how many came to each app server since. */
		come(clients: number): Promise<number[]>;
		/** Ends so many clients of an app server's. */
		leave(at: number, clients: number): Promise<void>;
	}> {
		const played = await PlayedFarm.open(scene, pick, { maxDelayMs });
		const { proxy } = played;
		const told: LinkLoadFacts[] = [];
		proxy.hub.observe({
			linkLoad: (facts) => {
				told.push(facts);
				scene.watch.changed();
			},
		});
		const count = (at: number, type: "open" | "close"): number =>
			played.framesAt(at).filter((frame) => frame.type === type).length;
		const opens = (): number[] => [0, 1].map((at) => count(at, "open"));
		const clients: { readonly at: number; stop(): Promise<void> }[] = [];
		return {
			statusOf: (at) => proxy.hub.links().find(({ peer }) => peer.startsWith(played.urlOf(at))),
			async load(at, load) {
				const before = told.length;
				played.say(at, { type: "load", ...load });
				await scene.until(() => told.length > before);
			},
			async come(number) {
				const before = opens();
				for (let each = 0; each < number; each++) {
					const then = opens();
					const client = await scene.client(proxy.url);
					await scene.until(() => opens().some((now, at) => now > (then[at] ?? 0)));
					const at = opens().findIndex((now, place) => now > (then[place] ?? 0));
					clients.push({ at, stop: () => client.stop() });
				}
				return opens().map((now, at) => now - (before[at] ?? 0));
			},
			async leave(at, number) {
				for (const client of clients.filter((each) => each.at === at).slice(0, number)) {
					const before = count(at, "close");
					await client.stop();
					await scene.until(() => count(at, "close") > before);
					const closing = played.framesAt(at).filter(({ type }) => type === "close");
					const { client: left } = closing.at(-1) as { readonly client: number };
					played.say(at, { type: "closed", client: left });
				}
			},
		};
	}

	it("least-connections goes by what instances tell of themselves: other proxies have clients there, too", async () => {
		const { statusOf, load, come, leave } = await farm("least-connections");
		assert.deepEqual(await come(4), [2, 2], "each one's own, before they have told");
		await load(0, { clients: 12, delayMs: 3 });
		await load(1, { clients: 6, delayMs: 0 });
		assert.deepEqual(await come(6), [0, 6]);
		assert.deepEqual(await come(2), [1, 1], "those that were opened since count");
		await leave(0, 2);
		while (statusOf(0)?.clients !== 1) await new Promise((resolve) => setImmediate(resolve));
		assert.deepEqual(await come(2), [2, 0], "and those that have left");
		assert.deepEqual(
			[0, 1].map((at) => statusOf(at)?.load),
			[
				{ clients: 12, delayMs: 3 },
				{ clients: 6, delayMs: 0 },
			],
		);
	});

	for (const pick of ["least-connections", "round-robin", "random"] as const) {
		it(`${pick} gives no new client to an instance that is overloaded, unless all are`, async () => {
			const { load, come } = await farm(pick, 50);
			await load(0, { clients: 0, delayMs: 51 });
			assert.deepEqual(await come(6), [0, 6]);
			await load(1, { clients: 6, delayMs: 400 });
			const [first = 0, second = 0] = await come(24);
			assert.ok(first > 0 && first + second === 24, "nobody is left without");
			await load(0, { clients: 24, delayMs: 50 });
			assert.deepEqual(await come(4), [4, 0]);
		});
	}

	for (const pick of ["rendezvous", "weighted"] as const) {
		it(`${pick} stays as it is: a client's instance is the same at every proxy`, async () => {
			const { load, come } = await farm(pick);
			await load(0, { clients: 10_000, delayMs: 5_000 });
			const [first = 0] = await come(24);
			assert.ok(first > 0);
		});
	}

	it("a function of one's own is told, and decides", async () => {
		const seen: (readonly [number, number])[][] = [];
		const { load, come } = await farm((_key, candidates) => {
			seen.push(candidates.map(({ clients, delayMs }) => [clients, delayMs]));
			return candidates[0];
		});
		await load(0, { clients: 30, delayMs: 900 });
		assert.equal((await come(1)).length, 2);
		assert.deepEqual(seen.at(-1)?.toSorted(), [
			[0, 0],
			[30, 900],
		]);
	});
});
