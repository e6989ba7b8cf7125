import type { AppBook } from "./app-book.js";
import { isNamed, type LifeBook } from "./life-book.js";
import { Sequence } from "./sequence.js";

/** All that is known when a run is over. */
export interface Evidence {
	readonly lives: readonly LifeBook[];
	readonly app: AppBook;
	/** How many messages a proxy took of each connection; not there where it was killed. */
	readonly taken: ReadonlyMap<string, number>;
	/** Reports of undeliverable messages, by connection id and target. */
	readonly reports: ReadonlyMap<string, number>;
	/** Processes that were killed: proxies as `place.incarnation`, app servers by their incarnation. */
	readonly killed: ReadonlySet<string | number>;
	/** Times in which a process was asked to end in order, in milliseconds of `performance.now()`. */
	readonly stops: readonly { readonly from: number; readonly to: number }[];
	/** What processes complained of. */
	readonly faults: readonly string[];
}

/** What became of messages in one direction: sent = delivered + lost, and every lost one is in one of the last columns. */
export interface Account {
	sent: number;
	delivered: number;
	doubled: number;
	reordered: number;
	lost: number;
	/** Lost, and there is an event for it, or its call was answered with a named error. */
	reported: number;
	/** Lost, and on its way when its connection ended. */
	atEnd: number;
	/** Lost with the process that had taken it over, or was to send it, and was killed. */
	withProcess: number;
	/** Lost, and nobody was told. */
	silent: number;
	/** Reported, and yet delivered: whoever reported it could not know. */
	reportedYetDelivered: number;
}

/** The result of comparing the books of both ends. */
export interface Reconciliation {
	readonly up: Account;
	readonly down: Account;
	readonly ticks: Account;
	readonly calls: {
		readonly made: number;
		readonly answered: number;
		readonly over: number;
		readonly unanswered: number;
		readonly rejected: ReadonlyMap<string, number>;
	};
	readonly works: {
		readonly done: number;
		readonly over: number;
		readonly refused: ReadonlyMap<string, number>;
	};
	/** Whatever must never be. */
	readonly faults: readonly string[];
}

/** Keys of {@link Evidence.reports}. */
export function reportKey(connectionId: string, target: string): string {
	return `${connectionId} ${target}`;
}

function emptyAccount(): Account {
	const counts = { sent: 0, delivered: 0, doubled: 0, reordered: 0, lost: 0, reported: 0 };
	return { ...counts, atEnd: 0, withProcess: 0, silent: 0, reportedYetDelivered: 0 };
}

function addSequence(account: Account, { count, doubled, reordered }: Sequence): void {
	account.delivered += count;
	account.doubled += doubled;
	account.reordered += reordered;
}

/** Messages that events were written for; each event stands for one lost message. */
function report(account: Account, unexplained: number, reports: number): void {
	const explained = Math.min(unexplained, reports);
	account.reported += explained;
	account.silent += unexplained - explained;
	account.reportedYetDelivered += reports - explained;
}

function wasStopped({ stops }: Evidence, { endedAt }: LifeBook): boolean {
	return stops.some(({ from, to }) => endedAt >= from && endedAt <= to);
}

/** Whether its proxy was killed while it was open. */
function endedWithProxy({ killed }: Evidence, { proxy, end }: LifeBook): boolean {
	return killed.has(proxy) && end?.how === "lost";
}

function reconcileUp(account: Account, book: LifeBook, evidence: Evidence): void {
	const came = evidence.app.up(book.life);
	addSequence(account, came);
	account.sent += book.sent;
	const taken = evidence.taken.get(book.connectionId) ?? 0;
	const isProxyKilled = endedWithProxy(evidence, book);
	const mayLoseEnd = wasStopped(evidence, book);
	let unexplained = 0;
	for (const number of came.lost(book.sent)) {
		account.lost++;
		if (book.rejected.has(number)) account.reported++;
		else if (isProxyKilled) account.withProcess++;
		else if (book.over.has(number)) account.atEnd++;
		else if (book.pending.has(number)) account.silent++;
		else if (!book.isWhole && number > came.last && (number > taken || mayLoseEnd)) account.atEnd++;
		else unexplained++;
	}
	report(account, unexplained, evidence.reports.get(reportKey(book.connectionId, "note")) ?? 0);
}

