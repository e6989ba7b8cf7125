import { HOW_MEMORY, type IdleCase, measureIdle } from "../idle.js";
import { countBytes } from "../link.js";
import { messageOf } from "../messages.js";
import { idleTable, linkTable, markdown, trialTable } from "../report.js";
import type { Sizes } from "../settings.js";
import { HUB_PATH } from "../subject/role.js";
import { runTrials } from "../trial.js";
import { measureLatency } from "./latency.js";
import { type BalancerName, balancerVersion } from "./programs.js";
import { findPush } from "./push.js";
import { latencyTable, memoryTable, ratioTable } from "./targets.js";
import { extentsOf, type Push, RELAY_ROWS, type RelayRow, relayTrial } from "./trials.js";

const BALANCERS: readonly BalancerName[] = ["haproxy", "nginx"];

const HOW = `150-byte messages through each relay in turn; it has core 0, the server behind it and the load core 1. Ours: a hub with
\`useForwarding\`, five links, a secret, in front of an app server's hub that answers. The others: one connection to a WebSocket echo for
each client, one thread. "Other server's" is what is behind it. Ratios are medians of those of each round. Half of core 0 is taken by a
process that only spins: else the load and the echo, which share core 1, could not keep HAProxy busy. So the times in the first table
are not those of a relay that has a core for itself.`;

/** A client that has been heard once, so that the app server knows it. */
const IDLE_CASE: IdleCase = {
	name: "ours",
	stand: "proxy",
	job: {
		...{ path: HUB_PATH, protocol: "json" },
		setup: {
			message: messageOf({ target: "echo", isInvoked: true, argumentsOf: (text) => [text] }, "json"),
			answers: 1,
		},
	},
};

/** 16,000 outstanding messages take the better part of a second to go round once. */
const LONGER = 2;

function longer(sizes: Sizes): Sizes {
	return { ...sizes, settleMs: sizes.settleMs * LONGER, windowMs: sizes.windowMs * LONGER };
}

type Say = (line: string) => void;

/** What our proxy costs beside other relays, and what of the targets is reached. */
export async function measureRelays(sizes: Sizes, say: Say): Promise<string> {
	say("what the link carries");
	const push = await findPush();
	const versions = new Map(BALANCERS.map((name) => [name, balancerVersion(name)] as const));
	const missing = new Map<RelayRow, string>(
		BALANCERS.filter((name) => versions.get(name) === undefined).map((name) => [
			name,
			`not measured: \`${name}\` is not installed`,
		]),
	);
	const rows = RELAY_ROWS.filter((row) => !missing.has(row));
	const extents = extentsOf(sizes);
	const planned = extents.flatMap((extent) => rows.map((row) => relayTrial(row, extent, push)));
	const trials = await runTrials(planned, { ...longer(sizes), hasBallast: true }, say);
	const latencyRows = rows.filter((row) => row !== "nginx" && row !== "ws-relay");
	say("added latency");
	const latencies = await measureLatency(latencyRows, push, sizes);
	say("bytes on the links");
	const bytes = await countBytes(bytesTrials(sizes, push), sizes);
	const found = [...versions.values()].filter((version) => version !== undefined);
	return [
		[HOW, ...(found.length > 0 ? [`${found.join(", ")}.`] : []), ...missing.values()].join("\n"),
		markdown(trialTable(trials, "messages")),
		`### Beside HAProxy\n\n${markdown(ratioTable({ push, trials, missing }, extents))}`,
		`### Added latency, one client\n\n${markdown(latencyTable(latencies))}`,
		`### Bytes on our links\n\n${markdown(linkTable(bytes))}`,
	].join("\n\n");
}

const HOW_IDLE = `Clients that have called once; five links. ${HOW_MEMORY} What of it is whose is in ARCHITECTURE.md, "What an idle
client takes".`;

/** What clients that say nothing cost at both ends of our links. */
export async function measureRelayedIdle(sizes: Sizes, say: Say): Promise<string> {
	const idle = await measureIdle([IDLE_CASE], { ...sizes, idleClients: sizes.comparedIdleClients }, say);
	const tables = [idleTable(idle), ...idle.map((result) => memoryTable(result))];
	return [HOW_IDLE, ...tables.map(markdown)].join("\n\n");
}

function bytesTrials(sizes: Sizes, push: Push): ReturnType<typeof relayTrial>[] {
	const [fewest] = sizes.relayClients;
	const extents = extentsOf(sizes).filter(({ clients }) => clients === fewest);
	return extents.flatMap((extent) =>
		(["send", "invoke"] as const).map((row) => relayTrial(row, extent, push)),
	);
}
