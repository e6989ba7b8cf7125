// Decides whether node_modules holds what package-lock.json says, and installs from the lock file when it does not.
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ROOT, run, runNode, ScriptError } from "./command.mjs";

function readJson(path) {
	try {
		return JSON.parse(readFileSync(path, "utf8"));
	} catch {
		return undefined;
	}
}

function isSame(wanted, installed) {
	return wanted.version === installed.version && wanted.integrity === installed.integrity;
}

/**
 * True when every package of the lock file is installed in its version and nothing else is. npm writes down what it
 * installed in node_modules/.package-lock.json; packages for other platforms are not there.
 */
export function isInstalled(root) {
	const wanted = readJson(join(root, "package-lock.json"))?.packages;
	const installed = readJson(join(root, "node_modules/.package-lock.json"))?.packages;
	if (!wanted || !installed) return false;
	const missing = Object.entries(wanted).some(([path, { optional, devOptional }]) => {
		return path !== "" && !optional && !devOptional && !installed[path];
	});
	if (missing) return false;
	return Object.entries(installed).every(([path, entry]) => {
		return wanted[path] && isSame(wanted[path], entry) && existsSync(join(root, path, "package.json"));
	});
}

/** npm as it was called, so that `npm start` installs with the npm that runs it. */
function runNpm(parameters) {
	const path = process.env.npm_execpath;
	if (path && basename(path) === "npm-cli.js") return runNode(path, parameters);
	return run("npm", parameters, { shell: process.platform === "win32" });
}

/** Installs the packages of the lock file where they are not there. */
export async function install() {
	if (isInstalled(ROOT)) return;
	console.log("trunkline: installing the packages of package-lock.json");
	// NODE_ENV=production would leave out what the build needs.
	const code = await runNpm(["ci", "--include=dev", "--no-audit", "--no-fund"]);
	if (code !== 0) throw new ScriptError(`the packages could not be installed (npm ci ended with ${code})`);
}
