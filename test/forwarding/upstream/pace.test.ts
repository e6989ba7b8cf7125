import assert from "node:assert/strict";
import { ManualClock } from "../../../lib/base/index.js";
import { BATCHES_UNDER_WAY, Pace, type Paced } from "../../../lib/forwarding/upstream/pace.js";

/** An app server that deals with what it was sent when a test says so. */
class App implements Paced {
	readonly stream = { whenHandled: (task: () => void): void => void this.#tasks.push(task) };
	readonly #tasks: (() => void)[] = [];

	/** Deals with the oldest batches. */
	handle(batches: number): void {
		for (const task of this.#tasks.splice(0, batches)) task();
	}
}

describe("forwarding/upstream/pace", () => {
	let clock: ManualClock;
	let pace: Pace;
	let asked: number;
	let app: App;
	let other: App;

	beforeEach(() => {
		clock = new ManualClock();
		asked = 0;
		pace = new Pace(clock, () => void asked++);
		app = new App();
		other = new App();
	});

	const send = (...apps: Paced[]): void => pace.sent(new Set(apps));
	/** As many batches as may be under way. */
	const fill = (...apps: Paced[]): void => {
		for (let batch = 0; batch < BATCHES_UNDER_WAY; batch++) send(...apps);
	};

	it("lets the next batch go when one was dealt with, and leaves no timer", () => {
		for (let batch = 0; batch < BATCHES_UNDER_WAY; batch++) {
			assert.equal(pace.isFull, false);
			send(app);
		}
		assert.equal(pace.isFull, true);
		app.handle(1);
		assert.deepEqual([pace.isFull, asked], [false, 1]);
		app.handle(BATCHES_UNDER_WAY);
		assert.deepEqual([asked, clock.pending], [BATCHES_UNDER_WAY, 0]);
	});

	it("waits for all that have a part in a batch", () => {
		fill(app, other);
		app.handle(BATCHES_UNDER_WAY);
		assert.equal(pace.isFull, true);
		other.handle(1);
		assert.equal(pace.isFull, false);
	});

	it("counts nothing for a batch without anybody", () => {
		fill();
		assert.deepEqual([pace.isFull, clock.pending], [false, 0]);
	});

	it("waits no more than a while for one that takes long, and not at all while there are others", () => {
		fill(app, other);
		app.handle(BATCHES_UNDER_WAY);
		clock.advance(249);
		assert.equal(asked, 0);
		clock.advance(1);
		assert.deepEqual([pace.isFull, asked], [false, BATCHES_UNDER_WAY]);
		fill(app, other);
		app.handle(BATCHES_UNDER_WAY);
		assert.deepEqual([pace.isFull, asked], [false, 2 * BATCHES_UNDER_WAY], "the late one is not waited for");
		other.handle(2 * BATCHES_UNDER_WAY);
		fill(app, other);
		app.handle(BATCHES_UNDER_WAY);
		assert.equal(pace.isFull, true, "it is, once it has dealt with something");
		other.handle(BATCHES_UNDER_WAY);
		assert.deepEqual([pace.isFull, asked, clock.pending], [false, 3 * BATCHES_UNDER_WAY, 0]);
	});

	it("keeps to a slow pace where all are late", () => {
		for (let round = 1; round <= 3; round++) {
			fill(app);
			assert.equal(pace.isFull, true);
			clock.advance(250);
			assert.deepEqual([pace.isFull, asked], [false, round * BATCHES_UNDER_WAY]);
		}
	});
});
