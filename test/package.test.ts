import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);

interface Manifest {
	readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
	readonly scripts: Readonly<Record<string, string>>;
}

describe("package", function () {
	this.timeout(60_000);
	const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
	const targets = Object.values(manifest.exports)
		.flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)))
		.map((target) => target.replace("./", ""));

	it("builds before it is packed, and then holds every file that its exports name", async function () {
		assert.match(manifest.scripts["prepack"] ?? "", /build/);
		if (!existsSync("dist/lib/index.js")) {
			console.log("      skipped: nothing is built (npm test builds first)");
			this.skip();
		}
		const { stdout } = await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"]);
		const [packed] = JSON.parse(stdout) as [{ readonly files: readonly { readonly path: string }[] }];
		const paths = new Set(packed.files.map(({ path }) => path));
		assert.deepEqual(
			targets.filter((target) => !paths.has(target)),
			[],
		);
		for (const path of ["README.md", "PROTOCOL.md", "LICENSE", "docs/errors.md"])
			assert.ok(paths.has(path), path);
		assert.ok(![...paths].some((path) => /^(?:test|bench|app-server|proxy-server)\//.test(path)));
	});

	it("is reached by its own name, entry by entry", async () => {
		const names = Object.keys(manifest.exports).filter((entry) => !entry.endsWith(".json"));
		for (const entry of names) {
			const module = (await import(entry.replace(".", "trunkline"))) as object;
			assert.ok(Object.keys(module).length > 0, entry);
		}
	});
});
