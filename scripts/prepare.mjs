// What every verb does first: the Node version, the packages of the lock file, and a build of what is stale.
import "./check-node.mjs";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { build, clean } from "./build.mjs";
import { ROOT, ScriptError } from "./command.mjs";
import { install } from "./install.mjs";

/** What the servers need; the tests are compiled only for themselves. */
export const SERVERS = ["lib", "proxy-server", "app-server"];

const LOCK = join(ROOT, "temp/prepare.lock");
const LOCK_POLL_MS = 200;
const LOCK_TIMEOUT_MS = 300_000;

function takeLock() {
	try {
		writeFileSync(LOCK, String(process.pid), { flag: "wx" });
		return true;
	} catch (error) {
		if (error.code === "EEXIST") return false;
		throw new ScriptError(`the repository's folder cannot be written to (${error.code})`);
	}
}

function isHeld() {
	let pid;
	try {
		pid = Number(readFileSync(LOCK, "utf8"));
		process.kill(pid, 0);
		return true;
	} catch (error) {
		// No such process: its owner died. Somebody else's process: it lives.
		return error.code === "EPERM";
	}
}

/** Two verbs started at the same time must not install or build over each other. */
async function locked(body) {
	mkdirSync(join(ROOT, "temp"), { recursive: true });
	for (let waited = 0; !takeLock(); waited += LOCK_POLL_MS) {
		if (!isHeld()) rmSync(LOCK, { force: true });
		else if (waited > LOCK_TIMEOUT_MS) throw new ScriptError(`another build has not ended (${LOCK})`);
		else await wait(LOCK_POLL_MS);
	}
	const release = () => rmSync(LOCK, { force: true });
	process.once("exit", release);
	try {
		return await body();
	} finally {
		process.off("exit", release);
		release();
	}
}

/** Installs and builds what is missing or stale. */
export function prepareServers() {
	return locked(async () => {
		await install();
		await build(SERVERS);
	});
}

/** Installs and builds what the benchmark needs. */
export function prepareBench() {
	return locked(async () => {
		await install();
		await build([...SERVERS, "bench"]);
	});
}

/** Installs and builds what the tests need, for programs beside them, without building anew what is there. */
export function prepareTestPrograms() {
	return locked(async () => {
		await install();
		await build(["test"]);
	});
}

/** Installs what is missing and builds everything anew, tests included. */
export function prepareTests() {
	return locked(async () => {
		await install();
		clean();
		await build();
	});
}
