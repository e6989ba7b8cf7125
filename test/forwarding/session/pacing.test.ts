import assert from "node:assert/strict";
import { resolveSessionOptions } from "../../../lib/forwarding/session/options.js";
import { CopyPacing, RoundTrip } from "../../../lib/forwarding/session/pacing.js";

describe("forwarding/session/pacing", () => {
	const measured = (ms: number): RoundTrip => {
		const roundTrip = new RoundTrip(resolveSessionOptions());
		roundTrip.measured(ms);
		return roundTrip;
	};

	it("copies after 20 ms, or four round trips up to 250 ms, and never before one and a half", () => {
		assert.equal(new RoundTrip(resolveSessionOptions()).copyAfterMs, 20);
		assert.equal(measured(0.3).copyAfterMs, 20);
		assert.equal(measured(30).copyAfterMs, 120);
		assert.equal(measured(100).copyAfterMs, 250);
		assert.equal(measured(400).copyAfterMs, 600);
	});

	it("asks after four times as long, up to 250 ms", () => {
		assert.equal(measured(0.3).probeAfterMs, 80);
		assert.equal(measured(10).probeAfterMs, 160);
		assert.equal(measured(30).probeAfterMs, 250);
		assert.equal(measured(400).probeAfterMs, 600);
	});

	it("smooths round trips", () => {
		const roundTrip = measured(8);
		roundTrip.measured(16);
		assert.equal(roundTrip.smoothedMs, 9);
	});

	it("lets copies be a tenth of the traffic, and saves up no more than 512 KiB of them", () => {
		const pacing = new CopyPacing();
		pacing.spend(64 * 1024);
		assert.equal(pacing.allows, false);
		pacing.earn(1_000);
		pacing.spend(99);
		assert.equal(pacing.allows, true);
		pacing.spend(1);
		assert.equal(pacing.allows, false);
		for (let at = 0; at < 1_000; at++) pacing.earn(1024 * 1024);
		pacing.spend(640 * 1024);
		assert.equal(pacing.allows, false);
	});

	it("lets some copies be made where there is no traffic", () => {
		const pacing = new CopyPacing();
		pacing.spend(65 * 1024);
		pacing.trickle();
		assert.equal(pacing.allows, true);
	});
});
