import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ServerReport, ServerState } from "./report.js";

const IS_COMPILED = !import.meta.url.endsWith(".ts");
const PROGRAM = fileURLToPath(new URL(`./server.${IS_COMPILED ? "js" : "ts"}`, import.meta.url));
/** More than any honest run needs; a leak ends here and not in swap. */
const HEAP_LIMIT = "--max-old-space-size=512";
const STATE_TIMEOUT_MS = 10_000;
const KEPT_ERROR_CHARACTERS = 4_000;

/** The server under fire, seen from the one who fires. */
export class ServerProcess {
	readonly port: number;
	/** What went wrong in it, in its own words. */
	readonly faults: string[];
	readonly #process: ChildProcess;
	#isStopping = false;
	#errors = "";

	private constructor(child: ChildProcess, port: number, faults: string[]) {
		this.#process = child;
		this.port = port;
		this.faults = faults;
		child.stderr?.on("data", (text: Buffer) => {
			this.#errors = (this.#errors + text.toString()).slice(-KEPT_ERROR_CHARACTERS);
		});
		child.on("exit", (code, signal) => {
			if (!this.#isStopping)
				faults.push(`the server ended with ${signal ?? `code ${code}`}: ${this.#errors}`);
		});
	}

	static async start(): Promise<ServerProcess> {
		const faults: string[] = [];
		const loader = IS_COMPILED ? ["--enable-source-maps"] : ["--import=tsx"];
		const child = fork(PROGRAM, [], {
			execArgv: ["--expose-gc", HEAP_LIMIT, ...loader],
			stdio: ["ignore", "ignore", "pipe", "ipc"],
		});
		child.on("message", (report: ServerReport) => {
			if ("fault" in report) faults.push(report.fault);
		});
		const [first] = (await once(child, "message")) as [ServerReport];
		if (!("port" in first)) throw new Error(`the server did not start: ${faults.join("\n")}`);
		return new ServerProcess(child, first.port, faults);
	}

	/** Has its proxy lead to an address; undefined: to none any more. */
	forwardTo(url: string | undefined): void {
		if (this.#process.connected) this.#process.send({ forwardTo: url ?? null });
	}

	/** What it has now, after garbage collection. */
	async state(): Promise<ServerState> {
		const signal = AbortSignal.timeout(STATE_TIMEOUT_MS);
		this.#process.send({});
		for (;;) {
			const [report] = (await once(this.#process, "message", { signal })) as [ServerReport];
			if ("state" in report) return report.state;
		}
	}

	async stop(): Promise<void> {
		this.#isStopping = true;
		const { exitCode, signalCode } = this.#process;
		if (exitCode !== null || signalCode !== null) return;
		const gone = once(this.#process, "exit");
		this.#process.kill("SIGKILL");
		await gone;
	}
}
