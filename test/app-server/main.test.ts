import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const isCompiled = !import.meta.url.endsWith(".ts");
const main = fileURLToPath(new URL(`../../app-server/main.${isCompiled ? "js" : "ts"}`, import.meta.url));

/** The program with nothing of our own environment that is a setting of its. */
function start(env: Readonly<Record<string, string>>): ChildProcess {
	const loader = isCompiled ? [] : ["--import=tsx"];
	const { PATH, NODE_V8_COVERAGE } = process.env;
	return spawn(process.execPath, [...loader, main], {
		env: { PATH, NODE_V8_COVERAGE, ...env },
		stdio: ["ignore", "pipe", "pipe"],
	});
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
	let text = "";
	for await (const chunk of stream ?? []) text += String(chunk);
	return text;
}

async function ended(child: ChildProcess): Promise<{ code: unknown; out: string; err: string }> {
	const [[code], out, err] = await Promise.all([
		once(child, "exit"),
		textOf(child.stdout),
		textOf(child.stderr),
	]);
	return { code, out, err };
}

interface Line {
	readonly url: string;
	readonly level: number;
}

describe("app-server/main", function () {
	this.timeout(20_000);

	it("refuses a wrong setting with one line and exit code 1", async () => {
		const { code, out, err } = await ended(start({ PORT: "http" }));
		assert.equal(code, 1);
		assert.equal(out, "");
		assert.equal(err, 'trunkline app server: PORT: found "http", expected a whole number from 0 to 65535\n');
	});

	it("says that its port is in use in one line and exits with 1", async () => {
		const other = createServer().listen(0, "127.0.0.1");
		await once(other, "listening");
		const port = String((other.address() as { port: number }).port);
		try {
			const { code, err } = await ended(start({ PORT: port }));
			assert.equal(code, 1);
			assert.match(err, new RegExp(`^trunkline app server: [^\\n]*127\\.0\\.0\\.1, port ${port}[^\\n]*\\n$`));
		} finally {
			other.close();
		}
	});

	for (const signal of ["SIGINT", "SIGTERM"] as const) {
		it(`serves until ${signal} and then ends with 0`, async () => {
			const child = start({ PORT: "0" });
			const [first] = (await once(child.stdout ?? child, "data")) as [Buffer];
			const { url, level } = JSON.parse(String(first).split("\n")[0] ?? "") as Line;
			assert.equal(level, 30);
			const health = await fetch(`${url}/health`);
			assert.equal(await health.text(), "OK");
			child.kill(signal);
			assert.deepEqual(await once(child, "exit"), [0, null]);
		});
	}
});
