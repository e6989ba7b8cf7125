import { setTimeout as wait } from "node:timers/promises";
import { BenchError, type Child, MEASURED_CORE, OTHER_CORE } from "../children.js";
import type { ProcessShare } from "../load/job.js";
import {
	type CoreTimes,
	coreTimes,
	processTimes,
	residentBytes,
	shareBetween,
} from "../load/process-share.js";
import type { Door, ProbeResult, ProbesRequest } from "../recover/job.js";
import type { Sizes } from "../settings.js";
import { type Stand, startClients, startStand } from "../stand.js";
import { moment } from "../subject/moment.js";
import type { HeldBytes } from "../subject/requests.js";
import { HUB_PATH, OWN_HUB_PATH } from "../subject/role.js";
import type { NeighbourCounts, NeighbourKind, NeighbourRequest } from "./job.js";

const SAMPLE_EVERY_MS = 50;
/** Collections after which nothing more is found. */
const COLLECTIONS = 3;
/** Large messages that a slow reader is told at once until something waits for it at the proxy, and from then on. */
const FIRST_FILL = 8;
const FURTHER_FILL = 2;
const MOST_FILLS = 1_000;
/** What waits for a slow reader when the measurement begins: up to where its state is left out; half of what events may take. */
const FILLED_BYTES: Readonly<Record<Exclude<NeighbourKind, "flooder">, number>> = {
	"slow-state": 200 * 1024,
	"slow-events": 512 * 1024,
};

/** What the others are measured beside. */
export interface Neighbour {
	readonly title: string;
	/** Nobody, if it is left out. */
	readonly kind?: NeighbourKind;
	/** It floods the app server itself, over a connection of its own. */
	readonly isPast?: boolean;
}

/** Shares of a core. */
export interface BusyShares {
	readonly proxy: number;
	/** Work of somebody else on the proxy's core. */
	readonly proxyStrangers: number;
	readonly app: number;
	/** Those who call. */
	readonly callers: number;
	readonly neighbour: number;
	/** Work of somebody else on the core that these share. */
	readonly strangers: number;
}

/** What was measured beside a neighbour. */
export interface Phase {
	/** Of the others, by the door where they called. */
	readonly probes: readonly ProbeResult[];
	readonly seconds: number;
	readonly busy: BusyShares;
	/** Of the proxy, in bytes: the most that was resident, and what it held after a collection at the end. */
	readonly resident: number;
	readonly heap: number;
	/** Most bytes that waited for one client at the proxy. */
	readonly held: number;
	/** What the neighbour did within the time. */
	readonly sent: number;
	readonly handled: number;
	/** Whether its connection was ended meanwhile. */
	readonly isEnded: boolean;
}

/** How long is measured, and how long before that it is waited. */
export interface PhaseTimes {
	readonly settleMs: number;
	readonly windowMs: number;
}

interface Look {
	readonly at: number;
	/** Of the proxy, the app server, the callers and the neighbour. */
	readonly times: readonly ProcessShare[];
	readonly cores: readonly CoreTimes[];
	readonly counts: NeighbourCounts;
	readonly held: HeldBytes;
}

function busyShares(before: Look, after: Look): BusyShares {
	const seconds = (after.at - before.at) / 1_000;
	const shares = after.times.map((time, at) => shareBetween(before.times[at] ?? time, time));
	const [proxy = 0, app = 0, callers = 0, neighbour = 0] = shares.map(
		({ cpuSeconds }) => cpuSeconds / seconds,
	);
	const strangers = (core: number, own: number): number => {
		const [then, now] = [before.cores[core], after.cores[core]];
		if (!then || !now) return 0;
		const ticks = now.processes - then.processes;
		return Math.max(0, ticks / Math.max(1, now.all - then.all) - own);
	};
	return {
		...{ proxy, app, callers, neighbour, proxyStrangers: strangers(MEASURED_CORE, proxy) },
		strangers: strangers(OTHER_CORE, app + callers + neighbour),
	};
}

const NOBODY: NeighbourCounts = { sent: 0, handled: 0, isEnded: false };

/** A proxy with a core of its own, an app server, and clients that call now and then, with the neighbours that they get. */
export class Street {
	readonly #stand: Stand;
	readonly #probes: Child;
	readonly #neighbour: Child;

	private constructor(stand: Stand, probes: Child, neighbour: Child) {
		this.#stand = stand;
		this.#probes = probes;
		this.#neighbour = neighbour;
	}

