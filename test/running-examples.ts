import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Servers of the documentation that run, each in a process of its own. */
export class RunningExamples {
	/** Within the repository, so that examples find its packages and `trunkline` itself. */
	readonly folder: string;
	readonly #children: ChildProcess[] = [];

	constructor(name: string) {
		this.folder = join(process.cwd(), "temp", `${name}-${process.pid}`);
		mkdirSync(this.folder, { recursive: true });
	}

	/** Runs a module with these variables beside the environment's; resolves when its last line was reached. */
	async start(name: string, code: string, variables: Readonly<Record<string, string>> = {}): Promise<void> {
		const file = join(this.folder, `${name}.ts`);
		writeFileSync(file, `${code}\nconsole.log("listening");\n`);
		const child = spawn(process.execPath, ["--import=tsx", file], {
			env: { ...process.env, ...variables },
			stdio: ["ignore", "pipe", "inherit"],
		});
		this.#children.push(child);
		await Promise.race([
			once(child.stdout as NodeJS.ReadableStream, "data"),
			once(child, "exit").then(() => Promise.reject(new Error(`The example "${name}" has ended.`))),
		]);
	}

	/** Ends all, and removes what was written. */
	async close(): Promise<void> {
		for (const child of this.#children) {
			const isOver = child.exitCode !== null || child.signalCode !== null;
			if (isOver) continue;
			const ended = once(child, "exit");
			child.kill("SIGKILL");
			await ended;
		}
		rmSync(this.folder, { recursive: true, force: true });
	}
}
