// Child processes of the scripts: their output is ours, and they end when we are told to.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The repository's root, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** A script that cannot go on; its message is one line for people. */
export class ScriptError extends Error {}

/** Set when a signal asked the script to end. */
let interrupted;

/** Runs a program in the repository's root; resolves with its exit code (128 and more for a signal). */
export function run(program, parameters, options = {}) {
	return new Promise((resolve, reject) => {
		const child = spawn(program, parameters, { cwd: ROOT, stdio: "inherit", ...options });
		const pass = (signal) => {
			interrupted = signal;
			child.kill(signal);
		};
		// Ctrl-C reaches the child too: only wait for it.
		const wait = () => {
			interrupted = "SIGINT";
		};
		process.on("SIGTERM", pass).on("SIGHUP", pass).on("SIGINT", wait);
		const finish = () => process.off("SIGTERM", pass).off("SIGHUP", pass).off("SIGINT", wait);
		child.once("error", (error) => {
			finish();
			reject(new ScriptError(`${program} cannot be started (${error.code ?? error.message})`));
		});
		child.once("exit", (code, signal) => {
			finish();
			resolve(code ?? (signal === "SIGINT" ? 130 : 143));
		});
	});
}

/** Runs a JavaScript program of an installed package. */
export function runNode(program, parameters, options) {
	return run(process.execPath, [program, ...parameters], options);
}

/** How often a script looks whether npm is still there, in milliseconds. */
const PARENT_POLL_MS = 250;

/**
 * npm starts a script through a shell. When npm is told to end, it ends that shell, which tells nobody: so a script
 * that npm has started ends when the process above it is gone.
 */
function endWithNpm() {
	if (process.env.npm_lifecycle_event === undefined) return;
	const { ppid } = process;
	const timer = setInterval(() => {
		if (process.ppid === ppid) return;
		clearInterval(timer);
		process.kill(process.pid, "SIGTERM");
	}, PARENT_POLL_MS);
	timer.unref();
}

/** Runs the body of a script; what goes wrong is one line, and the exit code is what the body returns. */
export async function script(body) {
	endWithNpm();
	try {
		const code = await body();
		if (code !== undefined) process.exit(code);
	} catch (error) {
		if (interrupted) process.exit(interrupted === "SIGINT" ? 130 : 143);
		if (!(error instanceof ScriptError)) throw error;
		console.error(`trunkline: ${error.message}`);
		process.exit(1);
	}
}
