/** Where the hub is. */
export const HUB_PATH = "/soak";

/** Counts of what a server holds, by name. */
export type Census = Readonly<Record<string, number>>;

/** What the parent asks a child. */
export type Request =
	/** Whole, or only what costs little: the rest stops the server for seconds where there are thousands of clients. */
	| { readonly kind: "census"; readonly isWhole: boolean }
	| { readonly kind: "pace" }
	| { readonly kind: "live"; readonly port: number; readonly clients: number; readonly seconds: number };

/** How busy the server was. */
export interface Pace {
	/** Since it began. */
	readonly cpuSeconds: number;
	/** Since it was asked last. */
	readonly longestPauseMs: number;
}

/** What clients went through. */
export interface Lives {
	/** Connections, by what carried them. */
	readonly connections: Readonly<Record<string, number>>;
	/** Ends, by how. */
	readonly ends: Readonly<Record<string, number>>;
	/** Work that was answered, and rightly so, by what it was. */
	readonly work: Readonly<Record<string, number>>;
	/** Wrong answers, and connections that ended; the first kinds of them. */
	readonly faults: Readonly<Record<string, number>>;
	/** Connects that failed; the first kinds of them. */
	readonly notLetIn: Readonly<Record<string, number>>;
}

/** A table's rows that count what must not be more than before, each with what may be left in caches. */
const KEPT_BY_CACHES: Readonly<Record<string, number>> = {
	"objects Map": 16,
	"objects Set": 16,
	"objects AbortController": 8,
	"objects Timeout": 8,
	"objects IncomingMessage": 8,
	"objects ServerResponse": 8,
};
/** By how much the heap may have grown, as a factor. */
const HEAP_GROWTH = 1.1;
/** The name of the heap's row, in bytes. */
export const HEAP = "heap bytes";

/** One line of the verdict. */
export interface Finding {
	readonly name: string;
	readonly before: number;
	/** Absent where it was not counted. */
	readonly during: number | undefined;
	readonly after: number;
	readonly isFine: boolean;
}

/** Compares what a server holds before the clients come and after they went. */
export function compare(
	before: Census,
	during: Census,
	after: Census,
	heapGrowth: number = HEAP_GROWTH,
): Finding[] {
	const names = [...new Set([before, during, after].flatMap((census) => Object.keys(census)))];
	return names.map((name) => {
		const [was, is] = [before[name] ?? 0, after[name] ?? 0];
		const most = name === HEAP ? was * heapGrowth : was + (KEPT_BY_CACHES[name] ?? 0);
		return { name, before: was, during: during[name], after: is, isFine: is <= most };
	});
}

/** Of so many connects one may fail: a machine that is full drops some before the server sees them. */
const CONNECTS_PER_FAILURE = 50;

function total(counts: Readonly<Record<string, number>>): number {
	return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Whether all was as it should be, and nothing is left. */
export function isFine(findings: readonly Finding[], { faults, notLetIn, connections }: Lives): boolean {
	return (
		findings.every((finding) => finding.isFine) &&
		total(faults) === 0 &&
		total(notLetIn) * CONNECTS_PER_FAILURE <= total(connections)
	);
}

/** The findings as text, in columns. */
export function table(findings: readonly Finding[]): string {
	const rows = findings.map(({ name, before, during, after, isFine }) =>
		[name, before, during ?? "", after, isFine ? "" : "LEFT"].map(String),
	);
	const all = [["", "before", "during", "after", ""], ...rows];
	const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
	const line = (cells: readonly string[]): string =>
		cells
			.map((cell, column) =>
				column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
			)
			.join("  ")
			.trimEnd();
	return all.map(line).join("\n");
}

/** Adds up what several processes' clients went through. */
export function sumOf(lives: readonly Lives[]): Lives {
	const sum = (part: (one: Lives) => Readonly<Record<string, number>>): Record<string, number> => {
		const total: Record<string, number> = {};
		for (const one of lives)
			for (const [name, count] of Object.entries(part(one))) total[name] = (total[name] ?? 0) + count;
		return total;
	};
	return {
		connections: sum(({ connections }) => connections),
		ends: sum(({ ends }) => ends),
		work: sum(({ work }) => work),
		faults: sum(({ faults }) => faults),
		notLetIn: sum(({ notLetIn }) => notLetIn),
	};
}
