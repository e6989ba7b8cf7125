import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const isCompiled = !import.meta.url.endsWith(".ts");
const program = fileURLToPath(new URL(`./hub-process.${isCompiled ? "js" : "ts"}`, import.meta.url));

/** A hub in a process of its own; its server id is its name. */
export class HubProcess {
	readonly serverId: string;
	readonly port: number;
	readonly #child: ChildProcess;

	private constructor(serverId: string, port: number, child: ChildProcess) {
		this.serverId = serverId;
		this.port = port;
		this.#child = child;
	}

	static async start(serverId: string, tokenSecret: string): Promise<HubProcess> {
		const loader = isCompiled ? [] : ["--import=tsx"];
		const { PATH, NODE_V8_COVERAGE } = process.env;
		const child = spawn(process.execPath, [...loader, program], {
			env: { PATH, NODE_V8_COVERAGE, SERVER_ID: serverId, TOKEN_SECRET: tokenSecret },
			stdio: ["ignore", "inherit", "inherit", "ipc"],
		});
		const failed = once(child, "exit").then(([code]) => {
			throw new Error(`The hub's process ended with ${code} before it listened.`);
		});
		const listening = once(child, "message") as Promise<[{ port: number }]>;
		const [{ port }] = await Promise.race([listening, failed]);
		return new HubProcess(serverId, port, child);
	}

	/** From now on /ready answers 404. */
	drain(): void {
		this.#child.send("drain");
	}

	/** Ends the process without a word, as a crash does. */
	async kill(): Promise<void> {
		if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
		const ended = once(this.#child, "exit");
		this.#child.kill("SIGKILL");
		await ended;
	}
}
