import assert from "node:assert/strict";
import fc from "fast-check";
import { ViewModel } from "../../../lib/dotnetify/index.js";
import { Tracker } from "../../../lib/dotnetify/state/tracker.js";
import { applyUpdate, isEcho, type SentValue } from "../../../lib/dotnetify/state/update.js";
import { Subject } from "../subject.js";

class Point {
	x = 1;
	inner = { deep: "d" };
}

class Target extends ViewModel {
	static hidden = ["Hidden"];
	static itemKeys = { Items: "Id", Keyed: "Key" };
	Text = "t";
	Flag = false;
	Nested = { A: { B: 1 }, List: [1, 2] };
	Items = [{ Id: 1, Name: "a" }];
	Keyed = [{ Key: "k", Value: 1 }];
	Point = new Point();
	Frozen = Object.freeze({ A: 1 });
	Stream = new Subject("s");
	Hidden = { A: 1 };
	_private = { A: 1 };
	called: unknown[] = [];
	unresolved: string[] = [];
	#set = 0;
	get Computed(): number {
		return this.#set;
	}
	set Computed(value: number) {
		this.#set = value;
	}
	get Fixed(): { A: number } {
		return { A: 1 };
	}
	Items_get(key: unknown): object | undefined {
		return this.Items.find(({ Id }) => Id === key);
	}
	async Command(argument: unknown): Promise<void> {
		await Promise.resolve();
		this.called.push(argument);
	}
	override onUnresolvedUpdate(path: string): void {
		this.unresolved.push(path);
	}
}

function setUp(): {
	viewModel: Target;
	apply: (path: string, value: unknown) => Promise<void>;
	tracker: Tracker;
} {
	const viewModel = new Target();
	const tracker = new Tracker(viewModel, {
		maxQueuedListChanges: 9,
		onEmission: () => {},
		onObservableError: () => {},
	});
	const onUnresolved = (path: string): void => viewModel.onUnresolvedUpdate(path);
	return {
		viewModel,
		tracker,
		apply: (path, value) => applyUpdate({ viewModel, tracker, onUnresolved }, path, value),
	};
}

