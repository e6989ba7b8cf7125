import { createServer, type Hub } from "../../../lib/index.js";
import type { Told } from "./program.js";

const READY_POLL_MS = 5;

/** What every program of this folder is started with. */
export interface ServeSettings {
	readonly port: number;
	/** Over how long clients are sent away. */
	readonly spreadMs?: number;
}

function tell(told: Told): void {
	if (process.connected) process.send?.(told);
}

/** The settings that this process was started with. */
export function settingsOf<Settings extends ServeSettings>(): Settings {
	return JSON.parse(process.argv[2] ?? "{}") as Settings;
}

/** Serves a hub until SIGTERM, and tells the parent what it has to know. */
export async function serve(hub: Hub, { port, spreadMs = 0 }: ServeSettings): Promise<void> {
	hub.on("undeliverable", ({ code, target, reason }) =>
		tell({ undeliverable: `${code} ${target}: ${reason}` }),
	);
	const fault = (thrown: unknown): void => tell({ fault: String(thrown) });
	process.on("uncaughtException", fault).on("unhandledRejection", fault);
	// A parent that is gone, however it went, takes this process with it.
	process.once("disconnect", () => process.exit());
	const server = createServer().map("/dotnetify", hub);
	process.once("SIGTERM", () => void server.close({ spreadMs }).then(() => process.exit(0)));
	tell({ port: (await server.listen(port, "127.0.0.1")).port });
	while (!hub.ready) await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
	tell({ ready: true });
}
