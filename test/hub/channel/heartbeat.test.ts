import assert from "node:assert/strict";
import { ManualClock } from "../../../lib/base/index.js";
import { type Beating, Heartbeat } from "../../../lib/hub/channel/heartbeat.js";

class Member implements Beating {
	readonly times: number[] = [];
	onTick: () => void = () => {};

	tick(now: number): void {
		this.times.push(now);
		this.onTick();
	}
}

describe("hub/channel/heartbeat", () => {
	it("looks at its members four times in the shortest span, and once a second at least", () => {
		for (const [shortest, tick] of [
			[15_000, 1_000],
			[100, 25],
			[1, 1],
		] as const) {
			const clock = new ManualClock();
			const member = new Member();
			new Heartbeat(clock, shortest).add(member);
			clock.advance(tick * 3);
			assert.deepEqual(member.times, [tick, 2 * tick, 3 * tick]);
		}
	});

	it("has one timer for all members, and none without", () => {
		const clock = new ManualClock();
		const heartbeat = new Heartbeat(clock, 400);
		const members = [new Member(), new Member(), new Member()];
		for (const member of members) heartbeat.add(member);
		assert.equal(clock.pending, 1);
		clock.advance(250);
		assert.equal(clock.pending, 1);
		for (const member of members) heartbeat.remove(member);
		assert.equal(clock.pending, 0);
	});

	it("keeps one timer when members leave and come while they are looked at", () => {
		const clock = new ManualClock();
		const heartbeat = new Heartbeat(clock, 400);
		const [first, second] = [new Member(), new Member()];
		first.onTick = () => {
			heartbeat.remove(first);
			heartbeat.add(second);
		};
		second.onTick = () => heartbeat.remove(second);
		heartbeat.add(first);
		clock.advance(100);
		assert.equal(clock.pending, 0);
		second.onTick = () => {};
		heartbeat.add(first);
		clock.advance(100);
		assert.equal(clock.pending, 1);
		clock.advance(100);
		assert.deepEqual(second.times.slice(-1), [300]);
		assert.equal(clock.pending, 1);
	});
});
