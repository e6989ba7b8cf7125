import assert from "node:assert/strict";
import { deferred } from "../../../lib/base/index.js";
import { Listeners } from "../../../lib/hub/listening/listeners.js";
import { settle } from "../fakes.js";

interface Events {
	tell: [word: string];
}

describe("hub/listening/listeners", () => {
	it("runs listeners one after another, and waits for each", async () => {
		const listeners = new Listeners<Events>();
		const gate = deferred();
		const seen: string[] = [];
		listeners.add("tell", async (word: string) => {
			await gate.promise;
			seen.push(`1 ${word}`);
		});
		listeners.add("tell", (word: string) => seen.push(`2 ${word}`));
		const run = listeners.run("tell", ["hi"]);
		await settle();
		assert.deepEqual(seen, []);
		gate.resolve();
		await run;
		assert.deepEqual(seen, ["1 hi", "2 hi"]);
	});

	it("stops at the first failure, or reports every one", async () => {
		const listeners = new Listeners<Events>();
		let runs = 0;
		listeners.add("tell", () => {
			throw "no";
		});
		listeners.add("tell", () => runs++);
		await assert.rejects(listeners.run("tell", ["x"]), (thrown) => thrown === "no");
		assert.equal(runs, 0);
		const failures: unknown[] = [];
		await listeners.runAll("tell", ["x"], (cause) => failures.push(cause));
		assert.deepEqual([failures, runs], [["no"], 1]);
	});

	it("removes a listener once, also while it runs", async () => {
		const listeners = new Listeners<Events>();
		let runs = 0;
		const listener = (): void => {
			runs++;
			listeners.remove("tell", listener);
		};
		listeners.add("tell", listener);
		listeners.add("tell", listener);
		await listeners.run("tell", ["x"]);
		await listeners.run("tell", ["x"]);
		assert.equal(runs, 2);
		listeners.remove("tell", listener);
	});
});
