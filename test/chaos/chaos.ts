import { setTimeout as wait } from "node:timers/promises";
import { Random } from "../fuzz/frames/random.js";
import { type Reconciliation, reconcile, unlessAccounted, unlessExactlyOnce } from "./books/reconcile.js";
import { Load } from "./clients/load.js";
import { Faults } from "./faults.js";
import { Stage } from "./stage.js";

/** How long and how hard. */
export interface ChaosSettings {
	/** What happens follows from it, as far as processes and networks let it. */
	readonly seed: number;
	/** Messages sent and received before the first part ends. */
	readonly messages: number;
	/** Faults of links, spread over these messages. */
	readonly faults: number;
	/** Processes that die, in the second part. */
	readonly deaths: number;
	/** How long all may work at most until the next one dies, in milliseconds. @defaultValue 2_000 */
	readonly mostLifeMs?: number;
	readonly clients: number;
	readonly proxies: number;
}

/** What came of one part. */
export interface ChaosResult {
	readonly name: string;
	readonly seconds: number;
	readonly messages: number;
	/** What was done, and how often. */
	readonly done: ReadonlyMap<string, number>;
	readonly found: Reconciliation;
	/** What should not be; empty where all is well. */
	readonly complaints: readonly string[];
}

/** How a process ends. */
const DEATHS = ["app server killed", "app server stopped", "proxy killed", "proxy stopped"] as const;

const TICK_MS = 50;
const POLL_MS = 10;
/** Faults come one after another, whatever the load does. */
const LEAST_GAP_MS = 20;
/** How long a process is away, in milliseconds. */
const MOST_AWAY_MS = 1_000;
const MOST_LIFE_MS = 2_000;
/** The shortest time between links' faults while processes die. */
const FAULT_GAP_MS = 300;

/** The parts of a run: what is done to the stage while clients send. */
type Part = (stage: Stage, load: Load, settings: ChaosSettings) => Promise<Map<string, number>>;

function count(counts: Map<string, number>, name: string): void {
	counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** Faults of links, spread evenly over the messages. */
const linkFaults: Part = async (stage, load, { seed, faults: total, messages }) => {
	const faults = new Faults(stage.relays, new Random(seed, 1));
	const each = messages / (total + 1);
	while (faults.total < total || load.messages < messages) {
		if (faults.total < total && load.messages >= each * (faults.total + 1)) {
			faults.strike();
			await wait(LEAST_GAP_MS);
		} else await wait(POLL_MS);
	}
	faults.heal();
	return faults.counts;
};

async function die(stage: Stage, how: (typeof DEATHS)[number], random: Random): Promise<void> {
	const place = how.startsWith("app") ? random.pick(stage.apps) : random.pick(stage.proxies);
	if (how.endsWith("killed")) await place.kill();
	else await place.stop();
	await wait(random.below(MOST_AWAY_MS));
	await place.start();
}

/** Processes that die and come back, one at a time, while links have faults. */
const deaths: Part = async (stage, _load, { seed, deaths: total, mostLifeMs = MOST_LIFE_MS }) => {
	const random = new Random(seed, 2);
	const faults = new Faults(stage.relays, new Random(seed, 3));
	const done = new Map<string, number>();
	const timer = setInterval(() => faults.strike(), FAULT_GAP_MS);
	for (let at = 0; at < total; at++) {
		await wait(random.below(mostLifeMs));
		const how = DEATHS[at % DEATHS.length] as (typeof DEATHS)[number];
		await die(stage, how, random);
		count(done, how);
	}
	clearInterval(timer);
	faults.heal();
	await wait(mostLifeMs / 2);
	for (const [fault, times] of faults.counts) done.set(fault, times);
	return done;
};

async function play(
	name: string,
	part: Part,
	settings: ChaosSettings,
): Promise<Omit<ChaosResult, "complaints">> {
	const { clients, proxies, seed } = settings;
	const start = performance.now();
	const stage = await Stage.open({ proxies, app: { tickMs: TICK_MS } });
	const load = new Load({ doors: () => stage.doors, clients, seed });
	try {
		await load.start();
		const done = await part(stage, load, settings);
		await load.stop();
		await stage.settled(load);
		const { messages } = load;
		const found = reconcile(await stage.evidence(load));
		const seconds = (performance.now() - start) / 1_000;
		return { name, seconds, messages, done, found };
	} finally {
		await load.leave();
		await stage.close();
	}
}

/** Clients send messages while links fail: nothing may be lost, doubled or reordered. */
export async function failLinks(settings: ChaosSettings): Promise<ChaosResult> {
	const result = await play("links fail", linkFaults, settings);
	return { ...result, complaints: unlessExactlyOnce(result.found) };
}

/** The same while processes die, too: what is lost has to be reported. */
export async function failProcesses(settings: ChaosSettings): Promise<ChaosResult> {
	const result = await play("processes die", deaths, settings);
	return { ...result, complaints: unlessAccounted(result.found) };
}
