import assert from "node:assert/strict";
import { ManualClock, silentLog } from "../../../lib/base/index.js";
import { MAX_REFUSALS, REFUSAL_QUIET_MS, RefusalLog } from "../../../lib/forwarding/app-end/refusal-log.js";

describe("forwarding/app-end/refusal-log", () => {
	const code = "ERR_LINK_REFUSED";
	const tell = (remoteAddress: string, message: string): void =>
		refusals.tell({ code, remoteAddress }, message);
	let clock: ManualClock;
	let told: object[];
	let refusals: RefusalLog;
	beforeEach(() => {
		clock = new ManualClock();
		told = [];
		refusals = new RefusalLog(clock, {
			...silentLog,
			warn: (fields, message) => told.push({ ...fields, message }),
		});
	});

	it("tells the first of an address and a reason, then one a minute with how many were left out", () => {
		for (let at = 0; at < 5; at++) tell("10.0.0.1", "a");
		tell("10.0.0.1", "b");
		tell("10.0.0.2", "a");
		const first = { code, remoteAddress: "10.0.0.1", message: "a" };
		assert.deepEqual(told, [first, { ...first, message: "b" }, { ...first, remoteAddress: "10.0.0.2" }]);
		clock.advance(REFUSAL_QUIET_MS);
		tell("10.0.0.1", "a");
		assert.deepEqual(told.slice(3), [{ ...first, omitted: 4 }]);
		clock.advance(REFUSAL_QUIET_MS);
		tell("10.0.0.1", "a");
		assert.deepEqual(told.slice(4), [first]);
	});

	it("remembers so many, and forgets the oldest", () => {
		for (let at = 0; at <= MAX_REFUSALS; at++) tell(`address ${at}`, "a");
		tell("address 1", "a");
		assert.equal(told.length, MAX_REFUSALS + 1);
		tell("address 0", "a");
		assert.equal(told.length, MAX_REFUSALS + 2);
	});
});
