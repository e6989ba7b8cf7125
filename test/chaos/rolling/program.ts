import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const IS_COMPILED = !import.meta.url.endsWith(".ts");

/** What a program of this folder tells its parent. */
export type Told =
	| { readonly port: number }
	| { readonly ready: true }
	| { readonly undeliverable: string }
	| { readonly fault: string };

/** A process of a deploy: started, asked to end, started again on its port. */
export class Program {
	readonly #file: string;
	readonly #settings: object;
	readonly #told: Told[] = [];
	#process: ChildProcess | undefined;
	#port = 0;

	constructor(name: "app" | "proxy", settings: object) {
		this.#file = fileURLToPath(new URL(`./${name}.${IS_COMPILED ? "js" : "ts"}`, import.meta.url));
		this.#settings = settings;
	}

	get port(): number {
		return this.#port;
	}

	get url(): string {
		return `http://127.0.0.1:${this.#port}`;
	}

	/** What went wrong in all processes that there were. */
	get troubles(): readonly string[] {
		return this.#told.flatMap((told) => {
			if ("undeliverable" in told) return told.undeliverable;
			return "fault" in told ? told.fault : [];
		});
	}

	/** Starts a process; resolves when it is ready for traffic. */
	async start(): Promise<void> {
		const execArgv = IS_COMPILED ? ["--enable-source-maps"] : ["--import=tsx"];
		const settings = JSON.stringify({ ...this.#settings, port: this.#port });
		const child = fork(this.#file, [settings], { execArgv });
		this.#process = child;
		await new Promise<void>((resolve, reject) => {
			child.on("message", (told: Told) => {
				this.#told.push(told);
				if ("port" in told) this.#port = told.port;
				if ("ready" in told) resolve();
			});
			child.once("exit", (code, signal) => reject(new Error(`a process ended with ${signal ?? code}`)));
		});
	}

	/** Asks it to end as an orchestrator does; resolves with its exit code. */
	async stop(): Promise<number | null> {
		const child = this.#process;
		if (!child || child.exitCode !== null) return child?.exitCode ?? null;
		const exited = once(child, "exit");
		child.kill("SIGTERM");
		const [code] = (await exited) as [number | null];
		return code;
	}

	/** Ends what is left of it. */
	kill(): void {
		this.#process?.kill("SIGKILL");
	}
}
