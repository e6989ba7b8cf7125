import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { COMBINATIONS, type Combination, type Subject } from "./subject.js";

/** The hub on the real ASP.NET Core, built before. Its framework has no messagepack protocol. */
export class AspNetSubject implements Subject {
	readonly name = "ASP.NET Core";
	readonly combinations: readonly Combination[] = COMBINATIONS.filter(({ protocol }) => protocol === "json");
	readonly #program: string;
	#process: ChildProcessByStdio<Writable, Readable, null> | undefined;
	#url = "";

	/** `program` is the built assembly. */
	constructor(program: string) {
		this.#program = program;
	}

	get url(): string {
		return this.#url;
	}

	async open(): Promise<void> {
		const child = spawn("dotnet", [this.#program], { stdio: ["pipe", "pipe", "inherit"] });
		this.#process = child;
		const exited = once(child, "exit").then(([code]) => {
			throw new Error(`The ASP.NET Core hub ended with ${code} before it had told its url.`);
		});
		const [line] = (await Promise.race([once(createInterface(child.stdout), "line"), exited])) as [string];
		exited.catch(() => {});
		this.#url = line;
	}

	async close(): Promise<void> {
		const child = this.#process;
		if (!child || child.exitCode !== null || child.signalCode !== null) return;
		const exited = once(child, "exit");
		child.stdin.end();
		const patience = setTimeout(() => child.kill("SIGKILL"), 10_000);
		await exited;
		clearTimeout(patience);
	}

	another(): Subject {
		return new AspNetSubject(this.#program);
	}

	deviates(): boolean {
		return false;
	}
}