describe("dotnetify/state/update", () => {
	it("writes fields, setters, nested fields, list items and observables, converted to the type that is there", async () => {
		const { viewModel, apply } = setUp();
		await apply("Text", 5);
		await apply("Flag", "True");
		await apply("Nested.A.B", "2");
		await apply("Items.$1.Name", "b");
		await apply("Point.inner.deep", "e");
		await apply("Computed", "4");
		await apply("Stream", "u");
		assert.deepEqual(
			[
				viewModel.Text,
				viewModel.Flag,
				viewModel.Nested,
				viewModel.Items,
				viewModel.Keyed,
				viewModel.Computed,
			],
			["5", true, { A: { B: 2 }, List: [1, 2] }, [{ Id: 1, Name: "b" }], [{ Key: "k", Value: 1 }], 4],
		);
		assert.equal(viewModel.Point.inner.deep, "e");
		assert.equal(viewModel.Stream.map(String).map((text) => text.length).observers, 0);
		assert.deepEqual(viewModel.unresolved, []);
	});

	it("calls a method with what was sent and awaits it", async () => {
		const { viewModel, apply } = setUp();
		await apply("Command", JSON.parse('{"a":1,"__proto__":{"b":2}}'));
		assert.deepEqual(viewModel.called, [{ a: 1 }]);
	});

	const unreachable = [
		...[
			"NoSuch",
			"Hidden",
			"Hidden.A",
			"_private",
			"_private.A",
			"Fixed",
			"pushUpdates",
			"onCreated",
			"dispose",
		],
		...[
			"__proto__",
			"__proto__.x",
			"constructor",
			"constructor.prototype.x",
			"Nested.__proto__",
			"Nested.__proto__.x",
		],
		...[
			"Nested.constructor.prototype.x",
			"Nested.New",
			"Nested.A.B.C",
			"Nested.List.length",
			"Nested.List.5",
			"Text.length",
		],
		...[
			"Items.$9.Name",
			"Items.$1",
			"Items.$1.__proto__.x",
			"Items.push",
			"Frozen.A",
			"Stream.next",
			"Command.name",
			"",
		],
		...[
			".",
			"..",
			"Nested.",
			"$1",
			"Keyed.$__proto__.x",
			"Keyed.$k.Value",
			"Keyed.0.Value",
			"Nested.List.0",
			"Items.0.Name",
			"toString",
			"hasOwnProperty",
			"instanceId",
			"Point.constructor.name",
		],
	];
	for (const path of unreachable) {
		it(`does not reach ${JSON.stringify(path)}`, async () => {
			const { viewModel, apply, tracker } = setUp();
			const before = tracker.fullState();
			await apply(path, { polluted: 1 });
			viewModel.unresolved.length = 0;
			assert.equal(tracker.fullState(), before);
			assert.deepEqual([viewModel.Hidden, viewModel._private], [{ A: 1 }, { A: 1 }]);
			assert.equal(({} as { polluted?: number }).polluted, undefined);
			assert.equal(({} as { x?: number }).x, undefined);
		});
	}

	it("touches nothing undeclared, whatever paths and values come", async () => {
		const names = [
			"Text",
			"Nested",
			"A",
			"B",
			"List",
			"Items",
			"$1",
			"Name",
			"Point",
			"inner",
			"Stream",
			"Hidden",
			"Frozen",
		];
		const evil = [
			"__proto__",
			"constructor",
			"prototype",
			"toString",
			"0",
			"length",
			"",
			"_private",
			"next",
			"Id",
			"$",
		];
		const segment = fc.oneof(fc.constantFrom(...names, ...evil), fc.string({ maxLength: 5 }));
		const path = fc.array(segment, { minLength: 1, maxLength: 6 }).map((segments) => segments.join("."));
		const globals = (): unknown =>
			[
				Object.prototype,
				Array.prototype,
				Function.prototype,
				ViewModel.prototype,
				Target.prototype,
				Point.prototype,
			].map((each) => Object.getOwnPropertyDescriptors(each));
		const before = globals();
		const own = Reflect.ownKeys(new Target());
		await fc.assert(
			fc.asyncProperty(fc.array(fc.tuple(path, fc.jsonValue()), { maxLength: 8 }), async (updates) => {
				const { viewModel, apply } = setUp();
				for (const [at, value] of updates)
					await apply(at, value).catch((thrown: Error) => assert.match(thrown.name, /Exception$/));
				assert.deepEqual(Reflect.ownKeys(viewModel), own);
				assert.equal(Object.getPrototypeOf(viewModel), Target.prototype);
				assert.deepEqual([viewModel.Hidden, viewModel._private], [{ A: 1 }, { A: 1 }]);
			}),
			{ numRuns: 500 },
		);
		assert.deepEqual(globals(), before);
	});

	describe("isEcho", () => {
		const echo = (before: unknown, after: unknown, ...sent: SentValue[]): boolean =>
			isEcho(
				{
					name: "M",
					text: JSON.stringify(after),
					before: { value: undefined, text: JSON.stringify(before) },
				},
				sent,
				"Id",
			);

		it("is true for what the client sent, also as text and by path", () => {
			assert.ok(echo("a", "b", ["M", "b"]));
			assert.ok(echo(1, 3, ["M", "3"]));
			assert.ok(echo(false, true, ["M", "True"]));
			assert.ok(echo({ A: { B: 1 }, C: 1 }, { A: { B: 2 }, C: 1 }, ["M.A.B", "2"]));
			assert.ok(echo([{ Id: 1, N: "a" }], [{ Id: 1, N: "b" }], ["M.$1.N", "b"]));
			assert.ok(echo({ A: 1 }, { A: 2 }, ["M", { A: 2 }]));
		});

		it("is false where anything else changed too, or the value is another one", () => {
			assert.ok(!echo("a", "b"));
			assert.ok(!echo("a", "", ["M", null]));
			assert.ok(!echo("a", "B", ["M", "b"]));
			assert.ok(!echo({ A: 1, C: 1 }, { A: 2, C: 2 }, ["M.A", 2]));
			assert.ok(!echo([{ Id: 1, N: "a" }], [{ Id: 2, N: "b" }], ["M.$1.N", "b"]));
			assert.ok(!echo("a", "b", ["Mother", "b"]));
		});
	});
});
