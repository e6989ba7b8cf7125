import type { IdleBytes, IdleResult } from "./idle.js";
import type { LinkBytes } from "./link.js";
import { BUSY_SHARE, type Spread, type TrialResult } from "./trial.js";

const FULL_CORE = 0.9;
const KEPT_SHARE = 0.03;

/** A table: the first row is its head. */
export type Table = readonly (readonly string[])[];

/** A median between the least and the most, with `digits` after the point. */
export function spreadText({ median, min, max }: Spread, digits: number): string {
	if (!Number.isFinite(median)) return "-";
	return `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;
}

function rate({ median, min, max }: Spread): string {
	if (!Number.isFinite(median)) return "-";
	return `${kilo(median)} (${kilo(min)}-${kilo(max)})`;
}

function kilo(value: number): string {
	return value >= 1_000 ? `${(value / 1_000).toFixed(1)}k` : value.toFixed(0);
}

function percent(share: number): string {
	return `${Math.round(share * 100)}%`;
}

function kilobytes({ median, min, max }: Spread): string {
	return spreadText({ median: median / 1024, min: min / 1024, max: max / 1024 }, 1);
}

/** Share of the time that it was given in which the measured process was busy. */
function filledShare({ busy, kept }: TrialResult): number {
	return busy.measured / Math.max(busy.measured, 1 - kept);
}

/** Whether the measured process set the pace, so that its figure counts. */
export function isFilled(result: TrialResult): boolean {
	return filledShare(result) >= BUSY_SHARE;
}

/** Why a figure does not count, or what else must be known of it. */
function verdict(result: TrialResult): string {
	const { busy, kept, otherCoreBusy } = result;
	const disturbed = kept > KEPT_SHARE ? `others had its core for ${percent(kept)}` : "";
	if (isFilled(result)) return disturbed;
	const servers = busy.other > 0 ? ` + other server ${percent(busy.other)}` : "";
	const sides = `load ${percent(busy.load)}${servers}`;
	// A load that spins fills its core whatever it has to do.
	const isFull = (servers === "" ? busy.load : otherCoreBusy) >= FULL_CORE;
	const rest = otherCoreBusy - busy.load - busy.other;
	const strangers = servers !== "" && rest > KEPT_SHARE ? ` + others' work ${percent(rest)}` : "";
	const why = `${isFull ? "the load's core was full" : "no side was full"}: ${sides}${strangers}`;
	return ["**does not count**", why, disturbed].filter((part) => part !== "").join("; ");
}

/** The table of some trials; `unit` is what is counted. */
export function trialTable(results: readonly TrialResult[], unit: string): Table {
	return [
		[
			...["row", "measured", `${unit} per CPU-s`, "other server's"],
			...[`${unit} per s`, "p50 / p99 µs", "busy", "note"],
		],
		...results.map((result) => [
			...[result.trial.name, result.measured, rate(result.perCpuSecond)],
			result.otherPerCpuSecond ? rate(result.otherPerCpuSecond) : "",
			...[kilo(result.perSecond.median), `${result.p50Us.median} / ${result.p99Us.median}`],
			...[percent(result.busy.measured), verdict(result)],
		]),
	];
}

/** What crosses the links. */
export function linkTable(results: readonly LinkBytes[]): Table {
	return [
		["row", "to the app server, bytes", "from the app server, bytes", "per"],
		...results.map(({ name, toAppServer, fromAppServer, unit, messages }) => [
			...[name, toAppServer.toFixed(1), fromAppServer.toFixed(1), `${unit} (of ${messages})`],
		]),
	];
}

/** What idle clients cost. */
export function idleTable(results: readonly IdleResult[]): Table {
	const bytes = ["KiB per client", "of it heap and buffers", "of the first ones"];
	return [
		["row", "clients", "measured", ...bytes, "at the app server", ...bytes.slice(1), "connects per CPU-s"],
		...results.map((result) => [
			...[result.one.name, String(result.clients), result.measured],
			...[...memoryCells(result.bytes), ...memoryCells(result.otherBytes)],
			rate(result.connectsPerCpuSecond),
		]),
	];
}

function memoryCells(bytes: IdleBytes | undefined): string[] {
	if (!bytes) return ["", "", ""];
	return [kilobytes(bytes.resident), kilobytes(bytes.heap), kilobytes(bytes.first)];
}

/** A table in Markdown, its columns aligned for those who read it as text. */
export function markdown(table: Table): string {
	const [head = [], ...rows] = table;
	const widths = head.map((_, column) => Math.max(3, ...table.map((row) => (row[column] ?? "").length)));
	const line = (cells: readonly string[]): string =>
		`| ${widths.map((width, column) => (cells[column] ?? "").padEnd(column < widths.length - 1 ? width : 0)).join(" | ")} |`;
	return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
