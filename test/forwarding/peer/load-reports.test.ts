import assert from "node:assert/strict";
import { ManualClock, type Timer } from "../../../lib/base/index.js";
import { isNews, type LoadListener, LoadReports } from "../../../lib/forwarding/peer/load-reports.js";
import { DELAY_SAMPLE_MS } from "../../../lib/forwarding/peer/loop-delay.js";
import type { LinkLoad } from "../../../lib/hub/index.js";

/** A clock whose timers run late. */
class LateClock extends ManualClock {
	lateMs = 0;

	override schedule(delayMs: number, task: () => void): Timer {
		return super.schedule(delayMs + this.lateMs, task);
	}
}

/** Remembers what it was told. */
class Told implements LoadListener {
	readonly loads: LinkLoad[] = [];
	isAway = false;

	get told(): LinkLoad | undefined {
		return this.loads.at(-1);
	}

	tell(load: LinkLoad): void {
		if (!this.isAway) this.loads.push(load);
	}
}

describe("forwarding/peer/load-reports", () => {
	let clock: LateClock;
	let clients: number;
	let reports: LoadReports;

	beforeEach(() => {
		clock = new LateClock();
		clients = 0;
		reports = new LoadReports(clock, () => clients);
	});

	const pass = (samples: number): void => {
		for (let count = 0; count < samples; count++) clock.advance(DELAY_SAMPLE_MS + clock.lateMs);
	};

	it("tells a proxy that is new soon, and then about once a second, where there is news", () => {
		const proxy = new Told();
		reports.add(proxy);
		clients = 3;
		pass(1);
		assert.deepEqual(proxy.loads, [{ clients: 3, delayMs: 0 }]);
		clients = 7;
		pass(2);
		assert.equal(proxy.loads.length, 1, "the second is not over");
		pass(1);
		assert.deepEqual(proxy.told, { clients: 7, delayMs: 0 });
		pass(400);
		assert.equal(proxy.loads.length, 2, "nothing has changed");
	});

	it("tells one that could not hear of it as soon as it can", () => {
		const proxy = new Told();
		proxy.isAway = true;
		reports.add(proxy);
		pass(3);
		proxy.isAway = false;
		pass(1);
		assert.deepEqual(proxy.loads, [{ clients: 0, delayMs: 0 }]);
	});

	it("measures how late the event loop is: one long turn counts little, and one after another as much as they last", () => {
		const proxy = new Told();
		reports.add(proxy);
		pass(1);
		clock.lateMs = 150;
		// The timer that waits was planned in time.
		pass(2);
		clock.lateMs = 0;
		pass(1);
		assert.deepEqual(proxy.told, { clients: 0, delayMs: 83 }, "two looks that were 150 ms late");
		pass(40);
		assert.ok((proxy.told?.delayMs ?? 0) < 5, "it is well again");
		clock.lateMs = 150;
		pass(40);
		assert.ok((proxy.told?.delayMs ?? 0) > 115, "and now it is not");
	});

	it("leaves no timer where nobody is told any more", () => {
		const proxies = [new Told(), new Told()];
		for (const proxy of proxies) reports.add(proxy);
		assert.equal(clock.pending, 1);
		pass(1);
		for (const proxy of proxies) reports.remove(proxy);
		assert.equal(clock.pending, 0);
		reports.add(new Told());
		assert.equal(clock.pending, 1);
	});

	it("holds a change for news that is a fiftieth of the clients, a fifth of the delay, and no less than 5 ms", () => {
		const told = { clients: 1_000, delayMs: 50 };
		assert.equal(isNews(told, { clients: 1_019, delayMs: 59 }), false);
		assert.equal(isNews(told, { clients: 980, delayMs: 50 }), true);
		assert.equal(isNews(told, { clients: 1_000, delayMs: 60 }), true);
		assert.equal(isNews({ clients: 0, delayMs: 0 }, { clients: 0, delayMs: 4 }), false);
		assert.equal(isNews({ clients: 0, delayMs: 0 }, { clients: 1, delayMs: 0 }), true);
		assert.equal(isNews(told, told), false);
	});
});
