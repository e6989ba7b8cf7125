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
	const fill = (...apps: Paced[]): number => {
		let batches = 0;
		for (; !pace.isFull; batches++) send(...apps);
		return batches;
	};
	/** Until as many batches may be under way as ever. */
	const warmUp = (...apps: App[]): void => {
		for (let most = 1; most < BATCHES_UNDER_WAY; most++) {
			send(...apps);
			for (const each of apps) each.handle(1);
		}
		asked = 0;
	};

	it("begins with one batch, and has one more under way for each that was dealt with promptly, up to a few", () => {
		for (const most of [1, 2, BATCHES_UNDER_WAY, BATCHES_UNDER_WAY]) {
			assert.equal(fill(app), most);
			clock.advance(100);
			app.handle(most);
		}
		assert.deepEqual([pace.isFull, clock.pending], [false, 0]);
	});

	it("lets the next batch go when one was dealt with, and leaves no timer", () => {
		warmUp(app);
		assert.equal(fill(app), BATCHES_UNDER_WAY);
		app.handle(1);
		assert.deepEqual([pace.isFull, asked], [false, 1]);
		app.handle(BATCHES_UNDER_WAY);
		assert.deepEqual([asked, clock.pending], [BATCHES_UNDER_WAY, 0]);
	});

	it("has one batch under way again where one took longer", () => {
		warmUp(app);
		fill(app);
		clock.advance(101);
		app.handle(BATCHES_UNDER_WAY);
		assert.equal(fill(app), 1);
	});

	it("waits for all that have a part in a batch", () => {
		warmUp(app, other);
		fill(app, other);
		app.handle(BATCHES_UNDER_WAY);
		assert.equal(pace.isFull, true);
		other.handle(1);
		assert.equal(pace.isFull, false);
	});

	it("counts nothing for a batch without anybody", () => {
		for (let batch = 0; batch < BATCHES_UNDER_WAY; batch++) send();
		assert.deepEqual([pace.isFull, clock.pending], [false, 0]);
	});

	it("waits no more than a while for one that takes long, and not at all while there are others", () => {
		fill(app, other);
		app.handle(1);
		clock.advance(249);
		assert.equal(asked, 0);
		clock.advance(1);
		assert.deepEqual([pace.isFull, asked], [false, 1]);
		fill(app, other);
		app.handle(1);
		assert.deepEqual([pace.isFull, asked], [false, 2], "the late one is not waited for");
		other.handle(2);
		assert.equal(fill(app, other), 2);
		app.handle(2);
		assert.equal(pace.isFull, true, "it is, once it has dealt with something");
		other.handle(2);
		assert.deepEqual([pace.isFull, asked, clock.pending], [false, 4, 0]);
	});

	it("sends less and less to those who deal with nothing, and goes on as soon as they do", () => {
		const waits: number[] = [];
		for (let round = 0; round < 7; round++) {
			assert.equal(fill(app), 1);
			const before = clock.elapsed();
			while (pace.isFull) clock.advance(1);
			waits.push(clock.elapsed() - before);
		}
		assert.deepEqual(waits, [250, 500, 1_000, 2_000, 4_000, 4_000, 4_000]);
		fill(app);
		app.handle(7);
		assert.equal(pace.isFull, true, "what is waited for no more says nothing of the last one");
		app.handle(1);
		assert.deepEqual([pace.isFull, clock.pending], [false, 0]);
	});

	it("waits for nothing of a session that is over, nor when it is closed", () => {
		fill(app, other);
		pace.ended(app);
		assert.equal(pace.isFull, true);
		pace.ended(other);
		assert.deepEqual([pace.isFull, clock.pending], [false, 0]);
		fill(app);
		pace.clear();
		assert.deepEqual([pace.isFull, clock.pending], [false, 0]);
		app.handle(2);
		assert.equal(asked, 0);
	});

	it("does not bury an app server to which twenty proxies bring their clients at once, nor leave it idle", () => {
		const [proxies, batches, costMs] = [20, 50, 20];
		const line: (() => void)[] = [];
		let worst = 0;
		const work = (): void => {
			clock.schedule(costMs, () => {
				line.shift()?.();
				if (line.length > 0) work();
			});
		};
		const take = (task: () => void): void => {
			line.push(task);
			worst = Math.max(worst, line.length);
			if (line.length === 1) work();
		};
		for (let proxy = 0; proxy < proxies; proxy++) {
			const session: Paced = { stream: { whenHandled: take } };
			let left = batches;
			const next = (): void => {
				for (; left > 0 && !own.isFull; left--) own.sent(new Set([session]));
			};
			const own = new Pace(clock, next);
			next();
		}
		clock.advance(proxies * batches * costMs);
		assert.deepEqual([line.length, clock.pending], [0, 0], "all is done, and no moment was lost");
		assert.ok(worst <= 2 * proxies, `${worst} batches stood in line`);
	});
});
