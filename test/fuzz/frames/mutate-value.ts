import type { Random } from "./random.js";

const LONG = "x".repeat(5_000);

/** Values that code forgets: of other types, at the ends of ranges, with names that mean something to JavaScript. */
const VALUES: readonly [() => unknown, ...(() => unknown)[]] = [
	() => null,
	() => undefined,
	() => true,
	() => 0,
	() => -1,
	() => 0.5,
	() => Number.MAX_SAFE_INTEGER,
	() => Number.MAX_VALUE,
	() => -(2 ** 63),
	() => 4_294_967_296,
	() => "",
	() => "0",
	() => "__proto__",
	() => "constructor",
	() => "\u0000",
	() => "\ud800",
	() => "\u001e",
	() => LONG,
	() => [],
	() => ({}),
	() => [[]],
	() => nested(200),
	() => JSON.parse('{"__proto__":{"polluted":true}}'),
	() => ({ constructor: { prototype: { polluted: true } } }),
	() => ({ toString: 1, valueOf: 1, length: -1 }),
	() => JSON.parse('{"then":"x","type":7,"target":"echo"}'),
	() => new Array(300).fill(null),
];

function nested(depth: number): unknown {
	let value: unknown = 1;
	for (let k = 0; k < depth; k++) value = k % 2 === 0 ? [value] : { a: value };
	return value;
}

/** A value that has nothing to do with what was expected. */
export function oddValue(random: Random): unknown {
	return random.pick(VALUES)();
}

/** Another value with the same outline: one part of it is replaced, left out or put in twice. */
export function mutatedValue(value: unknown, random: Random): unknown {
	if (typeof value !== "object" || value === null || random.once(6)) return oddValue(random);
	return Array.isArray(value) ? mutatedArray(value, random) : mutatedObject(value, random);
}

function mutatedArray(value: readonly unknown[], random: Random): unknown {
	const copy = [...value];
	const at = random.below(copy.length);
	switch (random.below(4)) {
		case 0:
			copy.splice(at, 1);
			break;
		case 1:
			copy.splice(at, 0, random.once(2) ? copy[at] : oddValue(random));
			break;
		default:
			copy[at] = mutatedValue(copy[at], random);
	}
	return copy;
}

function mutatedObject(value: object, random: Random): unknown {
	const copy: Record<string, unknown> = { ...value };
	const names = Object.keys(copy);
	const name = names[random.below(names.length)] ?? "type";
	switch (random.below(5)) {
		case 0:
			delete copy[name];
			break;
		case 1:
			copy[random.pick(["target", "type", "headers", "result", "error", "item", "streamIds", "sequenceId"])] =
				oddValue(random);
			break;
		case 2:
			// An own property of that name, as JSON.parse makes it.
			Object.defineProperty(copy, "__proto__", { value: { polluted: true }, enumerable: true });
			break;
		default:
			copy[name] = mutatedValue(copy[name], random);
	}
	return copy;
}
