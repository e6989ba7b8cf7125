import assert from "node:assert/strict";
import fc from "fast-check";
import type { ListOperation } from "../../../lib/dotnetify/state/list-changes.js";
import { changeMessages, Tracker } from "../../../lib/dotnetify/state/tracker.js";
import { Subject } from "../subject.js";

interface Fields {
	[name: string]: unknown;
	Id?: unknown;
}

function trackerOf(viewModel: object, maxQueuedListChanges = 100): Tracker {
	return new Tracker(viewModel, { maxQueuedListChanges, onEmission: () => {}, onObservableError: () => {} });
}

function messagesOf(tracker: Tracker): Fields[] {
	const { members, lists } = tracker.takeChanges();
	return changeMessages(members, lists).map((text) => JSON.parse(text) as Fields);
}

class Lists {
	static itemKeys = { Items: "Id" };
	Items: { Id: number; Name?: string; Age?: number }[] = [{ Id: 1, Name: "a" }];
	Points: unknown[] = [];
	Other = 1;
}

/** A client's lists as the stock client changes them (dotnetify-vm.js: $addList, $updateList, $removeList). */
class StockClient {
	state: Record<string, unknown> & { Items?: unknown };

	constructor(state: string) {
		this.state = JSON.parse(state) as StockClient["state"];
	}

	merge(message: Fields): void {
		for (const [name, value] of Object.entries(message)) {
			const [, list = "", operation] = /^(.*)_(add|update|remove)$/.exec(name) ?? [];
			if (operation) this.#change(list, operation as ListOperation, value);
			else this.state[name] = value;
		}
	}

	#change(list: string, operation: ListOperation, value: unknown): void {
		const items = this.state[list] as Fields[];
		if (operation === "remove") {
			const keys = Array.isArray(value) ? value : [value];
			this.state[list] = items.filter((item) => !keys.some((key) => item.Id === key));
			return;
		}
		if (Array.isArray(value) && !Array.isArray(items[0] ?? [])) {
			for (const each of value) this.#change(list, operation, each);
			return;
		}
		const item = value as Fields;
		const isThere = items.some((each) => each.Id === item.Id);
		if (operation === "add") {
			assert.ok(list !== "Items" || !isThere, "the stock client refuses a key that it has");
			items.push(item);
		} else this.state[list] = items.map((each) => (each.Id === item.Id ? { ...each, ...item } : each));
	}
}

