import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, release } from "node:os";
import { pinningObstacle } from "./children.js";

const require = createRequire(import.meta.url);
const PACKAGES = [
	"ws",
	"@microsoft/signalr",
	"@microsoft/signalr-protocol-msgpack",
	"msgpackr",
	"koa",
	"socket.io",
];

/** Read as a file: not every package lets its package.json be imported. */
function versionOf(name: string): string {
	for (const folder of require.resolve.paths(name) ?? []) {
		try {
			const text = readFileSync(`${folder}/${name}/package.json`, "utf8");
			return (JSON.parse(text) as { version: string }).version;
		} catch {
			// It may be in the next folder up.
		}
	}
	return "?";
}

function isInstalled(name: string): boolean {
	try {
		require.resolve(name);
		return true;
	} catch {
		return false;
	}
}

/** The date, as in 2026-11-21. */
export function today(): string {
	return new Date().toISOString().slice(0, 10);
}

/** What was measured on what; lines for people. */
export function machineLines(): string[] {
	const [first] = cpus();
	const memory = /^MemTotal:\s+(\d+)/m.exec(readFileSync("/proc/meminfo", "latin1"));
	const packages = PACKAGES.map((name) => `${name} ${versionOf(name)}`);
	const obstacle = pinningObstacle();
	return [
		`${first?.model.trim() ?? "unknown CPU"}, ${cpus().length} cores, ` +
			`${Math.round(Number(memory?.[1]) / 1024 / 1024)} GiB; Linux ${release()}; Node ${process.versions.node}.`,
		`${packages.join(", ")}; bufferutil is ${isInstalled("bufferutil") ? "" : "not "}installed.`,
		obstacle === undefined
			? "The measured process has core 0; the load and all others have core 1."
			: `Processes are not pinned to cores, since ${obstacle}: figures are not comparable with others.`,
	];
}

/** Load of the machine in the last minute, by whomever. */
export function loadAverage(): string {
	return readFileSync("/proc/loadavg", "latin1").split(" ")[0] ?? "?";
}
