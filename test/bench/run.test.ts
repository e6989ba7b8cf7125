import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const isCompiled = !import.meta.url.endsWith(".ts");
const main = fileURLToPath(new URL(`../../bench/run.${isCompiled ? "js" : "ts"}`, import.meta.url));

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
	let text = "";
	for await (const chunk of stream) text += String(chunk);
	return text;
}

async function bench(...parameters: string[]): Promise<{ code: unknown; out: string; err: string }> {
	const loader = isCompiled ? [] : ["--import=tsx"];
	const child = spawn(process.execPath, [...loader, main, ...parameters], {
		stdio: ["ignore", "pipe", "pipe"],
	});
	const [[code], out, err] = await Promise.all([
		once(child, "exit"),
		textOf(child.stdout),
		textOf(child.stderr),
	]);
	return { code, out, err };
}

function rowsOf(table: string): string[][] {
	return table
		.split("\n")
		.filter((line) => line.startsWith("| ") && !line.startsWith("| -"))
		.slice(1)
		.map((line) => line.split("|").map((cell) => cell.trim()));
}

describe("bench/run", function () {
	this.timeout(240_000);

	before(function () {
		if (process.platform === "linux") return;
		console.log("      the benchmark needs Linux: its test is skipped");
		this.skip();
	});

	it("answers each question, with every message answered and bytes on the link in both directions", async () => {
		const { code, out, err } = await bench("--smoke");
		assert.equal(err, "");
		assert.equal(code, 0);
		const [, ...sections] = out.split(/^## .*$/m);
		const [echo = "", fanOut = "", link = "", relay = "", relayIdle = "", ...others] = sections;
		const [idle = "", recover = "", neighbours = "", compared = ""] = others;
		assert.equal(rowsOf(echo).length, 18);
		assert.equal(rowsOf(fanOut).length, 10);
		assert.equal(rowsOf(link).length, 11);
		const [relays = "", ...relayTables] = relay.split(/^### .*$/m);
		// HAProxy and nginx may be missing.
		assert.ok(rowsOf(relays).length >= 3);
		assert.equal(relayTables.length, 3);
		for (const table of relayTables) assert.ok(rowsOf(table).length >= 1, table);
		// One row, and below it the targets with their head.
		assert.equal(rowsOf(relayIdle).length, 4);
		assert.equal(rowsOf(idle).length, 1);
		const [times = ""] = recover.split(/^### .*$/m);
		const recoveries = rowsOf(times);
		assert.equal(recoveries.length, 2);
		for (const [, , views, lost] of recoveries) assert.deepEqual([views, lost], ["50", "0"]);
		// A slow reader's two targets and a flooder's; three doors beside each of them and nobody; and those three.
		assert.deepEqual(
			neighbours.split(/^### .*$/m).map((table) => rowsOf(table).length),
			[3, 9, 3],
		);
		const [, slow = [], flooder = []] = rowsOf(neighbours.split(/^### .*$/m)[2] ?? "");
		for (const ended of [slow, flooder].map((row) => row.at(-2))) assert.equal(ended, "0");
		// Echo of five, fan-out of three, idle clients of one; and the targets.
		const [, ...tables] = compared.split(/^### .*$/m);
		assert.deepEqual(
			tables.map((table) => rowsOf(table).length),
			[5, 3, 1, 5],
		);
		for (const [, name, to, from] of rowsOf(link)) {
			// A native link carries a call in less than a hundred bytes, and its acks.
			assert.ok(Number(to) > 50, `${name}: ${to} bytes to the app server`);
			assert.ok(Number(from) > 50, `${name}: ${from} bytes from the app server`);
		}
	});

	it("refuses a parameter that it does not know in one line", async () => {
		const { code, err } = await bench("--fast");
		assert.equal(code, 1);
		assert.match(err, /^trunkline bench: unknown parameter "--fast"\. Usage: [^\n]*\n$/);
	});
});