describe("dotnetify/state/tracker", () => {
	it("writes fields, getters, commands and item keys in that order", () => {
		class All extends Lists {
			static commands = ["Save"];
			get Sum(): number {
				return this.Other + 1;
			}
			Save(): void {}
		}
		assert.equal(
			trackerOf(new All()).fullState(),
			'{"Items":[{"Id":1,"Name":"a"}],"Points":[],"Other":1,"Sum":2,"Save":null,"Items_itemKey":"Id"}',
		);
	});

	it("takes each change once, primitives by value and objects by content", () => {
		const viewModel = { A: 1, B: { x: [1] }, C: Number.NaN, D: undefined as unknown };
		const tracker = trackerOf(viewModel);
		tracker.fullState();
		assert.deepEqual(messagesOf(tracker), []);
		viewModel.A = 2;
		viewModel.B.x.push(2);
		viewModel.D = null;
		assert.deepEqual(messagesOf(tracker), [{ A: 2, B: { x: [1, 2] } }]);
		assert.deepEqual(messagesOf(tracker), []);
		viewModel.B = { x: [1, 2] };
		assert.deepEqual(messagesOf(tracker), []);
	});

	it("sends a member that was forced although it is the same, once", () => {
		const tracker = trackerOf({ A: 1, B: 2 });
		tracker.fullState();
		tracker.force("A");
		tracker.force("Nothing");
		assert.deepEqual(messagesOf(tracker), [{ A: 1 }]);
		assert.deepEqual(messagesOf(tracker), []);
	});

	it("takes nothing when a getter throws", () => {
		let isBroken = false;
		class Broken {
			A = 1;
			get B(): number {
				if (isBroken) throw new Error("no");
				return 1;
			}
		}
		const viewModel = new Broken();
		const tracker = trackerOf(viewModel);
		tracker.fullState();
		viewModel.A = 2;
		isBroken = true;
		assert.throws(() => tracker.takeChanges(), /no/);
		isBroken = false;
		assert.deepEqual(messagesOf(tracker), [{ A: 2 }]);
	});

	it("names class, field, what it holds and the cure for a field that is not data", () => {
		class Shop extends Lists {
			cache = new Map();
		}
		assert.throws(() => trackerOf(new Shop()).fullState(), {
			code: "ERR_VIEW_MODEL_FIELD",
			message: /^Shop\.cache holds a Map.*#cache.*_cache.*static hidden = \["cache"\]/,
		});
	});

	describe("lists", () => {
		it("changes the field and sends only the change", () => {
			const viewModel = new Lists();
			const tracker = trackerOf(viewModel);
			tracker.fullState();
			tracker.changeList("Items", "add", { Id: 2 });
			tracker.changeList("Items", "update", { Id: 1, Age: 5 });
			tracker.changeList("Items", "remove", 2);
			assert.deepEqual(viewModel.Items, [{ Id: 1, Name: "a", Age: 5 }]);
			assert.deepEqual(messagesOf(tracker), [
				{ Items_add: { Id: 2 }, Items_update: { Id: 1, Age: 5 }, Items_remove: 2 },
			]);
		});

		it("does not apply what the field shows already", () => {
			const viewModel = new Lists();
			const tracker = trackerOf(viewModel);
			tracker.fullState();
			const item = { Id: 2 };
			viewModel.Items.push(item);
			tracker.changeList("Items", "add", item);
			viewModel.Items.shift();
			tracker.changeList("Items", "remove", 1);
			assert.deepEqual(viewModel.Items, [{ Id: 2 }]);
			assert.deepEqual(messagesOf(tracker), [{ Items_add: { Id: 2 }, Items_remove: 1 }]);
		});

		it("loses none of several changes, and keeps their order", () => {
			const tracker = trackerOf(new Lists());
			tracker.fullState();
			tracker.changeList("Items", "add", [{ Id: 2 }, { Id: 3 }]);
			tracker.changeList("Items", "remove", [2, 3]);
			tracker.changeList("Items", "add", { Id: 2 });
			assert.deepEqual(messagesOf(tracker), [
				{ Items_add: [{ Id: 2 }, { Id: 3 }], Items_remove: [2, 3] },
				{ Items_add: { Id: 2 } },
			]);
		});

		it("never batches what the stock client would take for one item", () => {
			const tracker = trackerOf(new Lists());
			tracker.fullState();
			tracker.changeList("Points", "add", [["1", "x"]]);
			tracker.changeList("Points", "add", ["2", "y"]);
			assert.deepEqual(messagesOf(tracker), [{ Points_add: ["1", "x"] }, { Points_add: ["2", "y"] }]);
		});

		it("sends an added key that clients have as an update", () => {
			const tracker = trackerOf(new Lists());
			tracker.fullState();
			tracker.changeList("Items", "add", { Id: 1, Name: "b" });
			assert.deepEqual(messagesOf(tracker), [{ Items_update: { Id: 1, Name: "b" } }]);
		});

		it("sends the whole list when it was also changed otherwise", () => {
			const viewModel = new Lists();
			const tracker = trackerOf(viewModel);
			tracker.fullState();
			tracker.changeList("Items", "add", { Id: 2 });
			viewModel.Items.reverse();
			assert.deepEqual(messagesOf(tracker), [{ Items: [{ Id: 2 }, { Id: 1, Name: "a" }] }]);
		});

		it("compares the list behind a getter and leaves it to its owner", () => {
			const rows = [{ Id: 1 }];
			class Getter {
				static itemKeys = { Rows: "Id" };
				get Rows(): object[] {
					return rows.map((row) => ({ ...row }));
				}
			}
			const tracker = trackerOf(new Getter());
			tracker.fullState();
			tracker.changeList("Rows", "add", { Id: 2 });
			rows.push({ Id: 2 });
			assert.deepEqual(messagesOf(tracker), [{ Rows_add: { Id: 2 } }]);
		});

		it("sends the whole list when more changes wait than may", () => {
			const viewModel = new Lists();
			const tracker = trackerOf(viewModel, 3);
			tracker.fullState();
			for (let id = 2; id <= 5; id++) tracker.changeList("Items", "add", { Id: id });
			assert.deepEqual(messagesOf(tracker), [{ Items: viewModel.Items }]);
			tracker.changeList("Items", "remove", 5);
			assert.deepEqual(messagesOf(tracker), [{ Items_remove: 5 }]);
		});

		it("refuses what is no list and what has no key", () => {
			const tracker = trackerOf(new Lists());
			assert.throws(() => tracker.changeList("Other", "add", 1), { code: "ERR_VIEW_MODEL" });
			assert.throws(() => tracker.changeList("toString", "add", 1), { code: "ERR_VIEW_MODEL" });
			assert.throws(() => tracker.changeList("Points", "remove", 1), /static itemKeys = \{ Points: "…" \}/);
			assert.throws(() => tracker.changeList("Items", "add", { Id: 9, f: () => {} }), {
				code: "ERR_VIEW_MODEL_FIELD",
			});
		});

		it("keeps full state = last full state + what was sent, whatever is done", () => {
			const id = fc.integer({ min: 1, max: 4 });
			const item = fc.record({ Id: id, Name: fc.constantFrom("a", "b"), Age: id }, { requiredKeys: ["Id"] });
			const step = fc.oneof(
				fc.record({
					do: fc.constant("add" as const),
					item: fc.oneof(item, fc.array(item, { maxLength: 3 })),
				}),
				fc.record({ do: fc.constant("update" as const), item }),
				fc.record({ do: fc.constant("remove" as const), item: fc.oneof(id, fc.array(id, { maxLength: 3 })) }),
				fc.record({ do: fc.constant("push" as const) }),
				fc.record({ do: fc.constant("reverse" as const) }),
				fc.record({ do: fc.constant("direct" as const), item }),
			);
			fc.assert(
				fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
					const viewModel = new Lists();
					const tracker = trackerOf(viewModel, 6);
					const client = new StockClient(tracker.fullState());
					const push = (): void => {
						for (const message of messagesOf(tracker)) client.merge(message);
						assert.deepEqual(client.state.Items, JSON.parse(JSON.stringify(viewModel.Items)));
					};
					for (const each of steps) {
						if (each.do === "push") push();
						else if (each.do === "reverse") viewModel.Items.reverse();
						else if (each.do === "direct") {
							if (viewModel.Items.every(({ Id }) => Id !== each.item.Id)) viewModel.Items.unshift(each.item);
						} else tracker.changeList("Items", each.do, each.item);
					}
					push();
				}),
				{ numRuns: 300 },
			);
		});
	});

	describe("observables", () => {
		it("sends the latest emission, follows a field that gets another observable, and lets go", () => {
			const first = new Subject(1);
			const second = new Subject(7);
			const viewModel = { A: first };
			const tracker = trackerOf(viewModel);
			assert.equal(tracker.fullState(), '{"A":1}');
			first.next(2);
			assert.deepEqual(messagesOf(tracker), [{ A: 2 }]);
			viewModel.A = second;
			assert.deepEqual(messagesOf(tracker), [{ A: 7 }]);
			assert.deepEqual([first.observers, second.observers], [0, 1]);
			tracker.stop();
			assert.equal(second.observers, 0);
		});
	});
});
