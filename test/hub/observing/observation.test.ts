import assert from "node:assert/strict";
import { HubException, TrunklineError } from "../../../lib/errors/index.js";
import { failureOf, Observation } from "../../../lib/hub/observing/observation.js";
import { collectingLog, settle } from "../fakes.js";

const CALL = { method: "m" };

describe("hub/observing/observation", () => {
	it("tells all observers what they have a member for, as their own", () => {
		const observation = new Observation(collectingLog());
		const heard: unknown[] = [];
		class Counting {
			readonly name = "counting";
			invocationStarted(facts: unknown): void {
				heard.push([this.name, facts]);
			}
		}
		observation.add(new Counting());
		observation.add({ streamStarted: (facts) => void heard.push(facts) });
		observation.tell("invocationStarted", CALL);
		observation.tell("streamStarted", { method: undefined });
		assert.deepEqual(heard, [["counting", CALL], { method: undefined }]);
	});

	it("logs the first failure of an observer, thrown or rejected, and tells the others", async () => {
		const log = collectingLog();
		const observation = new Observation(log);
		let heard = 0;
		observation.add({
			invocationStarted() {
				throw new Error("now");
			},
		});
		observation.add({ invocationStarted: async () => Promise.reject(new Error("later")) });
		observation.add({ invocationStarted: () => void heard++ });
		for (let times = 0; times < 3; times++) observation.tell("invocationStarted", CALL);
		await settle();
		const line = "error An observer failed; more failures of it are not logged.";
		assert.deepEqual([log.lines, heard], [[line, line], 3]);
	});

	it("takes one observer off, also while it is told", () => {
		const observation = new Observation(collectingLog());
		let heard = 0;
		const leaving = {
			invocationStarted() {
				heard++;
				observation.remove(leaving);
			},
		};
		observation.add(leaving);
		observation.add({ invocationStarted: () => void heard++ });
		observation.remove({});
		for (let times = 0; times < 2; times++) observation.tell("invocationStarted", CALL);
		assert.deepEqual([heard, observation.size], [3, 1]);
	});

	it("names failures by what few there are", () => {
		const thrown = [new TrunklineError("ERR_LIMIT", "x"), new HubException("x"), new Error("x"), "x"];
		assert.deepEqual(thrown.map(failureOf), ["ERR_LIMIT", "HubException", "Error", "Error"]);
	});
});
