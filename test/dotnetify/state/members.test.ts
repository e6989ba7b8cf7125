import assert from "node:assert/strict";
import { MulticastViewModel, RoutableViewModel, ViewModel } from "../../../lib/dotnetify/index.js";
import { classMembers, fieldsOf, isField } from "../../../lib/dotnetify/state/members.js";

class Base extends ViewModel {
	static hidden = ["Secret", "Forget"];
	static itemKeys = { Items: "Id", Old: "Key" };
	static commands = ["Save", "NoMethod"];
	BaseField = 1;
	Secret = 2;
	Items: object[] = [];
	_private = 3;
	#hard = 4;
	get Computed(): number {
		return this.#hard;
	}
	get Both(): number {
		return this.#hard;
	}
	set Both(value: number) {
		this.#hard = value;
	}
	set Only(value: number) {
		this.#hard = value;
	}
	Save(): void {}
	Forget(): void {}
	_internal(): void {}
	override onCreated(): void {}
	override dispose(): void {}
}

class Derived extends Base {
	static override itemKeys = { Old: "NewKey", Items: "Id" };
	DerivedField = 1;
	override get Both(): number {
		return 1;
	}
	Extra(): void {}
}

describe("dotnetify/state/members", () => {
	it("reaches own fields in the order of their declaration, base class first", () => {
		const viewModel = new Derived();
		assert.deepEqual(fieldsOf(viewModel, classMembers(viewModel)), ["BaseField", "Items", "DerivedField"]);
	});

	it("reaches the methods and accessors of every class below ViewModel, none of ViewModel and Object", () => {
		const { methods, accessors } = classMembers(new Derived());
		assert.deepEqual([...methods].sort(), ["Extra", "Save"]);
		assert.deepEqual(
			[...accessors].map(([name, { canRead, canWrite }]) => [name, canRead, canWrite]),
			[
				["Both", true, false],
				["Computed", true, false],
				["Only", false, true],
			],
		);
	});

	it("merges static itemKeys, the derived class's over the base's, and lists commands that are methods", () => {
		const { itemKeys, commands } = classMembers(new Derived());
		assert.deepEqual(Object.fromEntries(itemKeys), { Items: "Id", Old: "NewKey" });
		assert.deepEqual(commands, ["Save"]);
	});

	it("never takes inherited or hidden names for fields", () => {
		const viewModel = new Derived();
		const members = classMembers(viewModel);
		for (const name of [
			"__proto__",
			"constructor",
			"toString",
			"Secret",
			"_private",
			"pushUpdates",
			"Save",
			"",
		]) {
			assert.equal(isField(viewModel, members, name), false, name);
		}
	});

	it("hides the framework's members of multicast and routable view models too", () => {
		class Chat extends MulticastViewModel {
			override groupName(): string {
				return "x";
			}
		}
		class Pages extends RoutableViewModel {
			override onRouted(): void {}
		}
		for (const viewModel of [new Chat(), new Pages()]) {
			const { methods, accessors } = classMembers(viewModel);
			assert.deepEqual([...methods, ...accessors.keys()], []);
		}
	});

	it("refuses a field that hides a member of the framework", () => {
		class Clash extends ViewModel {}
		const viewModel = Object.defineProperty(new Clash(), "headers", { value: 1, enumerable: true });
		assert.throws(() => fieldsOf(viewModel, classMembers(viewModel)), {
			code: "ERR_VIEW_MODEL_FIELD",
			message: /^Clash\.headers hides a member of its base class/,
		});
	});
});
