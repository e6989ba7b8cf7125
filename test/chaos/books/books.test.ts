import assert from "node:assert/strict";
import fc from "fast-check";
import { ENTRY } from "../processes/journal.js";
import { AppBook } from "./app-book.js";
import { LifeBook } from "./life-book.js";
import { type Evidence, reconcile, reportKey, unlessAccounted, unlessExactlyOnce } from "./reconcile.js";
import { Sequence } from "./sequence.js";
import { tableOf } from "./table.js";

const ID = "connection";

/** A life that sent notes 1 to 5 and received two messages, and an app server that received what is given. */
function evidenceOf(
	came: readonly number[],
	more: Partial<Evidence> = {},
): { book: LifeBook; evidence: Evidence } {
	const book = new LifeBook(1, "proxy1.1");
	book.connectionId = ID;
	book.sent = 5;
	for (const number of [1, 2]) book.down(1, number);
	const app = new AppBook();
	for (const seq of came) app.take({ kind: ENTRY.note, incarnation: 1, life: 1, seq });
	for (const seq of [1, 2]) app.take({ kind: ENTRY.down, incarnation: 1, life: 1, seq });
	const evidence: Evidence = {
		...{ lives: [book], app, taken: new Map([[ID, 5]]), reports: new Map(), killed: new Set() },
		...{ stops: [], faults: [], ...more },
	};
	return { book, evidence };
}

const ALL = [1, 2, 3, 4, 5];

describe("chaos/books", () => {
	it("counts numbers that are doubled, late and missing, whatever comes", () => {
		fc.assert(
			fc.property(fc.array(fc.integer({ min: 1, max: 30 })), (numbers) => {
				const sequence = new Sequence();
				for (const number of numbers) sequence.take(number);
				const different = new Set(numbers);
				assert.equal(sequence.count, different.size);
				assert.equal(sequence.doubled, numbers.length - different.size);
				assert.deepEqual(
					sequence.lost(30),
					Array.from({ length: 30 }, (_, at) => at + 1).filter((number) => !different.has(number)),
				);
				assert.equal(
					sequence.reordered === 0,
					[...different].every((number, at, all) => at === 0 || number > (all[at - 1] ?? 0)),
				);
			}),
		);
	});

	it("has nothing to say where everything came once and in order", () => {
		const found = reconcile(evidenceOf(ALL).evidence);
		assert.deepEqual(unlessExactlyOnce(found), []);
		assert.equal(found.up.delivered, 5);
		assert.equal(found.down.delivered, 2);
		assert.match(tableOf(found), /client to app server +5 +5 +0/);
	});

	it("finds what is lost in silence, doubled or reordered, in each direction", () => {
		const complaints = (came: readonly number[]): string[] =>
			unlessAccounted(reconcile(evidenceOf(came).evidence));
		assert.deepEqual(complaints([1, 2, 4, 5]), ["up: 1 lost in silence"]);
		assert.deepEqual(complaints([1, 2, 2, 3, 4, 5]), ["up: 1 doubled"]);
		assert.deepEqual(complaints([1, 3, 2, 4, 5]), ["up: 1 reordered"]);
		const { book, evidence } = evidenceOf(ALL);
		evidence.app.take({ kind: ENTRY.down, incarnation: 1, life: 1, seq: 3 });
		book.down(1, 2);
		assert.deepEqual(unlessAccounted(reconcile(evidence)), ["down: 1 doubled", "down: 1 lost in silence"]);
	});

	it("takes a lost message that was reported, and says of a report without a loss that it was not needed", () => {
		const reports = new Map([[reportKey(ID, "note"), 2]]);
		const found = reconcile(evidenceOf([1, 2, 3, 5], { reports }).evidence);
		assert.deepEqual(unlessAccounted(found), []);
		assert.deepEqual([found.up.reported, found.up.reportedYetDelivered], [1, 1]);
		assert.deepEqual(unlessExactlyOnce(found), ["up: 1 lost", "up: 1 reported without need"]);
	});

	it("takes a lost end of a connection that ended, where the proxy never had it, or was killed", () => {
		const ended = (more: Partial<Evidence>): ReturnType<typeof reconcile> => {
			const { book, evidence } = evidenceOf([1, 2, 3], more);
			book.end = { how: "lost", allowReconnect: false };
			book.endedAt = 100;
			return reconcile(evidence);
		};
		assert.equal(ended({}).up.silent, 2, "the proxy took them");
		assert.equal(ended({ taken: new Map([[ID, 4]]) }).up.silent, 1);
		assert.equal(ended({ taken: new Map([[ID, 3]]) }).up.atEnd, 2);
		assert.equal(ended({ killed: new Set(["proxy1.1"]) }).up.withProcess, 2);
		assert.equal(ended({ stops: [{ from: 90, to: 110 }] }).up.atEnd, 2);
		assert.equal(ended({ stops: [{ from: 110, to: 120 }] }).up.silent, 2);
	});

	it("takes what a killed app server had still to send", () => {
		const { evidence } = evidenceOf(ALL);
		evidence.app.take({ kind: ENTRY.down, incarnation: 1, life: 1, seq: 3 });
		assert.equal(reconcile(evidence).down.silent, 1);
		assert.equal(reconcile({ ...evidence, killed: new Set([1]) }).down.withProcess, 1);
	});

	it("takes calls that fail by name, and no others", () => {
		const { book, evidence } = evidenceOf([1, 2, 3]);
		book.rejected.set(4, "ERR_FORWARD_LINK_LOST");
		book.rejected.set(5, "it did not work");
		const found = reconcile(evidence);
		assert.equal(found.up.reported, 2);
		assert.deepEqual(unlessAccounted(found), ["call 5 failed without a named error: it did not work"]);
		book.pending.add(6);
		assert.match(unlessAccounted(reconcile(evidence)).join(), /1 calls are not answered/);
	});

	it("finds what is missing of what everyone was sent, from the first one on", () => {
		const { book, evidence } = evidenceOf(ALL);
		for (const number of [7, 8, 10]) book.tick(1, number);
		assert.match(
			unlessAccounted(reconcile(evidence)).join(),
			/to everyone: 0 doubled, 0 reordered, 1 missing/,
		);
	});
});
