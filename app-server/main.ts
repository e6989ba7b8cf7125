// The executable of the app server: settings from the environment, one line on what goes wrong, a clean end.
// Only Node's own modules are imported before the version is checked: an old Node cannot even read the others.
import process from "node:process";
import type { AppServer } from "./server.js";

const [MAJOR = 0, MINOR = 0] = process.versions.node.split(".").map(Number);

function refuse(text: string): void {
	process.stderr.write(`trunkline app server: ${text}\n`, () => process.exit(1));
}

/** SIGTERM drains first, as orchestrators expect; Ctrl-C does not. A second signal ends everything at once. */
function stopOnSignals(server: AppServer, drainMs: number): void {
	let isStopping = false;
	async function onSignal(signal: NodeJS.Signals): Promise<void> {
		if (isStopping) process.exit(1);
		isStopping = true;
		await server.close(signal === "SIGTERM" ? drainMs : 0);
		process.exit(0);
	}
	for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, (name) => void onSignal(name));
}

async function main(): Promise<void> {
	if (MAJOR < 20 || (MAJOR === 20 && MINOR < 19)) {
		return refuse(`Node 20.19 or later is needed; this is Node ${process.versions.node}.`);
	}
	const [{ pino }, { readSettings }, { startAppServer }] = await Promise.all([
		import("pino"),
		import("./settings.js"),
		import("./server.js"),
	]);
	const { logLevel, drainMs, ...settings } = readSettings(process.env);
	const log = pino({ level: logLevel });
	const server = await startAppServer({ ...settings, log });
	stopOnSignals(server, drainMs);
	const { url, serverId } = server;
	log.info({ url, hubPath: settings.hubPath, serverId }, "The app server listens.");
}

main().catch((error: unknown) => {
	const code = error instanceof Error && "code" in error ? String(error.code) : "";
	const text = error instanceof Error ? error.message : String(error);
	refuse(/^ERR_(?:CONFIGURATION|OPTION|ADDRESS_IN_USE)$/.test(code) ? text : `It cannot start: ${text}`);
});
