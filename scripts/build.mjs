// Compiles what is stale: TypeScript by project references, the pages of the app server by the content of their sources.
import "./check-node.mjs";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT, runNode, ScriptError, script } from "./command.mjs";

const PAGES_CONFIG = "app-server/vite.config.ts";
const PAGES_BUILT = "dist/pages/index.html";
const PAGES_STAMP = "dist/pages.stamp";

function filesBelow(folder) {
	return readdirSync(join(ROOT, folder), { withFileTypes: true })
		.flatMap((entry) =>
			entry.isDirectory() ? filesBelow(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`],
		)
		.sort();
}

/** One hash over everything that the pages are made of. */
function pagesHash() {
	const hash = createHash("sha256");
	for (const path of [...filesBelow("app-server"), "package-lock.json"]) {
		const content = readFileSync(join(ROOT, path));
		hash.update(`${path}\0${content.length}\0`).update(content);
	}
	return hash.digest("hex");
}

function stampedHash() {
	const stamp = join(ROOT, PAGES_STAMP);
	return existsSync(stamp) && existsSync(join(ROOT, PAGES_BUILT)) ? readFileSync(stamp, "utf8") : undefined;
}

async function buildPages() {
	const hash = pagesHash();
	if (stampedHash() === hash) return;
	const parameters = ["build", "--config", PAGES_CONFIG, "--logLevel", "warn"];
	const code = await runNode("node_modules/vite/bin/vite.js", parameters);
	if (code !== 0) throw new ScriptError("the pages of the app server could not be built");
	mkdirSync(join(ROOT, "dist"), { recursive: true });
	writeFileSync(join(ROOT, PAGES_STAMP), hash);
}

async function compile(projects) {
	const code = await runNode("node_modules/typescript/bin/tsc", ["-b", ...projects]);
	if (code !== 0) throw new ScriptError("the TypeScript sources could not be compiled");
}

/** Removes all that was built. The compiler never removes what a deleted source had become. */
export function clean() {
	for (const folder of ["dist", "coverage"]) rmSync(join(ROOT, folder), { recursive: true, force: true });
}

/** Builds what is stale; `projects` are folders with a tsconfig.json, none for all. */
export async function build(projects = []) {
	await compile(projects);
	await buildPages();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await script(() => build());
