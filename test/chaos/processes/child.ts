import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { deferred } from "../../../lib/base/index.js";
import type { Facts, Question } from "./settings.js";

const IS_COMPILED = !import.meta.url.endsWith(".ts");

type Message =
	| { readonly port: number }
	| { readonly isReady: true }
	| { readonly id: number; readonly facts: Facts };

/** A process of a stage, seen from outside. */
export class Child {
	readonly #process: ChildProcess;
	readonly #port = deferred<number>();
	readonly #ready = deferred<void>();
	readonly #asked = new Map<number, (facts: Facts) => void>();
	readonly #exited: Promise<number | NodeJS.Signals>;
	#questions = 0;

	private constructor(child: ChildProcess) {
		this.#process = child;
		child.on("message", (message: Message) => this.#take(message));
		this.#exited = once(child, "exit").then(([code, signal]) => {
			const died = new Error(`a process ended with ${signal ?? `code ${code}`}`);
			for (const wait of [this.#port, this.#ready]) {
				wait.promise.catch(() => undefined);
				wait.reject(died);
			}
			return signal ?? code;
		});
	}

	/** Starts a program of this folder; resolves when it listens. */
	static async start(program: "app-server" | "proxy", settings: object): Promise<Child> {
		const file = fileURLToPath(new URL(`./${program}.${IS_COMPILED ? "js" : "ts"}`, import.meta.url));
		const execArgv = IS_COMPILED ? ["--enable-source-maps"] : ["--import=tsx"];
		const child = new Child(fork(file, [JSON.stringify(settings)], { execArgv }));
		await child.port;
		return child;
	}

	/** Where it listens. */
	get port(): Promise<number> {
		return this.#port.promise;
	}

	/** Resolves when it is ready for traffic: a proxy that has reached its app server. */
	get ready(): Promise<void> {
		return this.#ready.promise;
	}

	/** Resolves when it has ended, with its exit code or the signal that ended it. */
	get exited(): Promise<number | NodeJS.Signals> {
		return this.#exited;
	}

	/** Whether it is there. */
	get isAlive(): boolean {
		return this.#process.exitCode === null && this.#process.signalCode === null;
	}

	/** Asks something; the answer comes with what the process is like then. @throws Error where it ends before */
	async ask(question: Question): Promise<Facts> {
		const id = ++this.#questions;
		const answer = new Promise<Facts>((resolve) => this.#asked.set(id, resolve));
		const ended = this.#exited.then((how): never => {
			throw new Error(`a process ended with ${how} before it answered`);
		});
		this.#process.send({ id, ...question });
		return await Promise.race([answer, ended]);
	}

	/** Ends it without a word; resolves when it is gone. */
	async kill(): Promise<void> {
		if (this.isAlive) this.#process.kill("SIGKILL");
		await this.#exited;
	}

	/** Asks it to end in order; resolves with its exit code when it is gone. */
	async stop(): Promise<number | NodeJS.Signals> {
		if (this.isAlive) this.#process.kill("SIGTERM");
		return this.#exited;
	}

	#take(message: Message): void {
		if ("port" in message) this.#port.resolve(message.port);
		else if ("isReady" in message) this.#ready.resolve();
		else {
			this.#asked.get(message.id)?.(message.facts);
			this.#asked.delete(message.id);
		}
	}
}
