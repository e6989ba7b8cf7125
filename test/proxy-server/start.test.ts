import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { pathToFileURL } from "node:url";

/** The table's addresses, by what stands before them. */
type Table = ReadonlyMap<string, string>;

/** `npm start` without npm around it. */
class Run {
	readonly process: ChildProcess;
	written = "";

	constructor(environment: Record<string, string> = {}) {
		const { PATH = "", HOME = "", npm_execpath = "" } = process.env;
		this.process = spawn(process.execPath, ["scripts/start.mjs"], {
			env: { PATH, HOME, npm_execpath, PORT: "0", LOG_LEVEL: "error", ...environment },
			stdio: ["ignore", "pipe", "pipe"],
			// A group of its own, so that a test can press Ctrl-C in it.
			detached: true,
		});
		for (const stream of [this.process.stdout, this.process.stderr]) {
			stream?.setEncoding("utf8").on("data", (text) => {
				this.written += text;
			});
		}
	}

	/** Waits for the table and reads it. */
	async table(): Promise<Table> {
		while (!this.written.includes("app server ")) {
			if (this.process.exitCode !== null) throw new Error(`It ended:\n${this.written}`);
			await Promise.race([once(this.process.stdout as never, "data"), once(this.process, "exit")]);
		}
		const rows = this.written.matchAll(/^ {2}(front|proxy p\d|app server) +(http:\S+)/gm);
		return new Map([...rows].map(([, name = "", url = ""]) => [name, url]));
	}

	/** Sends a signal to the whole group, as a terminal does, or to the first process only. */
	async end(signal: NodeJS.Signals, whom: "group" | "parent" = "parent"): Promise<number | null> {
		const { pid = 0, exitCode, signalCode } = this.process;
		if (exitCode !== null || signalCode !== null) return exitCode;
		const closed = once(this.process, "close");
		process.kill(whom === "group" ? -pid : pid, signal);
		await closed;
		return this.process.exitCode;
	}
}

async function isListening(url: string | undefined): Promise<boolean> {
	try {
		await fetch(url ?? assert.fail("no url"), { headers: { connection: "close" } });
		return true;
	} catch {
		return false;
	}
}

async function listening(table: Table): Promise<string[]> {
	const names = [...table.keys()];
	const answers = await Promise.all(names.map((name) => isListening(table.get(name))));
	return names.filter((_, at) => answers[at]);
}

/** The process that listens at an address, by Linux's /proc. */
function pidAt(url: string | undefined, run: Run): number {
	const children = readFileSync(`/proc/${run.process.pid}/task/${run.process.pid}/children`, "utf8")
		.trim()
		.split(" ");
	const port = new URL(url ?? "").port;
	const found = children.find((pid) =>
		readFileSync(`/proc/${pid}/environ`, "utf8").includes(`PORT=${port}\0`),
	);
	return Number(found ?? assert.fail(`no child for ${url}`));
}

describe("proxy-server/start", function () {
	// It may have to compile first.
	this.timeout(90_000);
	let run: Run | undefined;

	afterEach(async () => {
		await run?.end("SIGTERM");
	});

	it("starts an app server and two proxies behind one address, and prints where", async () => {
		run = new Run();
		const table = await run.table();
		assert.deepEqual([...table.keys()], ["front", "proxy p1", "proxy p2", "app server"]);
		assert.match(await (await fetch(table.get("front") ?? "")).text(), /<html/i);
		const servers = new Set<string>();
		for (let nth = 0; nth < 4; nth++) {
			const answer = await fetch(`${table.get("front")}/dotnetify/negotiate?negotiateVersion=1`, {
				method: "POST",
			});
			servers.add(((await answer.json()) as { connectionToken: string }).connectionToken.split(".")[0] ?? "");
		}
		assert.deepEqual([...servers].sort(), ["p1", "p2"]);
		for (const name of ["proxy p1", "proxy p2"])
			assert.equal((await fetch(`${table.get(name)}/ready`)).status, 200);
	});

	for (const [title, signal, whom] of [
		["Ctrl-C", "SIGINT", "group"],
		["SIGTERM to the parent alone", "SIGTERM", "parent"],
		["a closed terminal", "SIGHUP", "group"],
	] as const) {
		it(`stops everything on ${title}, silently and with exit code 0`, async () => {
			run = new Run();
			const table = await run.table();
			const before = run.written;
			assert.equal(await run.end(signal, whom), 0);
			assert.deepEqual(await listening(table), []);
			assert.equal(run.written, before);
		});
	}

	it("stops the others and says so in one line when a child dies", async function () {
		if (process.platform !== "linux") {
			console.log("      skipped: it finds the child by Linux's /proc");
			return this.skip();
		}
		run = new Run();
		const table = await run.table();
		const before = run.written;
		const closed = once(run.process, "close");
		process.kill(pidAt(table.get("proxy p2"), run), "SIGKILL");
		await closed;
		assert.equal(run.process.exitCode, 1);
		assert.equal(
			run.written.slice(before.length),
			"trunkline: p2 was ended by SIGKILL; the others are stopped\n",
		);
		assert.deepEqual(await listening(table), []);
	});

	it("leaves no child behind when it is killed", async function () {
		if (process.platform !== "linux") {
			console.log("      skipped: it finds the children by Linux's /proc");
			return this.skip();
		}
		run = new Run();
		const table = await run.table();
		await run.end("SIGKILL");
		while ((await listening(table)).length > 0) await new Promise((resolve) => setImmediate(resolve));
	});

	it("says in one line that its port is in use or wrong, and starts nothing", async () => {
		const taken = createServer().listen(0, "127.0.0.1");
		await once(taken, "listening");
		const { port } = taken.address() as { port: number };
		for (const [PORT, line] of [
			[
				String(port),
				`trunkline: port ${port} is in use: stop what listens there, or set PORT to another one\n`,
			],
			["http", 'trunkline: PORT: found "http", expected a whole number from 0 to 65535\n'],
		] as const) {
			run = new Run({ PORT });
			await once(run.process, "close");
			assert.equal(run.process.exitCode, 1);
			assert.ok(run.written.endsWith(line), run.written);
			assert.doesNotMatch(run.written, /^\s+at /m);
		}
		taken.close();
	});

	it("does nothing when it is imported", async () => {
		const program = `await import(${JSON.stringify(pathToFileURL("dist/proxy-server/start.js").href)}); await import(${JSON.stringify(pathToFileURL("dist/proxy-server/server.js").href)});`;
		const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
			stdio: ["ignore", "pipe", "pipe"],
		});
		let written = "";
		child.stdout.on("data", (text) => {
			written += text;
		});
		const [code] = await once(child, "close");
		assert.deepEqual([code, written], [0, ""]);
	});
});
