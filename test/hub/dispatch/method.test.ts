import assert from "node:assert/strict";
import { bindMethods, method } from "../../../lib/hub/dispatch/method.js";
import type { ArgumentSchema, HubMethods, InvocationContext } from "../../../lib/hub/index.js";

const CTX = {} as InvocationContext<never>;

function schema<T>(check: (value: unknown) => T): ArgumentSchema<T> {
	const validate = (value: unknown) => {
		try {
			return { value: check(value) };
		} catch (error) {
			return { issues: [{ message: (error as Error).message }] };
		}
	};
	return { "~standard": { version: 1, vendor: "test", validate } };
}

const number = schema((value) => {
	if (typeof value !== "number") throw new Error("not a number");
	return value + 0.5;
});

function bound(methods: object, name: string) {
	const found = bindMethods(methods as HubMethods<never>).get(name);
	assert(found);
	return found;
}

describe("hub/dispatch/method", () => {
	it("finds a method by its lower-case name and keeps the declared one", () => {
		assert.equal(bound({ SendAll: () => 1 }, "sendall").name, "SendAll");
	});

	it("gives the context first, then the arguments", async () => {
		const { bind, call } = bound({ echo: (...all: unknown[]) => all }, "echo");
		assert.deepEqual(call(CTX, await bind([1, "b"])), [CTX, 1, "b"]);
	});

	it("refuses reserved names, whatever their case", () => {
		const reserved = [
			"constructor",
			"toString",
			"TOSTRING",
			"valueOf",
			"hasOwnProperty",
			"onConnected",
			"_x",
			"#x",
		];
		for (const name of reserved) {
			assert.throws(
				() => bindMethods({ [name]: () => 1 }),
				{ code: "ERR_OPTION", message: /reserved/ },
				name,
			);
		}
	});

	it("refuses two names that differ by case only", () => {
		assert.throws(() => bindMethods({ add: () => 1, Add: () => 1 }), {
			code: "ERR_OPTION",
			message: /twice/,
		});
	});

	it("takes generators for streams, and functions that are declared to be", () => {
		const methods = bindMethods({
			plain: () => [1],
			*list() {
				yield 1;
			},
			async *stream() {
				yield 1;
			},
			declared: method({ stream: true }, () => [1]),
			generator: method({ args: [] as const }, async function* () {
				yield 1;
			}),
		});
		const streaming = [...methods.values()].filter(({ isStreaming }) => isStreaming).map(({ name }) => name);
		assert.deepEqual(streaming, ["list", "stream", "declared", "generator"]);
	});

	it("refuses a number of streams that is none", () => {
		for (const streams of [-1, 0.5, Number.NaN]) {
			assert.throws(() => bindMethods({ a: method({ streams }, () => 1) }), {
				code: "ERR_OPTION",
				message: /"streams"/,
			});
		}
	});

	it("refuses options of a method that nobody would notice to be wrong", () => {
		const refused = (options: object, message: RegExp): void =>
			assert.throws(() => method(options, () => 1), { code: "ERR_OPTION", message });
		refused({ authorise: () => false }, /method has no option "authorise": did you mean "authorize"\?/);
		refused({ roles: ["admin"] }, /"roles": it takes args, streams, stream, authorize/);
		refused({ authorize: false }, /"authorize" must be a function/);
		refused({ stream: "no" }, /"stream" must be true or false/);
	});

	it("refuses a schema that is none", () => {
		for (const wrong of [String, {}, null, "string", { "~standard": {} }]) {
			const args = [number, wrong] as ArgumentSchema[];
			assert.throws(() => bindMethods({ a: method({ args }, () => 1) }), {
				code: "ERR_OPTION",
				message: /"a" has something else than a schema for argument 2/,
			});
		}
	});

	it("counts arguments without streams", () => {
		const bound = bindMethods({
			a: method({ streams: 1 }, (_ctx, _x: number, _items: AsyncIterable<number>) => 1),
		}).get("a");
		assert.deepEqual(bound?.bind([1]), [1]);
		assert.throws(() => bound?.bind([]), { code: "ERR_ARGUMENTS", message: /0 argument\(s\).*expects 1/ });
	});

	it("refuses what is no method", () => {
		for (const wrong of [1, "x", {}, null, undefined]) {
			assert.throws(() => bindMethods({ a: wrong as never }), {
				code: "ERR_OPTION",
				message: /"a" must be a function/,
			});
		}
	});

	it("binds own properties only", () => {
		for (const name of ["__proto__", "constructor", "tostring"])
			assert.equal(bindMethods({}).get(name), undefined);
	});

	it("refuses a table that inherits: what its writer takes for a method would be unknown to clients", () => {
		class Chat {
			send(): void {}
		}
		class Room extends Chat {
			text = () => "";
		}
		const inheriting = [new Chat(), new Room(), Object.create({ send: () => 1 }), new Map()];
		for (const methods of inheriting) {
			assert.throws(() => bindMethods(methods as HubMethods<never>), {
				code: "ERR_OPTION",
				message: /Hub method "\w+" is inherited, and only own properties/,
			});
		}
		for (const methods of [[], "send", 5, () => 1]) {
			assert.throws(() => bindMethods(methods as unknown as HubMethods<never>), {
				code: "ERR_OPTION",
				message: /"methods" must be an object/,
			});
		}
	});

	it("takes modules, objects without a prototype, and instances of classes that only have fields", async () => {
		class Fields {
			readonly send = (): string => "sent";
		}
		const module = (await import("./method-module.js")) as object;
		const bare = Object.assign(Object.create(null) as object, { send: () => "sent" });
		for (const methods of [module, bare, new Fields()]) {
			assert.equal(bound(methods, "send").call(CTX, []), "sent");
		}
	});

	it("asks for the arguments that a method requires, and lets more pass", async () => {
		const { bind } = bound({ add: (_ctx: unknown, _a: unknown, _b: unknown, _c = 1) => 1 }, "add");
		assert.throws(() => bind([1]), {
			code: "ERR_ARGUMENTS",
			message: "Invocation provides 1 argument(s) but target expects 2.",
		});
		assert.deepEqual(await bind([1, 2]), [1, 2]);
		assert.deepEqual(await bind([1, 2, 3, 4]), [1, 2, 3, 4]);
	});

	it("takes any number for a method without parameters", async () => {
		assert.deepEqual(await bound({ none: () => 1 }, "none").bind([]), []);
	});

	it("checks declared arguments and passes on what the schema made of them", async () => {
		const { bind, call } = bound({ add: method({ args: [number, number] }, (_ctx, a, b) => a + b) }, "add");
		assert.equal(call(CTX, await bind([1, 2])), 4);
		await assert.rejects(async () => bind([1]), { code: "ERR_ARGUMENTS" });
		await assert.rejects(async () => bind([1, 2, 3]), { code: "ERR_ARGUMENTS" });
		await assert.rejects(async () => bind([1, "2"]), {
			code: "ERR_ARGUMENTS",
			message: "Argument 2 was refused: not a number",
		});
	});
});
