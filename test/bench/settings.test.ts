import assert from "node:assert/strict";
import { BenchError } from "../../bench/children.js";
import { parseSettings, QUESTIONS } from "../../bench/settings.js";

describe("bench/settings", () => {
	it("asks every question, at full length, and writes nothing by default", () => {
		const { mode, questions, isWriting, sizes } = parseSettings([]);
		assert.deepEqual(
			{ mode, questions, isWriting },
			{ mode: "full", questions: QUESTIONS, isWriting: false },
		);
		assert.ok(sizes.rounds >= 5);
		assert.ok(sizes.idleClients >= 2_000);
	});

	it("asks one question at a time where it measures", () => {
		const atOnce = [[], ["--quick"], ["--smoke"]].map((flags) => parseSettings(flags).sizes.questionsAtOnce);
		assert.deepEqual(atOnce, [1, 1, 3]);
	});

	it("takes questions by name, and puts them in its own order", () => {
		assert.deepEqual(parseSettings(["--quick", "idle", "echo"]).questions, ["echo", "idle"]);
	});

	it("refuses to write down a run that measures nothing", () => {
		assert.throws(() => parseSettings(["--smoke", "--write"]), BenchError);
	});

	it("profiles the relay, and nothing else", () => {
		const { isProfiling, questions } = parseSettings(["--quick", "--profile"]);
		assert.deepEqual({ isProfiling, questions }, { isProfiling: true, questions: ["relay"] });
		assert.throws(() => parseSettings(["--profile", "echo"]), /--profile is about relay/);
		assert.throws(() => parseSettings(["--profile", "--write", "relay"]), /--profile is about relay/);
	});

	it("refuses a question that it does not know", () => {
		assert.throws(() => parseSettings(["latency"]), /unknown parameter "latency"/);
	});
});
