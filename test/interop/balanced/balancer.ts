import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../proxy-server/children.js";

export type BalancerName = "haproxy" | "nginx";

/** Where a configuration of the documentation stands. */
export interface Configuration {
	readonly name: BalancerName;
	readonly text: string;
}

/** The whole configuration in a file of docs/. */
export function configurationFile(name: BalancerName, file: string): Configuration {
	return { name, text: readFileSync(join("docs", file), "utf8") };
}

/** The code block of a page of docs/ that is marked with the balancer's name. */
export function configurationBlock(name: BalancerName, page: string): Configuration {
	const text = new RegExp(`\`\`\`${name}\\n([\\s\\S]*?)\`\`\``).exec(
		readFileSync(join("docs", page), "utf8"),
	)?.[1];
	assert.ok(text, `docs/${page} has no block of ${name}`);
	return { name, text };
}

/** Whether the program is there to be run. */
export function isInstalled(name: BalancerName): boolean {
	return spawnSync(name, ["-v"]).status === 0;
}

/** A real load balancer with a configuration of the documentation, on this machine's ports. */
export class Balancer {
	readonly url: string;
	readonly #folder: string;
	readonly #process: ChildProcess;
	#output = "";

	private constructor(url: string, folder: string, child: ChildProcess) {
		this.url = url;
		this.#folder = folder;
		this.#process = child;
		for (const stream of [child.stdout, child.stderr]) {
			stream?.on("data", (data: Buffer) => {
				this.#output += data.toString();
			});
		}
	}

	/** `addresses`: which port each address of the configuration stands for. */
	static async start(
		{ name, text }: Configuration,
		addresses: Readonly<Record<string, number>>,
	): Promise<Balancer> {
		const folder = mkdtempSync(join(tmpdir(), `trunkline-${name}-`));
		mkdirSync(join(folder, "temp"));
		const port = await freePort(0);
		const file = join(folder, "configuration");
		writeFileSync(file, local({ name, text }, { port, folder, addresses }));
		const parameters =
			name === "haproxy" ? ["-db", "-f", file] : ["-e", "stderr", "-c", file, "-g", "daemon off;"];
		const child = spawn(name, parameters, { stdio: ["ignore", "pipe", "pipe"] });
		return new Balancer(`http://127.0.0.1:${port}`, folder, child);
	}

	/** nginx: has it go on with a changed configuration. */
	reload(from: string, to: string): void {
		const file = join(this.#folder, "configuration");
		const text = readFileSync(file, "utf8");
		assert.ok(text.includes(from), `the configuration has no ${from}`);
		writeFileSync(file, text.replace(from, to));
		this.#process.kill("SIGHUP");
	}

	/** @throws where it has ended by itself: its configuration is wrong, or its port was taken */
	checkAlive(): void {
		assert.equal(this.#process.exitCode, null, this.log);
	}

	/** Everything that it has logged so far. */
	get log(): string {
		return ["access", "error"].reduce((all, file) => all + this.#read(`${file}.log`), this.#output);
	}

	async stop(): Promise<void> {
		if (this.#process.exitCode === null && this.#process.signalCode === null) {
			const ended = once(this.#process, "exit");
			// nginx's first process ends its workers when it is asked to end, and cannot when it is killed.
			this.#process.kill("SIGTERM");
			await ended;
		}
		rmSync(this.#folder, { recursive: true });
	}

	#read(file: string): string {
		try {
			return readFileSync(join(this.#folder, file), "utf8");
		} catch {
			return "";
		}
	}
}

interface Place {
	readonly port: number;
	readonly folder: string;
	readonly addresses: Readonly<Record<string, number>>;
}

/** A configuration with nothing changed but addresses, limits of the machine, and where files are. */
function local({ name, text }: Configuration, { port, folder, addresses }: Place): string {
	let changed = text;
	const replace = (from: RegExp | string, to: string): void => {
		assert.ok(changed.search(from) >= 0, `${name}: the configuration has no ${from}`);
		changed = changed.replaceAll(from, to);
	};
	for (const [from, to] of Object.entries(addresses)) replace(from, `127.0.0.1:${to}`);
	if (name === "haproxy") {
		replace(/bind :\d+/g, `bind 127.0.0.1:${port}`);
		replace(/maxconn \d+/g, "maxconn 200");
		return changed;
	}
	replace(/listen \d+/g, `listen 127.0.0.1:${port}`);
	const files = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
		(use) => `${use}_temp_path ${folder}/temp/${use};`,
	);
	replace(/^http \{/gm, `http { ${files.join(" ")}`);
	changed = changed.replace(/^worker_rlimit_nofile.*$/m, "").replaceAll("/var/log/nginx/", `${folder}/`);
	if (!/^pid /m.test(changed)) return `pid ${folder}/pid;\nerror_log ${folder}/error.log;\n${changed}`;
	return changed.replace(/^pid .*;/m, `pid ${folder}/pid;`);
}
