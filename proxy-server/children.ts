import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

/** A program of this repository that `npm start` runs. */
export interface ChildPlan {
	readonly name: string;
	/** Compiled file, relative to `dist/`. */
	readonly program: string;
	readonly environment: Readonly<Record<string, string>>;
}

/** A child that ended although nobody asked it to. */
export interface LostChild {
	readonly name: string;
	readonly how: string;
}

/** How long children may take over their end before they are killed, in milliseconds. */
const STOP_TIMEOUT_MS = 8_000;

const DIST = new URL("../", import.meta.url);
const LEASH = new URL("./leash.js", import.meta.url).href;

/** A port of 127.0.0.1 that nobody listens on: `wanted` where it is free, else any. */
export async function freePort(wanted: number): Promise<number> {
	const probe = createServer();
	try {
		probe.listen(wanted, "127.0.0.1");
		await once(probe, "listening");
	} catch (error) {
		if (wanted === 0) throw error;
		return freePort(0);
	}
	const address = probe.address();
	probe.close();
	await once(probe, "close");
	return typeof address === "object" && address !== null ? address.port : wanted;
}

function spawnChild(plan: ChildPlan): ChildProcess {
	const program = fileURLToPath(new URL(plan.program, DIST));
	return spawn(process.execPath, ["--import", LEASH, program], {
		env: { ...plan.environment },
		stdio: ["ignore", "inherit", "inherit", "ipc"],
		// A group of its own: Ctrl-C reaches only the parent, which then ends the children in its order.
		detached: true,
	});
}

function howItEnded(code: number | null, signal: NodeJS.Signals | null): string {
	return signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
}

/** The children of `npm start`. Fires "lost" once, for the first one that ends without being asked to. */
export class Children extends EventEmitter<{ lost: [LostChild] }> {
	readonly #running = new Map<ChildProcess, string>();
	#isStopping = false;

	/** Starts a child; its output goes where ours goes. */
	start(plan: ChildPlan): void {
		const child = spawnChild(plan);
		this.#running.set(child, plan.name);
		child.once("error", (error) => this.#onEnd(child, `cannot be started (${error.message})`));
		child.once("exit", (code, signal) => this.#onEnd(child, howItEnded(code, signal)));
	}

	/**
	 * Asks the children to end, the last one started first, each when the one before is gone: a proxy that outlives its
	 * app server would complain about it. Kills what has not ended in time.
	 */
	async stop(): Promise<void> {
		this.#isStopping = true;
		const timer = setTimeout(() => {
			for (const child of this.#running.keys()) child.kill("SIGKILL");
		}, STOP_TIMEOUT_MS);
		for (const child of [...this.#running.keys()].reverse()) {
			const ended = once(child, "exit").catch(() => undefined);
			child.kill("SIGTERM");
			await ended;
		}
		clearTimeout(timer);
	}

	#onEnd(child: ChildProcess, how: string): void {
		const name = this.#running.get(child);
		this.#running.delete(child);
		if (name === undefined || this.#isStopping) return;
		this.#isStopping = true;
		this.emit("lost", { name, how });
	}
}
