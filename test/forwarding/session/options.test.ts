import assert from "node:assert/strict";
import { resolveSessionOptions, type SessionOptions } from "../../../lib/forwarding/session/options.js";

describe("forwarding/session/options", () => {
	it("applies the defaults", () => {
		assert.deepEqual(resolveSessionOptions(), {
			sessionTimeoutMs: 15_000,
			copyAfterMs: 20,
			maxCopyAfterMs: 250,
			ackDelayMs: 5,
			ackBytes: 65_536,
			windowBytes: 8_388_608,
			suspectTimeoutMs: 15_000,
			maxWaitingBytes: 16_777_216,
			maxLinks: 1_024,
		});
	});

	it("refuses what is no number of its kind", () => {
		for (const options of [
			{ copyAfterMs: 0 },
			{ windowBytes: 1.5 },
			{ maxLinks: Number.NaN },
		] as SessionOptions[])
			assert.throws(() => resolveSessionOptions(options), { code: "ERR_OPTION" });
	});

	it("copies no earlier on links with a long round trip", () => {
		assert.equal(resolveSessionOptions({ copyAfterMs: 400 }).maxCopyAfterMs, 400);
	});
});
