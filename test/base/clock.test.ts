import assert from "node:assert/strict";
import { ManualClock, systemClock } from "../../lib/base/index.js";

describe("base/clock", () => {
	it("runs what falls due in the order of due times, including what that schedules", () => {
		const clock = new ManualClock(100);
		const ran: string[] = [];
		clock.schedule(20, () => ran.push(`b${clock.now()}`));
		clock.schedule(10, () => {
			ran.push(`a${clock.now()}`);
			clock.schedule(5, () => ran.push(`c${clock.now()}`));
		});
		clock.schedule(10, () => ran.push(`d${clock.now()}`));
		clock.advance(20);
		assert.deepEqual(ran, ["a110", "d110", "c115", "b120"]);
		assert.equal(clock.elapsed(), 120);
		assert.equal(clock.pending, 0);
	});

	it("runs nothing that was cancelled", () => {
		const clock = new ManualClock();
		const timer = clock.schedule(1, () => assert.fail("ran"));
		timer.cancel();
		timer.cancel();
		clock.advance(10);
	});

	it("tells wall time and spans apart", (done) => {
		const [wall, span] = [systemClock.now(), systemClock.elapsed()];
		assert.ok(Math.abs(wall - Date.now()) < 60_000);
		systemClock.schedule(1, () => {
			assert.ok(systemClock.elapsed() > span);
			done();
		});
	});
});
