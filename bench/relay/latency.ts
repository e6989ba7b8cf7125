import type { Child } from "../children.js";
import type { LoadJob, WindowResult } from "../load/job.js";
import type { Sizes } from "../settings.js";
import { type Stand, startLoad, startStand } from "../stand.js";
import { ask, type Spread, spreadOf } from "../trial.js";
import { type Push, type RelayRow, relayTrial, rowTitle } from "./trials.js";

/** Round trips of one client, to the server itself and through the relay. */
export interface Latency {
	readonly title: string;
	readonly isOurs: boolean;
	/** Medians of each round's messages. */
	readonly directUs: Spread;
	readonly throughUs: Spread;
	/** What the relay adds in a round. */
	readonly addedUs: Spread;
}

interface Round {
	readonly direct: number;
	readonly through: number;
}

/** Measures in turn, round by round, one client with one message at a time. */
export async function measureLatency(
	rows: readonly RelayRow[],
	push: Push,
	sizes: Sizes,
): Promise<Latency[]> {
	const stands = new Map<RelayRow, Stand>();
	let load: Child | undefined;
	try {
		load = await startLoad();
		const rounds = new Map<RelayRow, Round[]>();
		for (const row of rows) {
			stands.set(row, await startStand(relayTrial(row, { clients: 1, outstanding: 1 }, push).stand));
			rounds.set(row, []);
		}
		for (let round = -1; round < sizes.rounds; round++) {
			for (const [row, stand] of stands) {
				const found = await roundTrips(load, stand, {
					job: relayTrial(row, { clients: 1, outstanding: 1 }, push).job,
					warmUpMs: round < 0 ? sizes.warmUpMs : sizes.settleMs,
					windowMs: sizes.windowMs,
				});
				if (round >= 0) rounds.get(row)?.push(found);
			}
		}
		return [...rounds].map(([row, found]) => summary(row, push, found));
	} finally {
		await load?.stop();
		for (const stand of stands.values()) await stand.stop();
	}
}

interface Measurement {
	readonly job: Omit<LoadJob, "port" | "isSpinning">;
	readonly warmUpMs: number;
	readonly windowMs: number;
}

async function roundTrips(
	load: Child,
	{ port, directPort = port }: Stand,
	{ job, warmUpMs, windowMs }: Measurement,
): Promise<Round> {
	const p50 = async (to: number): Promise<number> => {
		await ask(load, { kind: "connect", job: { ...job, port: to, isSpinning: false } });
		const window = { warmUpMs, windowMs, pids: [] };
		const { p50Us } = (await ask(load, { kind: "measure", window })) as WindowResult;
		await ask(load, { kind: "close" });
		return p50Us;
	};
	return { direct: await p50(directPort), through: await p50(port) };
}

function summary(row: RelayRow, push: Push, rounds: readonly Round[]): Latency {
	return {
		...{ title: rowTitle(row, push), isOurs: row === "send" || row === "invoke" },
		directUs: spreadOf(rounds.map(({ direct }) => direct)),
		throughUs: spreadOf(rounds.map(({ through }) => through)),
		addedUs: spreadOf(rounds.map(({ direct, through }) => through - direct)),
	};
}