function reconcileDown(account: Account, book: LifeBook, evidence: Evidence): void {
	let unexplained = 0;
	for (const [incarnation, sent] of evidence.app.downs.get(book.life) ?? []) {
		const came = book.downs.get(incarnation) ?? new Sequence();
		addSequence(account, came);
		account.sent += sent;
		for (const number of came.lost(sent)) {
			account.lost++;
			if (number < came.last) unexplained++;
			else if (evidence.killed.has(incarnation) || endedWithProxy(evidence, book)) account.withProcess++;
			else if (!book.isWhole) account.atEnd++;
			else unexplained++;
		}
	}
	report(account, unexplained, evidence.reports.get(reportKey(book.connectionId, "down")) ?? 0);
}

/** To whom a message to everyone was to go is not written down: only what is missing between two that came is known. */
function reconcileTicks(account: Account, book: LifeBook): void {
	for (const came of book.ticks.values()) {
		addSequence(account, came);
		account.sent += came.count + came.missing.size;
		account.lost += came.missing.size;
		account.silent += came.missing.size;
	}
}

function faultsOf(book: LifeBook): string[] {
	const unnamed = [...book.rejected].filter(([, code]) => !isNamed(code));
	return [
		...book.wrong,
		...book.works.wrong,
		...unnamed.map(([number, text]) => `call ${number} failed without a named error: ${text}`),
	];
}

function add(counts: Map<string, number>, name: string, amount = 1): void {
	counts.set(name, (counts.get(name) ?? 0) + amount);
}

/** Compares the books of clients and app server. */
export function reconcile(evidence: Evidence): Reconciliation {
	const [up, down, ticks] = [emptyAccount(), emptyAccount(), emptyAccount()];
	const calls = { made: 0, answered: 0, over: 0, unanswered: 0, rejected: new Map<string, number>() };
	const works = { done: 0, over: 0, refused: new Map<string, number>() };
	for (const book of evidence.lives) {
		reconcileUp(up, book, evidence);
		reconcileDown(down, book, evidence);
		reconcileTicks(ticks, book);
		calls.answered += book.answered;
		calls.over += book.over.size;
		calls.unanswered += book.pending.size;
		for (const code of book.rejected.values()) add(calls.rejected, code);
		works.done += book.works.done;
		works.over += book.works.over;
		for (const [code, count] of book.works.refused) add(works.refused, code, count);
	}
	const rejected = [...calls.rejected.values()].reduce((sum, count) => sum + count, 0);
	calls.made = calls.answered + calls.over + calls.unanswered + rejected;
	return { up, down, ticks, calls, works, faults: [...evidence.faults, ...evidence.lives.flatMap(faultsOf)] };
}

/** What is wrong where both processes lived: anything that was not delivered once and in order. */
export function unlessExactlyOnce(found: Reconciliation): string[] {
	const complaints = [...unlessAccounted(found)];
	for (const [name, account] of [["up", found.up] as const, ["down", found.down] as const]) {
		if (account.lost > 0) complaints.push(`${name}: ${account.lost} lost`);
		if (account.reportedYetDelivered > 0)
			complaints.push(`${name}: ${account.reportedYetDelivered} reported without need`);
	}
	for (const [code, count] of [...found.calls.rejected, ...found.works.refused])
		complaints.push(`${count} × ${code}`);
	if (found.calls.over + found.works.over > 0)
		complaints.push(`${found.calls.over + found.works.over} calls ended with their connection`);
	return complaints;
}

/** What is wrong where processes died: anything that came twice, or too early, or is lost without a word. */
export function unlessAccounted(found: Reconciliation): string[] {
	const complaints = found.faults.slice(0, 20);
	for (const [name, account] of [["up", found.up] as const, ["down", found.down] as const]) {
		const { doubled, reordered, silent } = account;
		if (doubled > 0) complaints.push(`${name}: ${doubled} doubled`);
		if (reordered > 0) complaints.push(`${name}: ${reordered} reordered`);
		if (silent > 0) complaints.push(`${name}: ${silent} lost in silence`);
	}
	const { doubled, reordered, silent } = found.ticks;
	if (doubled + reordered + silent > 0)
		complaints.push(`to everyone: ${doubled} doubled, ${reordered} reordered, ${silent} missing`);
	if (found.calls.unanswered > 0) complaints.push(`${found.calls.unanswered} calls are not answered`);
	return complaints;
}
