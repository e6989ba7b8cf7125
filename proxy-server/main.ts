// The executable of the prebuilt proxy: settings from the environment, one line on what goes wrong, a clean end.
// Only Node's own modules are imported before the version is checked: an old Node cannot even read the others.
import process from "node:process";
import type { ProxyServer } from "./server.js";
import type { ProxySettings } from "./settings.js";

const [MAJOR = 0, MINOR = 0] = process.versions.node.split(".").map(Number);

function refuse(text: string): void {
	process.stderr.write(`${text.trimEnd().replace(/^/gm, "trunkline proxy: ")}\n`, () => process.exit(1));
}

/** /ready says no for a while; then the clients are sent away, spread over another while. */
async function drain(server: ProxyServer, settings: ProxySettings, enough: AbortSignal): Promise<void> {
	const { setTimeout } = await import("node:timers/promises");
	server.drain();
	if (settings.drainMs > 0)
		await setTimeout(settings.drainMs, undefined, { signal: enough }).catch(() => undefined);
	await server.stop({ spreadMs: settings.closeSpreadMs, signal: enough });
}

/** SIGTERM drains first, as orchestrators expect; Ctrl-C does not. A second signal ends the drain, a third everything. */
function stopOnSignals(server: ProxyServer, settings: ProxySettings): void {
	const enough = new AbortController();
	let received = 0;
	const onSignal = async (signal: NodeJS.Signals): Promise<void> => {
		received++;
		if (received > 1) enough.abort();
		if (received > 2) process.exit(1);
		if (received > 1) return;
		if (signal === "SIGTERM") await drain(server, settings, enough.signal);
		else await server.stop({ signal: enough.signal });
		process.exit(0);
	};
	for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, (name) => void onSignal(name));
}

async function main(): Promise<void> {
	if (MAJOR < 20 || (MAJOR === 20 && MINOR < 19)) {
		return refuse(`Node 20.19 or later is needed; this is Node ${process.versions.node}.`);
	}
	const [{ pino }, { readSettings }, { startProxyServer }] = await Promise.all([
		import("pino"),
		import("./settings.js"),
		import("./server.js"),
	]);
	const settings = readSettings(process.env);
	const log = pino({ level: settings.logLevel });
	const server = await startProxyServer(settings, log);
	stopOnSignals(server, settings);
	const { url } = server.listening;
	log.info({ url, hubPath: settings.hubPath, serverId: server.hub.serverId }, "The proxy listens.");
}

main().catch((error: unknown) => {
	const isOurs =
		error instanceof Error &&
		"code" in error &&
		/^ERR_(?:CONFIGURATION|OPTION|ADDRESS_IN_USE)$/.test(String(error.code));
	refuse(
		isOurs ? error.message : `It cannot start: ${error instanceof Error ? error.message : String(error)}`,
	);
});
