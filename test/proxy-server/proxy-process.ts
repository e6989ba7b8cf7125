import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { deferred } from "../../lib/base/index.js";

const LISTENS = /^\{.*"url":"([^"]+)".*"msg":"The proxy listens\."\}$/m;

/** The prebuilt proxy as it is run: a process of its own. */
export class ProxyProcess {
	/** Resolves with where it listens. @throws (rejects) Error where it ends before that */
	readonly url: Promise<string>;
	/** Resolves when it is gone, with its exit code. */
	readonly exitCode: Promise<number | null>;
	readonly #child: ChildProcess;
	#written = "";

	/** Starts it with these variables and no others. */
	constructor(environment: Readonly<Record<string, string>>) {
		const loader = import.meta.url.endsWith(".ts") ? ["--import", "tsx"] : [];
		const main = new URL(`../../proxy-server/main.${import.meta.url.slice(-2)}`, import.meta.url);
		const child = spawn(process.execPath, [...loader, main.pathname], {
			env: { ...environment },
			stdio: ["ignore", "pipe", "pipe"],
		});
		this.#child = child;
		const url = deferred<string>();
		this.url = url.promise;
		for (const stream of [child.stdout, child.stderr]) {
			stream.setEncoding("utf8").on("data", (text: string) => {
				this.#written += text;
				const [, listens] = LISTENS.exec(this.#written) ?? [];
				if (listens !== undefined) url.resolve(listens);
			});
		}
		this.exitCode = once(child, "close").then(([code]) => {
			url.reject(new Error(`The proxy ended with ${code}: ${this.#written}`));
			return code as number | null;
		});
		url.promise.catch(() => undefined);
	}

	/** All that it has written so far. */
	get written(): string {
		return this.#written;
	}

	/** What it has logged as a warning, or worse. */
	get warnings(): readonly string[] {
		return this.#written.split("\n").filter((line) => /"level":(?:40|50|60)/.test(line));
	}

	signal(name: NodeJS.Signals): void {
		this.#child.kill(name);
	}
}
