import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { ERROR_CODES } from "../lib/index.js";

// npm scripts run at the repository root, whichever of test/ and dist/test/ this file runs from.
const root = pathToFileURL(`${process.cwd()}/`);
const textOf = (file: string): string => readFileSync(new URL(file, root), "utf8");

interface Pattern {
	readonly group: readonly string[];
}

interface Override {
	readonly includes: readonly string[];
	readonly linter?: {
		readonly rules?: {
			readonly style?: {
				readonly noRestrictedImports?: { readonly options: { readonly patterns: readonly Pattern[] } };
			};
		};
	};
}

function overridesOf(room: string): readonly Override[] {
	const { overrides } = JSON.parse(textOf("biome.json")) as { readonly overrides: readonly Override[] };
	return overrides.filter(({ includes }) => includes.some((glob) => glob.startsWith(`lib/${room}/`)));
}

/** Rooms that an override lets in, by the indexes that stand in its allow-list. */
function allowedBy(override: Override): string[] {
	const groups =
		override.linter?.rules?.style?.noRestrictedImports?.options.patterns.flatMap(({ group }) => group) ?? [];
	assert.ok(groups.includes("../**"), "the rule refuses everything that it does not let in");
	return groups.flatMap((glob) => /^!(?:\.\.\/)+(\w+)\/index\.js$/.exec(glob)?.[1] ?? []).sort();
}

function importTable(): Map<string, string[]> {
	const rows = [...textOf("ARCHITECTURE.md").matchAll(/^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$/gm)];
	return new Map(
		rows.map(([, room = "", may = ""]) => [
			room,
			may.trim() === "nothing"
				? []
				: may
						.split(",")
						.map((name) => name.trim())
						.sort(),
		]),
	);
}

const rooms = readdirSync(new URL("lib", root), { withFileTypes: true })
	.filter((entry) => entry.isDirectory())
	.map(({ name }) => name);

describe("architecture", () => {
	it("has every room of lib in the import table", () => {
		assert.deepEqual([...importTable().keys()].sort(), [...rooms].sort());
	});

	for (const room of rooms) {
		it(`lets ${room} import what the table says, at every depth`, () => {
			const overrides = overridesOf(room);
			assert.ok(overrides.length > 0, `biome.json has no import rule for lib/${room}`);
			for (const override of overrides) assert.deepEqual(allowedBy(override), importTable().get(room));
		});
	}

	it("gives every error code a heading in docs/errors.md, and no other", () => {
		const headings = [...textOf("docs/errors.md").matchAll(/^## (ERR_\w+)$/gm)].map(([, code]) => code);
		assert.deepEqual(headings, [...ERROR_CODES]);
	});
});
