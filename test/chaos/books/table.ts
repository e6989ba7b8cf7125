import type { Account, Reconciliation } from "./reconcile.js";

const COLUMNS: readonly (readonly [title: string, of: keyof Account])[] = [
	["sent", "sent"],
	["delivered", "delivered"],
	["doubled", "doubled"],
	["reordered", "reordered"],
	["lost", "lost"],
	["reported", "reported"],
	["in flight at its end", "atEnd"],
	["with its process", "withProcess"],
	["in silence", "silent"],
	["reported, yet delivered", "reportedYetDelivered"],
];

function counts(of: ReadonlyMap<string, number>): string {
	if (of.size === 0) return "none";
	return [...of].map(([name, count]) => `${count} × ${name}`).join(", ");
}

/** Rows of text, in columns; the first one aligned to the left. */
export function columns(rows: readonly (readonly string[])[]): string {
	const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
	const cell = (text: string, at: number): string =>
		at === 0 ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0);
	return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}

/** What became of all messages, for people. */
export function tableOf({ up, down, ticks, calls, works }: Reconciliation): string {
	const row = (name: string, account: Account): string[] => [
		name,
		...COLUMNS.map(([, of]) => account[of].toLocaleString("en")),
	];
	const rows = [
		["", ...COLUMNS.map(([title]) => title)],
		row("client to app server", up),
		row("app server to client", down),
		row("app server to everyone", ticks),
	];
	const { made, answered, over, unanswered, rejected } = calls;
	return [
		columns(rows),
		`calls: ${made} made, ${answered} answered, ${over} ended with their connection, ${unanswered} never answered; errors: ${counts(rejected)}`,
		`streams, uploads, questions: ${works.done} done, ${works.over} ended with their connection; errors: ${counts(works.refused)}`,
	].join("\n");
}