	/** Starts all processes, and connects so many clients through the proxy. */
	static async open(sizes: Sizes): Promise<Street> {
		const [stand, probes, neighbour] = await Promise.all([
			startStand("proxy"),
			startClients("probes", "recover/probes"),
			startClients("neighbour", "neighbours/neighbour"),
		]);
		const street = new Street(stand, probes, neighbour);
		await street.#call(sizes);
		return street;
	}

	async close(): Promise<void> {
		await Promise.all([this.#probes.stop(), this.#neighbour.stop()]);
		await this.#stand.stop();
	}

	/** Measures the others beside a neighbour, who comes before and leaves after that. */
	async measure(neighbour: Neighbour, times: PhaseTimes): Promise<Phase> {
		await this.#come(neighbour);
		await wait(times.settleMs);
		const phase = await this.#window(neighbour, times.windowMs);
		await this.#tell({ kind: "go" });
		return phase;
	}

	async #window({ kind }: Neighbour, windowMs: number): Promise<Phase> {
		const before = await this.#look(kind);
		let [resident, most] = [0, 0];
		for (const end = before.at + windowMs; moment() < end; await wait(SAMPLE_EVERY_MS)) {
			resident = Math.max(resident, residentBytes(this.#stand.measured.pid));
			most = Math.max(most, (await this.#held()).most);
		}
		const after = await this.#look(kind);
		const seconds = (after.at - before.at) / 1_000;
		const probes = await this.#ask({ kind: "results", from: before.at, to: after.at });
		const of = (count: (counts: NeighbourCounts) => number): number =>
			count(after.counts) - count(before.counts);
		return {
			...{ probes: probes as ProbeResult[], seconds, resident, held: most },
			heap: await this.#heap(),
			busy: busyShares(before, after),
			...{ sent: of(({ sent }) => sent), handled: of(({ handled }) => handled) },
			isEnded: after.counts.isEnded || after.held.clients < before.held.clients,
		};
	}

	async #heap(): Promise<number> {
		let bytes = 0;
		for (let at = 0; at < COLLECTIONS; at++)
			bytes = Number(await this.#stand.measured.ask({ kind: "collect" }));
		return bytes;
	}

	async #call({ neighbours: clients, neighbourPauseMs: pauseMs }: Sizes): Promise<void> {
		const { port, directPort: appPort = port } = this.#stand;
		const doors: readonly Door[] = [
			{ name: "through the proxy", port, path: HUB_PATH, clients, pauseMs, isUneven: true },
			{ name: "by the proxy itself", port, path: OWN_HUB_PATH },
			{ name: "by the app server, without a proxy", port: appPort, path: HUB_PATH },
		];
		await this.#ask({ kind: "call", doors });
		await this.#ask({ kind: "calling" });
	}

	async #come({ kind, isPast = false }: Neighbour): Promise<void> {
		if (!kind) return;
		const { port, directPort: appPort = port } = this.#stand;
		await this.#tell({ kind: "come", job: { kind, port: isPast ? appPort : port, appPort } });
		if (kind === "flooder") return;
		await this.#fill(FILLED_BYTES[kind]);
		await this.#tell({ kind: "keep-telling" });
	}

	/** The system takes some megabytes: only then anything waits at the proxy. */
	async #fill(bytes: number): Promise<void> {
		let { most } = await this.#held();
		for (let fills = 0; most < bytes; { most } = await this.#held()) {
			if (fills++ === MOST_FILLS)
				throw new BenchError("a slow reader took all that it was told: nothing waits at the proxy");
			await this.#tell({ kind: "fill", messages: most === 0 ? FIRST_FILL : FURTHER_FILL });
		}
	}

	async #look(kind: NeighbourKind | undefined): Promise<Look> {
		const counts = kind ? ((await this.#tell({ kind: "counts" })) as NeighbourCounts) : NOBODY;
		return {
			...{ counts, held: await this.#held(), at: moment(), cores: coreTimes() },
			times: this.#processes.map(({ pid }) => processTimes(pid)),
		};
	}

	get #processes(): Child[] {
		const { measured, other = measured } = this.#stand;
		return [measured, other, this.#probes, this.#neighbour];
	}

	async #held(): Promise<HeldBytes> {
		return (await this.#stand.measured.ask({ kind: "held" })) as HeldBytes;
	}

	#tell(request: NeighbourRequest): Promise<unknown> {
		return this.#neighbour.ask(request);
	}

	#ask(request: ProbesRequest): Promise<unknown> {
		return this.#probes.ask(request);
	}
}
