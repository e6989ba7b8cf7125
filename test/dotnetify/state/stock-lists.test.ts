import assert from "node:assert/strict";
import fc from "fast-check";
import type { ListOperation } from "../../../lib/dotnetify/state/list-changes.js";
import { changeMessages, Tracker } from "../../../lib/dotnetify/state/tracker.js";
import { StockViewModel } from "../stock-view-model.js";

class Lists {
	static readonly itemKeys = { Keyed: "Id" };
	Keyed: unknown[] = [];
	Plain: unknown[] = [];
	Count = 0;
	Note: unknown = null;

	get Getter(): unknown[] {
		return this.Plain.slice(0, 2);
	}
}

type List = "Keyed" | "Plain" | "Getter";
type Step =
	| { readonly do: "change"; readonly list: List; readonly operation: ListOperation; readonly with: unknown }
	| { readonly do: "assign"; readonly name: "Keyed" | "Plain" | "Count" | "Note"; readonly value: unknown }
	| { readonly do: "push" }
	| { readonly do: "whole" }
	| { readonly do: "behind" };

const key = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom("1", "a", ""));
/** Much of it is nothing that anybody should put into a list. */
const item = fc.oneof(
	{
		weight: 6,
		arbitrary: fc.record({ Id: key, A: fc.integer({ min: 0, max: 2 }) }, { requiredKeys: ["Id"] }),
	},
	fc.record({ A: fc.integer({ min: 0, max: 2 }), B: fc.constantFrom("x", null) }, { requiredKeys: ["A"] }),
	fc.record({ Id: fc.constantFrom(null, true, 1.5), A: fc.constant(1) }),
	fc.constantFrom<unknown>(0, 1, "", "x", null, false, [], [1], [[2]], [{ Id: 1 }]),
);
const list = fc.constantFrom<List>("Keyed", "Plain", "Getter");
const several = fc.oneof({ weight: 3, arbitrary: item }, fc.array(item, { maxLength: 3 }));
const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 5,
		arbitrary: fc.record({
			do: fc.constant("change" as const),
			list,
			operation: fc.constantFrom<ListOperation>("add", "add", "update"),
			with: several,
		}),
	},
	fc.record({
		do: fc.constant("change" as const),
		list,
		operation: fc.constant<ListOperation>("remove"),
		with: fc.oneof(key, fc.array(fc.oneof(key, fc.constantFrom(null, true)), { maxLength: 3 })),
	}),
	fc.record({
		do: fc.constant("assign" as const),
		name: fc.constantFrom("Keyed" as const, "Plain" as const),
		value: fc.array(item, { maxLength: 4 }),
	}),
	fc.record({
		do: fc.constant("assign" as const),
		name: fc.constantFrom("Count" as const, "Note" as const),
		value: fc.oneof(fc.nat(2), fc.constantFrom<unknown>(null, "x", { A: 1 })),
	}),
	fc.record({ do: fc.constantFrom("push" as const, "push" as const, "whole" as const, "behind" as const) }),
);

const OPTIONS = { onEmission: () => {}, onObservableError: () => {} };

/** A view model, and a page of the stock client's that shows it. */
class Pair {
	readonly viewModel = new Lists();
	readonly tracker = new Tracker(this.viewModel, { maxQueuedListChanges: 5, ...OPTIONS });
	readonly page = new StockViewModel();
	/** The page was not sent some changes: it has the whole next. */
	isBehind = false;

	constructor() {
		this.page.take(this.tracker.fullState());
	}

	run(step: Step): void {
		if (step.do === "change") this.#change(step.list, step.operation, step.with);
		else if (step.do === "assign") Object.assign(this.viewModel, { [step.name]: step.value });
		else if (step.do === "whole") this.whole();
		else if (step.do === "behind") this.isBehind = true;
		else this.push();
	}

	push(): void {
		const { members, lists } = this.tracker.takeChanges();
		if (this.isBehind) return;
		for (const text of changeMessages(members, lists)) this.page.take(text);
		this.#agree();
	}

	whole(): void {
		this.isBehind = false;
		this.page.take(this.tracker.fullState());
		this.#agree();
	}

	#change(name: List, operation: ListOperation, argument: unknown): void {
		try {
			this.tracker.changeList(name, operation, argument);
		} catch (thrown) {
			assert.equal((thrown as { code?: unknown }).code, "ERR_VIEW_MODEL");
		}
	}

	#agree(): void {
		const { Keyed, Plain, Count, Note, Getter } = this.viewModel;
		assert.deepEqual(
			{ ...this.page.state },
			JSON.parse(JSON.stringify({ Keyed, Plain, Count, Note, Getter })),
		);
	}
}

describe("dotnetify/state, in the stock client", () => {
	it("is the full state once all changes have come, whatever is done to lists", () => {
		fc.assert(
			fc.property(fc.array(step, { maxLength: 15 }), (steps) => {
				const pair = new Pair();
				for (const each of steps) pair.run(each);
				if (pair.isBehind) pair.whole();
				else pair.push();
			}),
			{ numRuns: 1_000 },
		);
	});
});
