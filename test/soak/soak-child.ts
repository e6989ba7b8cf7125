import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Census, Lives, Pace, Request } from "./report.js";

const IS_COMPILED = !import.meta.url.endsWith(".ts");

interface Answer {
	readonly result?: unknown;
	readonly error?: string;
}

/** The server or some of the clients, each a process of its own. */
export class SoakChild {
	readonly port: number;
	readonly #process: ChildProcess;

	private constructor(child: ChildProcess, port: number) {
		this.#process = child;
		this.port = port;
	}

	/** Starts a program of this folder. */
	static async start(program: "server" | "load", parameter?: number): Promise<SoakChild> {
		const file = fileURLToPath(new URL(`./${program}.${IS_COMPILED ? "js" : "ts"}`, import.meta.url));
		const loader = IS_COMPILED ? ["--enable-source-maps"] : ["--import=tsx"];
		const parameters = parameter === undefined ? [] : [String(parameter)];
		const child = fork(file, parameters, {
			execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning", ...loader],
		});
		return new SoakChild(child, Number(await answerOf(child)));
	}

	async census(isWhole: boolean): Promise<Census> {
		return (await this.#ask({ kind: "census", isWhole })) as Census;
	}

	async pace(): Promise<Pace> {
		return (await this.#ask({ kind: "pace" })) as Pace;
	}

	async live(request: { port: number; clients: number; seconds: number }): Promise<Lives> {
		return (await this.#ask({ kind: "live", ...request })) as Lives;
	}

	async stop(): Promise<void> {
		if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
		const gone = once(this.#process, "exit");
		this.#process.kill("SIGKILL");
		await gone;
	}

	#ask(request: Request): Promise<unknown> {
		const answer = answerOf(this.#process);
		this.#process.send(request);
		return answer;
	}
}

/** The next answer. @throws Error where it failed, or ended */
async function answerOf(child: ChildProcess): Promise<unknown> {
	const ended = new AbortController();
	const died = once(child, "exit", { signal: ended.signal }).then(([code, signal]) => {
		throw new Error(`a process ended with ${signal ?? `code ${code}`}`);
	});
	died.catch(() => undefined);
	try {
		const [{ result, error }] = (await Promise.race([once(child, "message"), died])) as [Answer];
		if (error !== undefined) throw new Error(error);
		return result;
	} finally {
		ended.abort();
	}
}
