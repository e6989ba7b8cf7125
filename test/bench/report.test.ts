import assert from "node:assert/strict";
import { echoTrials } from "../../bench/echo.js";
import { markdown, trialTable } from "../../bench/report.js";
import { parseSettings } from "../../bench/settings.js";
import { spreadOf, type TrialResult } from "../../bench/trial.js";

function resultWith(parts: Partial<TrialResult>): TrialResult {
	const [trial] = echoTrials(parseSettings([]).sizes);
	assert.ok(trial);
	return {
		...{ trial, measured: "app server", otherPerCpuSecond: undefined, kept: 0, otherCoreBusy: 0.5 },
		...{ perCpuSecond: spreadOf([100_000]), perRound: [100_000], perSecond: spreadOf([90_000]) },
		...{ p50Us: spreadOf([1]), p99Us: spreadOf([2]), busy: { measured: 0.9, other: 0, load: 0.5 } },
		...parts,
	};
}

function noteOf(parts: Partial<TrialResult>): string | undefined {
	return trialTable([resultWith(parts)], "messages")[1]?.at(-1);
}

describe("bench/report", () => {
	it("has nothing to say of a measured process that was busy", () => {
		assert.equal(noteOf({}), "");
	});

	it("counts a process that was busy whenever others let it have its core", () => {
		assert.equal(
			noteOf({ busy: { measured: 0.6, other: 0, load: 0.5 }, kept: 0.38 }),
			"others had its core for 38%",
		);
	});

	it("does not count a figure of a process that waited, and says which side was full", () => {
		assert.equal(
			noteOf({ busy: { measured: 0.6, other: 0, load: 0.95 } }),
			"**does not count**; the load's core was full: load 95%",
		);
		assert.equal(
			noteOf({ busy: { measured: 0.5, other: 0.6, load: 0.25 }, otherCoreBusy: 0.99 }),
			"**does not count**; the load's core was full: load 25% + other server 60% + others' work 14%",
		);
		assert.equal(
			noteOf({ busy: { measured: 0.5, other: 0, load: 0.3 } }),
			"**does not count**; no side was full: load 30%",
		);
	});

	it("shows a median between the least and the most", () => {
		assert.deepEqual(spreadOf([3, 1, 2, 10]), { median: 2.5, min: 1, max: 10 });
		assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3 });
	});

	it("writes a table that Markdown reads", () => {
		const text = markdown([
			["row", "value"],
			["a", "1"],
		]);
		assert.equal(text, "| row | value |\n| --- | ----- |\n| a   | 1 |");
	});
});
