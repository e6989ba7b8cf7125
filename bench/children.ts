import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** A measurement that cannot be made; its message is one line for people. */
export class BenchError extends Error {}

/** The core of the measured process, and the core of all others. */
export const MEASURED_CORE = 0;
export const OTHER_CORE = 1;

const IS_COMPILED = !import.meta.url.endsWith(".ts");
const REQUEST_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 5_000;
const LISTEN_TIMEOUT_MS = 10_000;
const LISTEN_POLL_MS = 20;
const KEPT_ERROR_CHARACTERS = 2_000;

/** Why processes are not pinned to cores, or nothing where they are. */
export function pinningObstacle(): string | undefined {
	if (availableParallelism() < 2) return "this machine has one core";
	if (spawnSync("taskset", ["--version"]).status !== 0) return "taskset (of util-linux) is missing";
	const refused = [MEASURED_CORE, OTHER_CORE].filter(
		(core) => spawnSync("taskset", ["-c", String(core), "true"]).status !== 0,
	);
	return refused.length > 0 ? `core ${refused[0]} may not be used` : undefined;
}

interface Answer {
	readonly result?: unknown;
	readonly error?: string;
}

/** What a child is started as. */
export interface ChildOptions {
	/** The program below this folder, without its extension; or the command line of one that is not Node's, which speaks in lines of JSON. */
	readonly program: string | readonly string[];
	/** Where a program listens that answers nothing: it can only be started and stopped. */
	readonly port?: number | undefined;
	readonly parameter?: unknown;
	/** What Node is started with, where it is. */
	readonly flags?: readonly string[] | undefined;
	/** A core of this machine; none for unpinned. */
	readonly core: number | undefined;
	readonly env?: Readonly<Record<string, string>>;
}

const running = new Set<Child>();

/** Ends all children, for a run that cannot go on. */
export async function stopAll(): Promise<void> {
	await Promise.all([...running].map((child) => child.stop()));
}

/** The command line of a program, and how it is spoken with. */
function commandOf({ program, parameter, flags, core }: ChildOptions): { first: string; others: string[] } {
	const pinning = core === undefined ? [] : ["taskset", "-c", String(core)];
	const command = typeof program === "string" ? nodeCommand(program, flags) : program;
	const parameters = parameter === undefined ? [] : [JSON.stringify(parameter)];
	const [first = process.execPath, ...others] = [...pinning, ...command, ...parameters];
	return { first, others };
}

function nodeCommand(program: string, flags: readonly string[] = []): string[] {
	const file = fileURLToPath(new URL(`./${program}.${IS_COMPILED ? "js" : "ts"}`, import.meta.url));
	return [process.execPath, "--expose-gc", ...flags, ...(IS_COMPILED ? [] : ["--import=tsx"]), file];
}

async function isListening(port: number): Promise<boolean> {
	const socket = connect({ host: "127.0.0.1", port });
	try {
		await once(socket, "connect");
		return true;
	} catch {
		return false;
	} finally {
		socket.destroy();
	}
}

/** A child process that answers one request at a time. */
export class Child {
	readonly name: string;
	readonly pid: number;
	readonly #process: ChildProcess;
	readonly #speaksLines: boolean;
	readonly #port: number | undefined;
	#errors = "";
	#isStopping = false;
	#ended: string | undefined;
	#settle: ((answer: Answer) => void) | undefined;

