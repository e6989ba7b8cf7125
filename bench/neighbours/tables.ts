import { verdict } from "../competitors/targets.js";
import { spreadText, type Table } from "../report.js";
import { type Spread, spreadOf } from "../trial.js";
import type { Neighbour, Phase } from "./street.js";

/** What others may take beside a flooder, × what they take beside nobody. */
const FLOODED = 1.5;
/** Up to here what they take beside a slow reader is unchanged. */
const UNCHANGED = 1.1;
const MIB = 1024 * 1024;
/** What a slow reader may take at the proxy. */
const SLOW_MIB = 2;
/** Share of a core above which work of others spoils a figure. */
const DISTURBED = 0.1;
/** The door that is the proxy: the first one. */
const PROXY = 0;

/** What everything is compared with. */
export const NOBODY: Neighbour = { title: "nobody" };

/** What was measured beside each neighbour, round by round. */
export type Rounds = ReadonlyMap<Neighbour, readonly Phase[]>;

type Quantile = "p50Ms" | "p99Ms";

interface Figure {
	/** Which one of the doors. */
	readonly door: number;
	readonly quantile: Quantile;
}

function of(phases: readonly Phase[], value: (phase: Phase, round: number) => number): Spread {
	return spreadOf(phases.map(value));
}

/** What calls at a door took, beside what they took beside nobody in the same round. */
function ratioOf(rounds: Rounds, neighbour: Neighbour, { door, quantile }: Figure): Spread {
	const base = rounds.get(NOBODY) ?? [];
	const taken = (phase: Phase | undefined): number => phase?.probes[door]?.[quantile] ?? Number.NaN;
	return of(rounds.get(neighbour) ?? [], (phase, round) => taken(phase) / taken(base[round]));
}

/** What the proxy has grown by, beside what it had beside nobody in the same round, in MiB. */
function growthOf(rounds: Rounds, neighbour: Neighbour, value: "resident" | "heap"): Spread {
	const base = rounds.get(NOBODY) ?? [];
	return of(
		rounds.get(neighbour) ?? [],
		(phase, round) => (phase[value] - (base[round]?.[value] ?? Number.NaN)) / MIB,
	);
}

/** What calls took at each door beside each neighbour. */
export function callTable(rounds: Rounds): Table {
	const doors = rounds.get(NOBODY)?.[0]?.probes ?? [];
	return [
		["answered", "beside", "calls", "p50 ms", "p50 ×", "p99 ms", "p99 ×", "longest ms"],
		...doors.flatMap(({ name }, door) =>
			[...rounds].map(([neighbour, phases]) => {
				const ms = (quantile: Quantile | "maxMs"): string =>
					spreadText(
						of(phases, ({ probes }) => probes[door]?.[quantile] ?? Number.NaN),
						2,
					);
				const times = (quantile: Quantile): string =>
					neighbour === NOBODY ? "" : spreadText(ratioOf(rounds, neighbour, { door, quantile }), 2);
				const calls = of(phases, ({ probes }) => probes[door]?.calls ?? 0).median;
				return [
					...[name, neighbour.title, calls.toFixed(0), ms("p50Ms"), times("p50Ms")],
					...[ms("p99Ms"), times("p99Ms"), ms("maxMs")],
				];
			}),
		),
	];
}

const SHARES = [
	["proxy", "core 0: proxy"],
	["proxyStrangers", "others' work"],
	["app", "core 1: app server"],
	["callers", "those who call"],
	["neighbour", "neighbour"],
	["strangers", "others' work"],
] as const;

/** What the neighbours did, what the cores did, and what the proxy held. */
export function loadTable(rounds: Rounds): Table {
	return [
		[
			...["beside", "sent per s", "handled per s", ...SHARES.map(([, title]) => title)],
			...["KiB held for one client", "MiB more, resident", "MiB more, heap and buffers", "ended"],
		],
		...[...rounds].map(([neighbour, phases]) => {
			const perSecond = (value: (phase: Phase) => number): string =>
				of(phases, (phase) => value(phase) / phase.seconds).median.toFixed(0);
			const { kind } = neighbour;
			return [
				...[neighbour.title, kind ? perSecond(({ sent }) => sent) : ""],
				kind === "flooder" ? perSecond(({ handled }) => handled) : "",
				...SHARES.map(([share]) => `${Math.round(of(phases, ({ busy }) => busy[share]).median * 100)}%`),
				spreadText(
					of(phases, ({ held }) => held / 1024),
					0,
				),
				...(["resident", "heap"] as const).map((value) =>
					neighbour === NOBODY ? "" : spreadText(growthOf(rounds, neighbour, value), 2),
				),
				kind ? String(phases.filter(({ isEnded }) => isEnded).length) : "",
			];
		}),
	];
}

/** Whether a target is reached; a figure that others' work has spoiled does not count. */
function judged(rounds: Rounds, neighbour: Neighbour, isReached: boolean): string {
	const both = [NOBODY, neighbour].map((one) => rounds.get(one) ?? []);
	const most = (share: "proxyStrangers" | "strangers"): number =>
		Math.max(...both.map((phases) => of(phases, ({ busy }) => busy[share]).median));
	const strangers = [most("proxyStrangers"), most("strangers")];
	if (strangers.every((share) => share <= DISTURBED)) return verdict(isReached, true);
	const shares = strangers.map((share, core) => `core ${core} for ${Math.round(share * 100)}%`);
	return `${verdict(isReached, true)} (others had ${shares.join(", ")}: does not count)`;
}

function p99Row(rounds: Rounds, neighbour: Neighbour, target: readonly [string, number]): string[] {
	const [text, most] = target;
	const ratio = ratioOf(rounds, neighbour, { door: PROXY, quantile: "p99Ms" });
	const judgement = judged(rounds, neighbour, ratio.median <= most);
	return [`p99 of the others beside ${neighbour.title}, ×`, text, spreadText(ratio, 2), judgement];
}

/** A slow reader can find room that others have left: then the heap is more than what the process grows by. */
function memoryRow(rounds: Rounds, neighbour: Neighbour): string[] {
	const [resident, heap] = [growthOf(rounds, neighbour, "resident"), growthOf(rounds, neighbour, "heap")];
	const growth = heap.median > resident.median ? heap : resident;
	return [
		...[`MiB more at the proxy for ${neighbour.title}`, `< ${SLOW_MIB}`],
		...[spreadText(growth, 2), verdict(growth.median < SLOW_MIB, true)],
	];
}

/** What was to be reached, and what was. */
export function targetTable(rounds: Rounds): Table {
	const judgedOnes = [...rounds.keys()].filter(({ kind, isPast }) => kind && !isPast);
	return [
		["target", "aim", "found", "verdict"],
		...judgedOnes.flatMap((neighbour) =>
			neighbour.kind === "flooder"
				? [p99Row(rounds, neighbour, [`< ${FLOODED.toFixed(2)}`, FLOODED])]
				: [
						p99Row(rounds, neighbour, [`unchanged: ≤ ${UNCHANGED.toFixed(2)}`, UNCHANGED]),
						memoryRow(rounds, neighbour),
					],
		),
	];
}
