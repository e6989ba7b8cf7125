import assert from "node:assert/strict";
import { targetTable } from "../../../bench/competitors/targets.js";
import { echoRows, fanOutRows } from "../../../bench/competitors/trials.js";
import { parseSettings } from "../../../bench/settings.js";
import type { StandKind } from "../../../bench/stand.js";
import { spreadOf, type Trial, type TrialResult } from "../../../bench/trial.js";

const { sizes } = parseSettings([]);
const EVERYBODY = new Set<StandKind>(["ws", "ws-json", "direct", "aspnet", "socket-io"]);

function resultOf(trial: Trial, perRound: readonly number[], busy: number): TrialResult {
	return {
		...{ trial, perRound, measured: "", otherPerCpuSecond: undefined, kept: 0, otherCoreBusy: 0.5 },
		...{ perCpuSecond: spreadOf(perRound), perSecond: spreadOf(perRound) },
		...{ p50Us: spreadOf([1]), p99Us: spreadOf([2]), busy: { measured: busy, other: 0, load: 0.5 } },
	};
}

/** What the first echo row of ours makes of the figures of a bare server with the same work. */
function firstVerdict(ours: readonly number[], bare: readonly number[], busy = 0.99): readonly string[] {
	const echo = echoRows(sizes, EVERYBODY).map((trial) =>
		resultOf(trial, trial.stand === "direct" ? ours : bare, busy),
	);
	return targetTable({ echo, fanOut: [], idle: [] })[1] ?? [];
}

describe("bench/competitors/targets", () => {
	it("compares the rounds that met the same machine, not the medians", () => {
		const [what, target, found, verdict] = firstVerdict([90, 10, 180], [100, 11, 200]);
		assert.match(
			what ?? "",
			/^echo: ours, 200 clients, 1 outstanding \/ bare `ws` doing the same JSON work$/,
		);
		assert.deepEqual([target, found, verdict], ["≥ 0.85", "0.90 (0.90-0.91)", "reached"]);
	});

	it("says where a target is missed, and where a figure does not count", () => {
		assert.equal(firstVerdict([80], [100])[3], "**short**");
		assert.equal(firstVerdict([90], [100], 0.5)[3], "reached (a side was not full: does not count)");
	});

	it("has a row for every target of a full run, also for those that nobody was there for", () => {
		const stands = new Set<StandKind>(["ws", "direct"]);
		const results = (trials: readonly Trial[]): TrialResult[] => trials.map((t) => resultOf(t, [1], 1));
		const [, ...rows] = targetTable({
			echo: results(echoRows(sizes, stands)),
			fanOut: results(fanOutRows(sizes, stands)),
			idle: [],
		});
		// Three with one outstanding and two with eight, for two numbers of clients; three for each of four fan-outs.
		assert.equal(rows.length, 22);
		assert.equal(rows.filter(([, , , verdict]) => verdict === "not measured").length, 18);
	});

	it("gives all who are compared messages of one size", () => {
		for (const trial of echoRows(sizes, EVERYBODY)) {
			const sizesOf = trial.job.messages.map((text) => Buffer.from(text, "base64").length);
			assert.deepEqual([...new Set(sizesOf)], [150], trial.name);
		}
	});
});
