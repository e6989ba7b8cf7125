import assert from "node:assert/strict";
import { replayAtAppServer, replayDirect } from "./replay/app-server-end.js";
import { type Comparable, Tally } from "./replay/comparison.js";
import { applyDifferences, DIFFERENCES, GENERAL_DIFFERENCES } from "./replay/differences.js";
import { replayAtProxy } from "./replay/proxy-end.js";
import { type End, responseOf, Script } from "./replay/script.js";
import { readTrace, traceFiles } from "./replay/trace.js";

/** Far more than a replay takes; what is late is named long before. */
const TIMEOUT_MS = 20_000;

const REPLAYS = { proxy: replayAtProxy, "app-server": replayAtAppServer, direct: replayDirect } as const;

const TITLES: Readonly<Record<End, string>> = {
	proxy: "our proxy, between its recorded clients and its recorded app server, does as the original did",
	"app-server": "our app server answers a recorded proxy as the original did",
	direct: "our app server answers recorded clients as the original did",
};

describe("interop/replay", function () {
	this.timeout(TIMEOUT_MS);
	const files = traceFiles();
	const tally = new Tally();
	const met = new Map<string, number>();

	async function replay(file: string, end: End): Promise<void> {
		const script = new Script(readTrace(file), end);
		for (const [difference, times] of applyDifferences(script)) {
			met.set(difference.what, (met.get(difference.what) ?? 0) + times);
			if (difference.scenario) assert.notEqual(times, 0, `listed, but not there: ${difference.what}`);
		}
		const found = await REPLAYS[end](script, tally);
		tally.replays++;
		assert.equal(found.join("\n"), "");
	}

	if (files.length === 0) {
		it("needs the recorded traces in test/traces, which are not there", function () {
			console.log("      (skipped: no *.jsonl in test/traces)");
			this.skip();
		});
		return;
	}

	for (const end of ["proxy", "app-server", "direct"] as const) {
		describe(TITLES[end], () => {
			const applicable = files.filter((file) => file.includes("-direct.") === (end === "direct"));
			for (const file of applicable) it(file.replace(".jsonl", ""), () => replay(file, end));
		});
	}

	describe("the comparison", () => {
		it("finds a single field that differs, at each end", async () => {
			for (const end of ["proxy", "app-server", "direct"] as const) {
				const setUp = end === "direct" ? "json-direct" : "json-json";
				const script = new Script(readTrace(`02-request-null-arg.${setUp}.jsonl`), end);
				applyDifferences(script);
				const changed = script.expected.find(({ message }) => responseOf(message));
				const text = JSON.stringify(changed?.message).replace('"Hello"', '"Hallo"');
				if (changed) changed.message = JSON.parse(text) as Comparable;
				const found = await REPLAYS[end](script, new Tally());
				assert.match(found.join("\n"), /^[^\n]*FirstName: recorded "Hallo", ours "Hello"$/);
			}
		});

		it("meets every difference that is listed", () => {
			const unmet = DIFFERENCES.map(({ what }) => what).filter((what) => !met.get(what));
			const unmetFields = [...GENERAL_DIFFERENCES.keys()].filter((name) => !tally.met.has(name));
			assert.deepEqual([...unmet, ...unmetFields], []);
			const unlisted = [...tally.met.keys()].filter((name) => !GENERAL_DIFFERENCES.has(name));
			assert.deepEqual(unlisted, []);
		});
	});

	after(() => {
		const differences = DIFFERENCES.length + GENERAL_DIFFERENCES.size;
		console.log(
			`      ${tally.replays} replays (scenarios × set-ups × ends), ${tally.messages} messages and ${tally.fields} fields compared, ${differences} differences listed`,
		);
	});
});
