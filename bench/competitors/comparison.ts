import { measureIdle } from "../idle.js";
import { idleTable, markdown, trialTable } from "../report.js";
import type { Sizes } from "../settings.js";
import type { StandKind } from "../stand.js";
import { runTrials } from "../trial.js";
import { buildAspNet } from "./build-aspnet.js";
import { targetTable } from "./targets.js";
import { echoRows, fanOutRows, idleRows } from "./trials.js";

const HOW = `The same work for each, in turn, with the same load. ASP.NET Core: Release, workstation garbage collector, no logging.
Socket.IO: WebSockets only, answers are its acknowledgements. Ratios are medians of those of each round.`;

/** Servers of other makers beside ours, and what of the targets is reached. */
export async function compare(sizes: Sizes, say: (line: string) => void): Promise<string> {
	say("building the ASP.NET Core server");
	const obstacle = sizes.withAspNet ? await buildAspNet() : "ASP.NET Core is not measured in such a run.";
	const stands = new Set<StandKind>(["ws", "ws-json", "direct", "socket-io"]);
	if (obstacle === undefined) stands.add("aspnet");
	const comparison = {
		echo: await runTrials(echoRows(sizes, stands), sizes, say),
		fanOut: await runTrials(fanOutRows(sizes, stands), sizes, say),
		idle: await measureIdle(idleRows(stands), { ...sizes, idleClients: sizes.comparedIdleClients }, say),
	};
	return [
		obstacle === undefined ? HOW : `${HOW}\n${obstacle}`,
		`### Echo\n\n${markdown(trialTable(comparison.echo, "messages"))}`,
		`### Fan-out\n\n${markdown(trialTable(comparison.fanOut, "deliveries"))}`,
		`### Idle clients\n\n${markdown(idleTable(comparison.idle))}`,
		`### Targets\n\n${markdown(targetTable(comparison))}`,
	].join("\n\n");
}
