import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

interface Entry {
	readonly version: string;
	readonly integrity?: string;
	readonly optional?: boolean;
}

type Packages = Readonly<Record<string, Entry>>;

// The scripts are no part of the compiled tree; npm runs the tests at the repository's root.
const { isInstalled } = (await import(pathToFileURL("scripts/install.mjs").href)) as {
	isInstalled(root: string): boolean;
};

describe("scripts/install", () => {
	let root: string;

	beforeEach(() => {
		root = mkdtempSync(join(tmpdir(), "trunkline-install-"));
	});
	afterEach(() => rmSync(root, { recursive: true }));

	function write(
		lock: Packages,
		installed: Packages,
		present: readonly string[] = Object.keys(installed),
	): void {
		writeFileSync(
			join(root, "package-lock.json"),
			JSON.stringify({ packages: { "": { version: "0.1.0" }, ...lock } }),
		);
		mkdirSync(join(root, "node_modules"), { recursive: true });
		writeFileSync(join(root, "node_modules/.package-lock.json"), JSON.stringify({ packages: installed }));
		for (const path of present) {
			mkdirSync(join(root, path), { recursive: true });
			writeFileSync(join(root, path, "package.json"), "{}");
		}
	}

	const a: Packages = { "node_modules/a": { version: "1.0.0", integrity: "sha512-a" } };
	const b: Packages = { "node_modules/b": { version: "2.0.0", integrity: "sha512-b" } };
	const optional: Packages = {
		"node_modules/o": { version: "3.0.0", integrity: "sha512-o", optional: true },
	};

	it("is content with what the lock file says, without packages for other platforms", () => {
		write({ ...a, ...b, ...optional }, { ...a, ...b });
		assert.equal(isInstalled(root), true);
		write({ ...a, ...b, ...optional }, { ...a, ...b, ...optional });
		assert.equal(isInstalled(root), true);
	});

	it("sees that nothing is installed", () => {
		assert.equal(isInstalled(root), false);
	});

	const stale: readonly (readonly [what: string, installed: Packages])[] = [
		["a package that is missing", a],
		["another version", { ...a, "node_modules/b": { version: "2.0.1", integrity: "sha512-b" } }],
		["another content", { ...a, "node_modules/b": { version: "2.0.0", integrity: "sha512-x" } }],
		["a package that is no longer in the lock file", { ...a, ...b, "node_modules/c": { version: "1.0.0" } }],
	];
	for (const [what, installed] of stale) {
		it(`sees ${what}`, () => {
			write({ ...a, ...b, ...optional }, installed);
			assert.equal(isInstalled(root), false);
		});
	}

	it("sees a package whose folder was removed by hand", () => {
		write({ ...a, ...b }, { ...a, ...b }, Object.keys(a));
		assert.equal(isInstalled(root), false);
	});

	it("sees an install that broke off", () => {
		write({ ...a }, { ...a });
		writeFileSync(join(root, "node_modules/.package-lock.json"), '{"packages":');
		assert.equal(isInstalled(root), false);
	});
});