	constructor(name: string, options: ChildOptions) {
		this.name = name;
		const { first, others } = commandOf(options);
		this.#port = options.port;
		this.#speaksLines = typeof options.program !== "string" && this.#port === undefined;
		this.#process = spawn(first, others, {
			env: { ...process.env, ...options.env },
			stdio: this.#speaksLines
				? "pipe"
				: ["ignore", "ignore", "pipe", ...(this.#port === undefined ? ["ipc" as const] : [])],
		});
		this.pid = this.#process.pid ?? 0;
		running.add(this);
		this.#process.stderr?.on("data", (text: Buffer) => {
			this.#errors = (this.#errors + text.toString()).slice(-KEPT_ERROR_CHARACTERS);
		});
		this.#process.on("message", (answer) => this.#settle?.(answer as Answer));
		if (this.#speaksLines) this.#listenToLines();
		this.#process.on("error", (error) => this.#lost(error.message));
		this.#process.on("exit", (code, signal) => this.#lost(`it ended with ${signal ?? `code ${code}`}`));
	}

	/** Waits for the child's first answer, or until it listens. */
	started(): Promise<unknown> {
		return this.#port === undefined ? this.#answer("start") : this.#listening(this.#port);
	}

	/** Asks, and waits for the answer. @throws BenchError when the child fails, ends, or is silent for too long. */
	ask(request: { readonly kind: string }): Promise<unknown> {
		const answer = this.#answer(request.kind);
		if (this.#ended === undefined) this.#send(request);
		return answer;
	}

	/** Ends the process and waits until it is gone. */
	stop(): Promise<void> {
		return this.#end("SIGTERM");
	}

	/** Ends the process without a word, as a crash would, and waits until it is gone. */
	kill(): Promise<void> {
		return this.#end("SIGKILL");
	}

	async #end(signal: NodeJS.Signals): Promise<void> {
		this.#isStopping = true;
		const { exitCode, signalCode } = this.#process;
		if (exitCode !== null || signalCode !== null || this.pid === 0) return;
		const gone = new Promise((resolve) => this.#process.once("exit", resolve));
		this.#process.kill(signal);
		const timer = setTimeout(() => this.#process.kill("SIGKILL"), STOP_TIMEOUT_MS);
		await gone;
		clearTimeout(timer);
	}

	#send(request: { readonly kind: string }): void {
		if (this.#speaksLines) this.#process.stdin?.write(`${JSON.stringify(request)}\n`);
		else this.#process.send(request);
	}

	async #listening(port: number): Promise<number> {
		for (const start = performance.now(); ; await wait(LISTEN_POLL_MS)) {
			if (await isListening(port)) return port;
			const isLate = performance.now() - start > LISTEN_TIMEOUT_MS;
			const reason =
				this.#ended ?? (isLate ? `nothing listens for ${LISTEN_TIMEOUT_MS / 1000} s` : undefined);
			if (reason !== undefined) throw this.#failure("start", reason);
		}
	}

	#listenToLines(): void {
		const { stdin, stdout } = this.#process;
		// A child that is gone is reported by its end.
		stdin?.on("error", () => undefined);
		if (stdout) createInterface(stdout).on("line", (line) => this.#settle?.(JSON.parse(line) as Answer));
	}

	#lost(how: string): void {
		running.delete(this);
		if (this.#isStopping) return;
		this.#ended ??= how;
		this.#settle?.({ error: how });
	}

	#answer(what: string): Promise<unknown> {
		return new Promise((resolve, reject) => {
			const settle = ({ result, error }: Answer): void => {
				clearTimeout(timer);
				this.#settle = undefined;
				if (error === undefined) resolve(result);
				else reject(this.#failure(what, error));
			};
			const timer = setTimeout(
				() => settle({ error: `no answer for ${REQUEST_TIMEOUT_MS / 1000} s` }),
				REQUEST_TIMEOUT_MS,
			);
			this.#settle = settle;
			if (this.#ended !== undefined) settle({ error: this.#ended });
		});
	}

	#failure(what: string, reason: string): BenchError {
		return new BenchError(`the ${this.name} failed at "${what}": ${reason}${this.#trace()}`);
	}

	/** The last thing that it said on stderr. */
	#trace(): string {
		const lines = this.#errors.split("\n").filter((line) => line.trim() !== "");
		const telling = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1);
		return telling === undefined ? "" : ` (${telling.trim()})`;
	}
}
