import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Child } from "../children.js";
import type { WindowResult } from "../load/job.js";
import { markdown, type Table } from "../report.js";
import type { Sizes } from "../settings.js";
import { type Stand, startLoad, startStand } from "../stand.js";
import type { SubjectRequest } from "../subject/requests.js";
import { ask, type Trial } from "../trial.js";
import { type CpuProfile, type ProfileShare, sharesOf } from "./profile-groups.js";
import { findPush } from "./push.js";
import { extentsOf, relayTrial } from "./trials.js";

const FOLDER = "temp/profiles";
const SHOWN_FUNCTIONS = 30;
/** A profile wants more time than a figure. */
const WINDOWS = 2;

const HOW = `Our proxy's CPU time, row by row, with the profiler on, which costs a little itself: figures are not those of a run without it.
A function that has no group of its own counts to its nearest caller that has one (Node's streams under a write are writing).`;

/** Where our proxy's time goes: groups and functions of each row. Profiles are kept, for tools that show them. */
export async function profileRelay(sizes: Sizes, say: (line: string) => void): Promise<string> {
	const push = await findPush();
	const parts = [HOW];
	let stand: Stand | undefined;
	let load: Child | undefined;
	mkdirSync(FOLDER, { recursive: true });
	try {
		stand = await startStand("proxy");
		load = await startLoad();
		for (const extent of extentsOf(sizes)) {
			for (const row of ["send", "invoke"] as const) {
				const trial = relayTrial(row, extent, push);
				say(`profile: ${trial.name}`);
				const file = join(FOLDER, `${row}-${extent.clients}-${extent.outstanding}.cpuprofile`);
				parts.push(await profileTrial(stand, load, { trial, file: resolve(file), sizes }));
			}
		}
	} finally {
		await load?.stop();
		await stand?.stop();
	}
	return [...parts, `Profiles are in ${FOLDER}.`].join("\n\n");
}

interface ProfileJob {
	readonly trial: Trial;
	readonly file: string;
	readonly sizes: Sizes;
}

async function profileTrial(
	{ measured, port }: Stand,
	load: Child,
	{ trial, file, sizes: { warmUpMs, settleMs, windowMs } }: ProfileJob,
): Promise<string> {
	const pids = [measured.pid];
	const measure = (warmUp: number, ms: number): Promise<unknown> =>
		ask(load, { kind: "measure", window: { warmUpMs: warmUp, windowMs: ms, pids } });
	await ask(load, { kind: "connect", job: { ...trial.job, port, isSpinning: false } });
	await measure(warmUpMs, settleMs);
	await measured.ask({ kind: "profile" });
	const result = (await measure(settleMs, windowMs * WINDOWS)) as WindowResult;
	const request: SubjectRequest = { kind: "write-profile", file };
	await measured.ask(request);
	await ask(load, { kind: "close" });
	return section(trial.name, result, JSON.parse(readFileSync(file, "utf8")) as CpuProfile);
}

function section(
	name: string,
	{ messages, seconds, processes: [used] }: WindowResult,
	profile: CpuProfile,
): string {
	const us = ((used?.cpuSeconds ?? 0) * 1e6) / messages;
	const { groups, functions } = sharesOf(profile);
	const busy = Math.round(((used?.cpuSeconds ?? 0) / seconds) * 100);
	return [
		`### ${name}`,
		`${us.toFixed(1)} µs of CPU per message; busy ${busy}%.`,
		markdown(shareTable("group", groups, us)),
		markdown(shareTable("function", functions.slice(0, SHOWN_FUNCTIONS), us)),
	].join("\n\n");
}

function shareTable(what: string, shares: readonly ProfileShare[], us: number): Table {
	return [
		[what, "self time", "µs per message"],
		...shares.map(({ name, share }) => [name, `${(share * 100).toFixed(1)}%`, (share * us).toFixed(2)]),
	];
}
