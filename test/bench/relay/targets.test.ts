import assert from "node:assert/strict";
import { latencyTable, memoryTable, type RelayResults, ratioTable } from "../../../bench/relay/targets.js";
import { extentsOf, PLAIN_PUSH, RELAY_ROWS, type RelayRow, relayTrial } from "../../../bench/relay/trials.js";
import { parseSettings } from "../../../bench/settings.js";
import { spreadOf, type Trial, type TrialResult } from "../../../bench/trial.js";

const push = PLAIN_PUSH;
const SMALL = { clients: 200, outstanding: 1 };

function resultOf(trial: Trial, perRound: readonly number[], busy: number): TrialResult {
	return {
		...{ trial, perRound, measured: "", otherPerCpuSecond: undefined, kept: 0, otherCoreBusy: 0.5 },
		...{ perCpuSecond: spreadOf(perRound), perSecond: spreadOf(perRound) },
		...{ p50Us: spreadOf([1]), p99Us: spreadOf([2]), busy: { measured: busy, other: 0, load: 0.5 } },
	};
}

/** What our `send` row makes of HAProxy's rounds. */
function sendRow(
	ours: readonly number[],
	haproxy: readonly number[],
	busy = 1,
): readonly string[] | undefined {
	const results: RelayResults = {
		...{ push, missing: new Map() },
		trials: [
			resultOf(relayTrial("send", SMALL, push), ours, busy),
			resultOf(relayTrial("haproxy", SMALL, push), haproxy, 1),
		],
	};
	return ratioTable(results, [SMALL])[1]?.slice(3);
}

describe("bench/relay/targets", () => {
	it("compares the rounds that met the same machine, not the medians", () => {
		assert.deepEqual(sendRow([110, 10, 210], [100, 11, 200]), ["1.05 (0.91-1.10)", "≥ 1.0", "reached"]);
	});

	it("says where the target is missed, and where a figure does not count", () => {
		assert.equal(sendRow([80], [100])?.at(-1), "**short**");
		assert.equal(sendRow([120], [100], 0.5)?.at(-1), "reached (a side was not full: does not count)");
	});

	it("compares ours with the C# proxy by way of HAProxy", () => {
		const trials = [
			resultOf(relayTrial("send", SMALL, push), [100, 90], 1),
			resultOf(relayTrial("haproxy", SMALL, push), [100, 100], 1),
		];
		const row = ratioTable({ push, missing: new Map(), trials }, [SMALL]).at(-1);
		assert.deepEqual(row?.slice(3), ["2.3 × that", "≥ 2.5", "**short**"]);
	});

	it("asks less with several messages outstanding", () => {
		const results: RelayResults = { push, missing: new Map(), trials: [] };
		const [, row] = ratioTable(results, [{ clients: 200, outstanding: 8 }]);
		assert.equal(row?.[4], "≥ 0.6");
	});

	it("has a row for each relay and size, also for those that are not installed, and the C# proxy's known ones", () => {
		const missing = new Map<RelayRow, string>([["haproxy", "not measured: `haproxy` is not installed"]]);
		const extents = extentsOf(parseSettings([]).sizes);
		assert.deepEqual(extents, [
			{ clients: 200, outstanding: 1 },
			{ clients: 2_000, outstanding: 1 },
			{ clients: 200, outstanding: 8 },
			{ clients: 2_000, outstanding: 8 },
		]);
		const [, ...rows] = ratioTable({ push, missing, trials: [] }, extents);
		assert.equal(rows.length, RELAY_ROWS.length * extents.length + 4);
		assert.deepEqual(
			rows.filter(([relay]) => relay?.includes("C#")).map(([, clients, , ratio]) => [clients, ratio]),
			[
				["200", "0.41"],
				["200", "-"],
				["2000", "0.32"],
				["2000", "-"],
			],
		);
		assert.equal(rows[0]?.at(-1), "not measured: `haproxy` is not installed");
	});

	it("judges our own latency and memory only", () => {
		const microseconds = { directUs: spreadOf([100]), throughUs: spreadOf([700]), addedUs: spreadOf([600]) };
		const [, ours, others] = latencyTable([
			{ title: "ours", isOurs: true, ...microseconds },
			{ title: "HAProxy", isOurs: false, ...microseconds },
		]);
		assert.deepEqual(ours?.slice(3), ["600 (600-600)", "≤ 500", "**short**"]);
		assert.deepEqual(others?.slice(3), ["600 (600-600)", "", ""]);
		const spread = spreadOf([13 * 1024]);
		const bytes = { resident: spread, heap: spread, first: spread };
		const [, proxy, app] = memoryTable({
			...{ one: { name: "ours", stand: "proxy", job: { path: "/", protocol: "json", setup: undefined } } },
			...{ clients: 1, measured: "proxy", connectsPerCpuSecond: spread, bytes, otherBytes: bytes },
		});
		assert.deepEqual([proxy?.at(-1), app?.at(-1)], ["reached", "**short**"]);
	});
});
